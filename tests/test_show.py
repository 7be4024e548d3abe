"""What is said at the end of a run."""

import json

from tests.support.synthetic_run import make_run
from twin import show
from twin.results.run_folder import Run
from twin.schema import SUMMARY


def test_replications_end_with_what_any_of_them_noted_once(tmp_path, capsys):
    for number, more in enumerate([[], ["the second was warm"]]):
        folder = tmp_path / f"rep_{number:03d}"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"warnings": ["a chiller is warm", *more]}))
    show.summary(dict.fromkeys(SUMMARY), tmp_path)
    said = capsys.readouterr().out
    assert said.count("a chiller is warm") == 1
    assert "Means of 2 replications" in said
    assert "the second was warm" in said


def test_what_happened_is_counted_by_kind(tmp_path, capsys):
    run = Run.open(make_run(tmp_path / "run", days=0.5, beat_s=300.0))
    kinds = run.events()["kind"].tolist()
    assert kinds, "a run in which something happened"
    show.summary(run.summary, run.path)
    said = capsys.readouterr().out
    assert f"Events, in events.parquet: {kinds[0]} {kinds.count(kinds[0])}" in said


def test_the_bottlenecks_of_replications_are_counted_not_recited(tmp_path, capsys):
    for number, name in enumerate(["GPUs", "GPUs", None]):
        folder = tmp_path / f"rep_{number:03d}"
        folder.mkdir()
        bottleneck = {"name": name, "why": f"because of {number}"}
        record = {"pipeline": {"bottleneck": bottleneck}}
        (folder / "run.json").write_text(json.dumps(record))
    show.summary(dict.fromkeys(SUMMARY), tmp_path)
    said = capsys.readouterr().out
    assert "Bottleneck: GPUs in 2 of 3, none named in 1 of 3 replications" in said
    assert "because" not in said
