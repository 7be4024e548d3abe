"""Comparing runs: what was varied, who is best, who failed."""

import csv
import io
import json
import shutil

import pytest
from rich.console import Console

from tests.support.synthetic_run import make_run
from twin.errors import InputFileError
from twin.plot.comparison import draw
from twin.results.compare import compare, flatten
from twin.results.run_folder import Run


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    for k, supply in enumerate((18.0, 22.0, 26.0)):
        run = make_run(folder / str(k), days=0.25, beat_s=300.0, seed=k, supply_c=supply)
        (run / ".hydra").mkdir()
        said = f"- cooling.supply_c={supply:g}\n- ++output.plots=false\n"
        (run / ".hydra" / "overrides.yaml").write_text(said)
    failed = folder / "3"
    failed.mkdir()
    (failed / "config.yaml").write_text("a: 1\n")
    (failed / "error.txt").write_text("Traceback ...\nRunError: it burnt\n")
    return folder


def printed(thing, width=160):
    out = io.StringIO()
    Console(file=out, width=width).print(thing)
    return out.getvalue()


def test_it_finds_what_was_varied_and_tells_of_failures(sweep):
    found = compare([sweep])
    assert [entry.name for entry in found.entries] == ["0", "1", "2"]
    assert found.varied == ["cooling.supply_c"]
    assert found.failures == [(sweep / "3", "failed: RunError: it burnt")]
    text = printed(found)
    assert "supply_c" in text and "it burnt" in text and "*" in text


@pytest.mark.parametrize("width", [70, 80, 100, 120, 160, 300])
def test_no_figure_loses_its_unit_and_no_setting_is_folded_where_there_is_room(sweep, width):
    found = compare([sweep])
    for entry in found.entries:
        entry.config["cooling.supply_c"] = "direct_liquid_dry"
    found.entries[0].config["cooling.supply_c"] = "chilled_air"
    text = printed(found, width)
    shown = found._fitting(width)
    assert len(shown) >= 2
    for name in shown:
        for figure in found._figures(name):
            assert figure in text
    assert "direct_liquid_dry" in text
    assert max(map(len, text.split("\n"))) <= width


def test_a_run_is_counted_once_however_often_it_is_named(sweep):
    assert len(compare([sweep, sweep / "0", sweep / "1"]).entries) == 3


def test_best_marks_follow_what_is_better_and_spare_ties(sweep):
    found = compare([sweep])
    for entry, pue, allocated in zip(found.entries, (1.3, 1.2, 1.2), (0.5, 0.9, 0.7), strict=True):
        entry.summary |= {"pue": pue, "gpu_allocated_fraction": allocated, "goodput_fraction": 1.0}
    assert found.best("pue") == {1, 2}
    assert found.best("gpu_allocated_fraction") == {1}
    assert found.best("goodput_fraction") == set()
    assert found.best("jobs_submitted") == set()


def test_money_of_two_currencies_has_no_best(sweep):
    found = compare([sweep])
    for k, entry in enumerate(found.entries):
        entry.summary |= {"electricity_cost": float(k), "currency": "EUR" if k else "CNY"}
    assert found.best("electricity_cost") == set()


def test_table_csv_and_figure_are_written(sweep, tmp_path):
    found = compare([sweep])
    found.write_csv(tmp_path / "compare.csv")
    draw(found, tmp_path)
    with (tmp_path / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["finished"] * 3 + ["failed: RunError: it burnt"]
    assert [float(row["cooling.supply_c"]) for row in rows[:3]] == [18.0, 22.0, 26.0]
    summary = json.loads((sweep / "0" / "summary.json").read_text())
    assert float(rows[0]["pue"]) == summary["pue"]
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_a_group_chosen_stands_before_the_keys_that_come_with_it(sweep, tmp_path):
    folder = shutil.copytree(sweep, tmp_path / "copy")
    shutil.rmtree(folder / "3")
    for k, name in enumerate(("chilled_air", "rear_door", "rear_door")):
        (folder / str(k) / ".hydra" / "overrides.yaml").write_text(f"- cooling={name}\n")
    found = compare([folder])
    assert found.varied == ["cooling", "cooling.supply_c"]
    assert found.label(found.entries[1], 1) == "rear_door"


def test_the_table_keeps_within_the_terminal(sweep):
    for width in (60, 80, 120, 200):
        assert max(len(line) for line in printed(compare([sweep]), width).splitlines()) <= width


def test_nothing_to_compare_is_said_with_the_reasons(sweep, tmp_path):
    with pytest.raises(InputFileError, match="it burnt"):
        compare([sweep / "3"])
    with pytest.raises(InputFileError, match="not a run folder"):
        compare([tmp_path])
    with pytest.raises(InputFileError, match="no such folder"):
        compare([tmp_path / "nowhere"])


def test_runs_that_are_all_alike_have_no_best_and_no_word_about_one(sweep, tmp_path):
    for name in "ab":
        shutil.copytree(sweep / "0", tmp_path / name)
    text = printed(compare([tmp_path]))
    assert "*" not in text
    assert "best" not in text


def test_an_empty_a_foreign_and_a_half_written_folder_are_told_apart(sweep, tmp_path):
    empty, foreign = tmp_path / "empty", tmp_path / "foreign"
    empty.mkdir(), foreign.mkdir()
    (foreign / "thesis.pdf").write_bytes(b"%PDF")
    for folder in (empty, foreign):
        with pytest.raises(InputFileError, match=f"{folder.name}.*not a run folder"):
            compare([folder])
    half = shutil.copytree(sweep / "0", tmp_path / "half")
    (half / "summary.json").unlink()
    with pytest.raises(InputFileError, match=r"half.*summary\.json"):
        compare([half])
    found = compare([sweep / "0", sweep / "1", half])
    assert len(found.entries) == 2
    assert [path for path, _ in found.failures] == [half]
    assert "half" in printed(found, 300)


def test_a_scorecard_that_is_cut_off_is_named(sweep, tmp_path):
    run = shutil.copytree(sweep / "0", tmp_path / "run")
    text = (run / "summary.json").read_text()
    (run / "summary.json").write_text(text[: len(text) // 2])
    with pytest.raises(InputFileError, match=r"summary\.json"):
        compare([run])


def test_many_runs_are_drawn_as_dots(sweep, tmp_path):
    found = compare([sweep])
    found.entries = found.entries * 12
    from twin.plot.comparison import draw

    assert draw(found, tmp_path).stat().st_size > 10_000


def test_names_that_look_like_markup_are_shown_as_they_are(sweep):
    found = compare([sweep])
    found.entries[0].name = "[bold]x[/]"
    found.entries[0].config["cooling.supply_c"] = "[red]18"
    text = printed(found)
    assert "[bold]x[/]" in text and "[red]18" in text


def test_runs_that_are_alike_are_read_but_once(sweep, tmp_path, monkeypatch):
    from twin.results import compare as module

    for k in range(40):
        shutil.copytree(sweep / str(k % 3), tmp_path / str(k))
        config = tmp_path / str(k) / "config.yaml"
        config.write_text(config.read_text() + f"extra:\n  number: {k}\n")
    read = []
    parse = module.parse_yaml
    module._flat_part.cache_clear()
    monkeypatch.setattr(module, "parse_yaml", lambda *a, **k: read.append(a) or parse(*a, **k))
    found = compare([tmp_path])
    assert "extra.number" in found.varied and "cooling.supply_c" in found.varied
    assert found.entries[7].config == flatten(Run.open(tmp_path / "7").config(typed=False))
    parts = len(config.read_text().split("\n"))
    assert len(read) < 40 + parts, "what runs share is parsed for each of them"


def test_a_configuration_by_another_hand_is_read_whole(sweep, tmp_path):
    shutil.copytree(sweep / "0", tmp_path / "0")
    (tmp_path / "0/config.yaml").write_text("a: &x\n  b: 1\nc: *x\n")
    assert compare([tmp_path]).entries[0].config == {"a.b": "1", "c.b": "1"}


def test_runs_of_two_versions_are_told(sweep, tmp_path):
    folder = shutil.copytree(sweep, tmp_path / "copy")
    record = json.loads((folder / "0/run.json").read_text())
    (folder / "0/run.json").write_text(json.dumps({**record, "twin": "0.0.9"}))
    assert "made by twin 0.0.9, others by another version" in printed(compare([folder]), 300)


def said(folder, words, **chosen):
    (folder / ".hydra").mkdir(exist_ok=True)
    (folder / ".hydra/overrides.yaml").write_text(json.dumps(words))
    (folder / ".hydra/hydra.yaml").write_text(
        json.dumps({"hydra": {"runtime": {"choices": chosen}}})
    )


def test_a_choice_that_one_run_says_and_another_takes_anyhow_tells_nothing(sweep, tmp_path):
    folder = shutil.copytree(sweep, tmp_path / "copy")
    said(folder / "0", ["cooling=chilled_air", "output=data_only"], cooling="chilled_air")
    said(folder / "1", ["scenario=x"], cooling="chilled_air")
    found = compare([folder / "0", folder / "1"])
    assert found.telling == ["cooling.supply_c"]
    said(folder / "2", ["cooling=immersion"], cooling="immersion")
    found = compare([folder / "1", folder / "2"])
    assert "cooling" in found.telling and "scenario" not in found.telling


def with_lines(folder, *lines):
    config = folder / "config.yaml"
    kept = [line for line in config.read_text().splitlines() if not line.startswith("gpu:")]
    config.write_text("\n".join([*kept, *lines]) + "\n")


def test_designs_of_another_gpu_are_reminded_that_their_jobs_take_as_long(sweep, tmp_path):
    folder = shutil.copytree(sweep, tmp_path / "copy")
    for name, tflops in (("0", 312), ("1", 989)):
        streams = "{a: {kind: training.TrainingJobs}}"
        work = f"workload: {{kind: mix.Mix, streams: {streams}}}"
        with_lines(folder / name, f"gpu: {{peak_tflops: {tflops}}}", work)
    shown = printed(compare([folder / "0", folder / "1"]), 300)
    assert (
        "told in GPU time and take as long on any GPU: no told_for in workload.streams.a" in shown
    )
    with_lines(folder / "1", "gpu: {peak_tflops: 312}")
    assert "GPU time and" not in printed(compare([folder / "0", folder / "1"]), 300)


def test_jobs_told_for_a_gpu_are_not_reminded(sweep, tmp_path):
    folder = shutil.copytree(sweep, tmp_path / "copy")
    told = "{kind: training.TrainingJobs, told_for: {peak_tflops: 312}}"
    replay = "{kind: trace.TraceReplay, told_for: null}"
    for name, bandwidth in (("0", 3.35), ("1", 4.8)):  # of equal peak: H100 and H200
        gpu = f"gpu: {{peak_tflops: 989, memory_bandwidth_tb_per_s: {bandwidth}}}"
        work = f"workload: {{kind: mix.Mix, streams: {{told: {told}, replay: {replay}}}}}"
        with_lines(folder / name, gpu, work)
    shown = printed(compare([folder / "0", folder / "1"]), 300)
    assert "no told_for in workload.streams.replay" in shown
    assert "streams.told" not in shown.partition("no told_for")[2]


def test_work_that_is_worked_out_for_its_gpu_is_not_reminded(sweep, tmp_path):
    folder = shutil.copytree(sweep, tmp_path / "copy")
    for name, tflops in (("0", 312), ("1", 989)):
        gpu = f"gpu: {{peak_tflops: {tflops}}}"
        with_lines(folder / name, gpu, "workload: {kind: training_run.TrainingRun}")
    assert "GPU time and" not in printed(compare([folder / "0", folder / "1"]), 300)


def test_runs_of_unequal_length_are_told(sweep, tmp_path):
    short = make_run(tmp_path / "short", days=0.125, beat_s=300.0)
    shown = printed(compare([sweep / "0", short]), 300)
    assert "short: lasts 3.00 h, not 6.00 h as " in shown and "unequal times" in shown


def test_a_figure_and_its_unit_stay_on_one_line(sweep):
    lines = [line.strip() for line in printed(compare([sweep]), width=100).splitlines()]
    assert "*" not in lines and "CNY/GPU-h *" not in lines
    assert "* the best of its column" in lines
