"""The commands as a user meets them: what they print, how they end, what they leave."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.synthetic_run import make_run
from twin import cli, commands
from twin.__main__ import guarded, main
from twin.errors import ConfigError
from twin.files import alone_in

ROOT = Path(__file__).resolve().parent.parent
FAKE = Path(__file__).with_name("with_fake_run.py")
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Each test starts in an empty folder, and leaves the interpreter as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["twin"])
    monkeypatch.delenv("TWIN_SCENARIOS", raising=False)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    return tmp_path


@pytest.fixture
def twin(capsys):
    """Run ``twin`` in this process; return its exit status and what it said."""

    def run(*words):
        status = main(words)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def scenario(folder, name, text):
    (folder / "scenarios").mkdir(exist_ok=True)
    (folder / f"scenarios/{name}.yaml").write_text(text)


# ---- bad input: exit 2, one clear message, no traceback, nothing left ---------

UNFOLDING = "a: &a [x, x]\n" + "".join(
    f"{to}: &{to} [*{of}, *{of}, *{of}, *{of}]\n" for of, to in pairwise("abcdefghijkl")
)
"""Some lines that stand for eight million values."""

REFUSED = {
    "unknown key": (["facility.gpsu=3"], r"facility\.gpsu=3: unknown key; did you mean 'gpus'\?"),
    "unknown key smuggled in by +": (["+facility.gpsu=3"], r"facility\.gpsu=3: unknown key"),
    "unknown part": (["coolng=chilled_air"], r"coolng: unknown key; did you mean 'cooling'\?"),
    "unknown part smuggled in by +": (["+coolng.x=1"], r"coolng=.*unknown key; did you mean 'coo"),
    "unknown choice": (["scheduling=eassy"], r"scheduling=eassy: .*did you mean 'easy'\?.*fcfs"),
    "unknown scenario": (
        ["scenario=mana_oasi"],
        r"scenario=mana_oasi: .*'mana_oasis'\?.* and \d+ others: twin --help",
    ),
    "unknown model": (["cooling.kind=magic.Box"], r"cooling\.kind='magic\.Box': no such model"),
    "code as a model": (["cooling.kind=os.system"], r"cooling\.kind='os\.system': no such model"),
    "code by Hydra": (["+cooling._target_=os.system"], r"cooling\._target_=.*is data"),
    "code by a callback": (["+hydra.callbacks.x._target_=os.system"], r"hydra\.callbacks"),
    "code by logging": (
        ["+hydra.job_logging.handlers={x:{class:os.system}}"],
        r"hydra\.job_logging\.handlers\.x\.class='os\.system': not allowed",
    ),
    "the environment": (["clock.start=${oc.env:HOME}"], r"clock\.start=\$\{oc\.env:.*not availab"),
    "a missing reference": (["clock.seed=${clock.sed}"], r"clock\.seed: .*'clock\.sed' not found"),
    "wrong type": (["clock.seed=abc"], r"clock\.seed='abc': must be a whole number"),
    "nothing": (["facility.gpus=null"], r"facility\.gpus=null: must be a whole number"),
    "out of range": (["clock.duration_days=-1"], r"clock\.duration_days=-1: must be > 0"),
    "negative power": (["gpu.gpu_idle_w=-5"], r"gpu\.gpu_idle_w=-5: must be"),
    "not a date": (["clock.start=soon"], r"clock\.start='soon': must be a date and time"),
    "rack over its rating": (["rack.rated_kw=5"], r"rack\.rated_kw=5: must be >= 13"),
    "uneven interval": (["output.interval_s=100"], r"output\.interval_s=100: must be a multiple"),
    "missing weather file": (["site.weather_path=/nope.epw"], r"/nope\.epw"),
    "missing trace": (["scenario=philly_replay", "workload.path=/nope.csv"], r"/nope\.csv"),
    "no trace": (["scenario=philly_replay"], r"workload\.path: is required"),
    "no equals sign": (["clock"], r"'clock': cannot be read; write key=value"),
    "a bare scenario": (
        ["chiller_trip"],
        r"'chiller_trip': .*did you mean scenario=chiller_trip\?",
    ),
    "a bare choice": (["immersion"], r"'immersion': .*did you mean cooling=immersion\?"),
    "Fahrenheit": (["cooling.supply_c=64"], r"cooling\.supply_c=64: must be >= 5 and <= 45"),
    "watts for kilowatts": (
        ["rack.rated_kw=13000"],
        r"rack\.rated_kw=13000: must be > 0 and <= 2000",
    ),
    "several values": (["clock.seed=1,2"], r"clock\.seed=1,2: several values; add --multirun"),
    "a part removed": (["~cooling"], r"~cooling: no part can be left out; choose another with"),
    "unknown key of Hydra": (["hydra.run.dri=x"], r"hydra\.run\.dri: unknown key"),
    "a folder of choices": (["--config-dir=/tmp"], r"--config-dir: not available"),
    "a pickled run": (["--experimental-rerun=x"], r"--experimental-rerun: not available"),
    "no folder": (["hydra.run.dir="], r"hydra\.run\.dir=: must name a folder"),
    "a folder that cannot be": (["hydra.run.dir='a\0b'"], r"hydra\.run\.dir='a\\x00b': must name"),
    "a folder as weather": (["site.weather_path=/"], r"site\.weather_path=/: is a folder"),
    "a folder as trace": (["scenario=philly_replay", "workload.path=/"], r"^/: is a folder"),
    "no key": (["=3"], r"^'=3': names no key; write group=choice or group\.key=value\n$"),
    "a number as a choice": (["rack=20"], r"rack=20: a group is set to .* as rack=20kw; a value"),
    "nothing as a choice": (["site=null"], r"site=null: a group is set to the name of a choice"),
    "a path as a choice": (["site=../x"], r"^site=\.\./x: must be a name, not a path; .*conf/site"),
    "a path as a scenario": (["scenario=/tmp/x"], r"^scenario=/tmp/x: must be a name, not a path"),
    "a path in a sweep": (["-m", "site=baoding,../x"], r"^site=\.\./x: must be a name"),
    "a part chosen twice": (["+site=baoding"], r"^\+site=baoding: site is always chosen; write"),
    "a part left out that is not chosen": (["~site=x"], r"^~site=x: no part can be left out"),
    "a key left out that is none": (["~foo"], r"^~foo: there is no such key to leave out\n$"),
    "a key left out by another value": (["~clock.seed=3"], r"^~clock\.seed=3: is 0; write ~clock"),
    "a drawn value": (["clock.seed=choice(1,2)"], r"several values; add --multirun"),
    "a mode of Hydra": (["hydra.mode=foo"], r"^hydra\.mode=foo: .*RUN, MULTIRUN"),
    "a group of Hydra": (["hydra/foo=nope"], r"^hydra/foo: unknown key of Hydra"),
    "a part without --cfg": (["--package", "rack"], r"^--package: goes with --cfg job"),
    "a part there is not": (
        ["--cfg", "job", "-p", "rak"],
        r"^--package rak: no such part; .*'rack'",
    ),
    "a view there is not": (["--cfg", "x"], r"^--cfg/-c: invalid choice: 'x'.*twin --help"),
    "a call that fails": (["clock.seed=${now:}"], r"^clock\.seed: what it refers to cannot be"),
    "a value still to come": (["clock.seed=???"], r"^clock\.seed: is required\n$"),
    "a device as trace": (["scenario=philly_replay", "workload.path=/dev/zero"], r"is a device"),
    "overrides around -m": (["site=../x", "-m", "rack=13kw"], r"^site=\.\./x: must be a name"),
    "a list of choices": (["rack=[13kw,20kw]"], r"^rack=\[13kw,20kw\]: .* name of a choice"),
    "lists in a sweep": (["-m", "rack=[13kw],26kw"], r"^rack=\[13kw\],26kw: .* name of a choice"),
    "keys of a part": (["rack={rated: 20}"], r"^rack\.rated=20: unknown key; .*'rated_kw'"),
    "code by a search path": (["hydra.searchpath=[pkg://this]"], r"not available; choices of your"),
    "an entry by almost its name": (
        ["workload.streams.pipline.fleet.vehicles=3"],
        r"^workload\.streams\.pipline: is new and incomplete; did you mean 'pipeline'\?\n$",
    ),
    "a fault by almost its name": (
        ["faults=chiller_trip", "faults.scheduled.afternon_trip.at_hours=3"],
        r"^faults\.scheduled\.afternon_trip: is new and .* did you mean 'afternoon_trip'\?\n$",
    ),
    "no such prices": (["site.tariff.price_path=x"], r"^site\.tariff\.price_path=x: no such file"),
    "several problems": (
        ["clock.seed=abc", "facility.gpsu=3"],
        r"(?s)facility\.gpsu.*clock\.seed|clock\.seed.*facility\.gpsu",
    ),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_configuration_is_refused_with_one_clear_message(twin, own_folder, words, message):
    status, out, err = twin(*words)

    assert status == 2
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert out == ""
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("twin", ["--fast"], "unrecognized arguments: --fast"),
        ("plot", ["--fast", "run"], "unrecognized arguments: --fast"),
        ("plot", [], "the following arguments are required: RUN"),
        ("compare", ["--fast", "run"], "unrecognized arguments: --fast"),
        ("compare", [], "the following arguments are required: DIR"),
        ("validate", ["--fast"], "unrecognized arguments: --fast"),
        ("validate", ["--workers", "0"], "--workers: 0: must be a whole number >= 1"),
        ("validate", ["--workers", "two"], "--workers: two: must be a whole number >= 1"),
        ("dash", ["--fast"], "unrecognized arguments: --fast"),
        ("dash", ["--port", "x"], "--port: x: must be a whole number >= 1"),
        ("export", ["--fast", "run"], "the following arguments are required: --vessim"),
        ("calibrate", ["--fast"], "unrecognized arguments: --fast"),
        ("calibrate", ["--hold-out", "x"], "--hold-out: invalid float value: 'x'"),
    ],
)
def test_wrong_use_of_any_command_is_one_line(capsys, monkeypatch, own_folder, name, words, said):
    monkeypatch.setattr("sys.argv", [name, *words])
    assert getattr(commands, name)() == 2
    whole = "twin" if name == "twin" else f"twin-{name}"
    assert capsys.readouterr() == ("", f"{said}; `{whole} --help` shows what there is\n")
    assert list(own_folder.iterdir()) == []


def test_a_port_there_is_not_is_refused(capsys):
    assert refused(capsys, cli.dash, "--port", "65536") == "--port 65536: must be 1 to 65535\n"


def test_nothing_is_loaded_before_ctrl_c_is_answered():
    code = "import sys; old = {*sys.modules}; import twin.commands; print(*{*sys.modules} - old)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=HERE, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == {"twin", "twin.commands"}


def test_ctrl_c_while_a_command_loads_ends_it(capsys, monkeypatch):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", interrupted)
    assert commands.twin() == 130
    assert capsys.readouterr() == ("", "Stopped.\n")


def test_ctrl_c_that_leads_to_another_error_is_still_ctrl_c(capsys):
    def lost():
        raise AttributeError

    def tidying():
        try:
            raise KeyboardInterrupt
        finally:
            lost()

    def explained():
        try:
            tidying()
        except AttributeError as error:
            raise ConfigError("no attribute") from error

    for command in (tidying, explained):
        assert guarded(command) == 130
        assert capsys.readouterr() == ("", "Stopped.\n")
    with pytest.raises(AttributeError):
        guarded(lost)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scenario: {question: [}\n", r"bad\.yaml:1:\d+: malformed YAML"),
        ("clock:\n  seed: 1\n seed: 2\n", r"bad\.yaml:3:\d+: malformed YAML"),
        ("clock: {seed: 1}\nclock: {seed: 2}\n", r"bad\.yaml:2:1: malformed YAML.*duplicate"),
        ("- mana_oasis\n", r"bad\.yaml:1: must be a mapping"),
        ("just words\n", r"bad\.yaml:1: must be a mapping"),
        ("", r"bad\.yaml:1: must be a mapping"),
        ("# to be written\n", r"bad\.yaml:1: must be a mapping"),
        (
            "defaults: [mana_oasis, override rack: 26kw]\n",
            r"bad\.yaml: override rack: must have a slash before the group, 'override /rack'",
        ),
        ("root:x:0:0\nnobody:x:1:1\n", r"bad\.yaml:1: must be a mapping of keys, as 'scen"),
        ("scenario: 3\n", r"scenario=3: must be a mapping"),
        ("scenario: {qestion: why}\n", r"scenario\.qestion='why': unknown key; .*'question'"),
        ("clok: {seed: 1}\n", r"clok=.*unknown key; did you mean 'clock'"),
        ("clock: {sed: 1}\n", r"clock\.sed=1: unknown key; did you mean 'seed'"),
        (
            "defaults: [mana_oasis, override /coolng: x]\n",
            r"bad\.yaml: override /coolng: there is no such group; did you mean 'cooling'",
        ),
        (
            "scenario: {published: [{row: a, metric: pu, value: 1, type: V, source: s, factor: 2}]}"
            "\n",
            r"scenario\.published\[0\]\.metric=pu: must be a figure; did you mean 'pue'",
        ),
        ("defaults: [override /cooling: magic]\n", r"cooling=magic: .*chilled_air"),
        (
            "defaults: [mana_oasi]\n",
            r"'scenario/bad': scenario=mana_oasi: .*did you mean 'mana_oasis'",
        ),
        ("defaults: 3\n", r"bad\.yaml: defaults: 3: must be a list, as \[mana_oasis"),
        ("defaults: [3]\n", r"bad\.yaml: defaults: 3: must be NAME"),
        ("defaults: [override /rack: 20]\n", r"bad\.yaml: defaults: .*20.*: must be NAME"),
        ("defaults: [rack: 20kw]\n", r"bad\.yaml: .* write 'override /rack: 20kw'"),
        ("defaults: [{override /rack: 20kw, x: y}]\n", r"bad\.yaml: defaults: .*must be NAME"),
        ("defaults: [../../etc]\n", r"bad\.yaml: defaults: \.\./\.\./etc: must be a name, not a"),
        ("defaults: [override /rack: ../gpu/a100]\n", r"bad\.yaml: .*must be a name, not a path"),
        ("x: !!python/object/apply:os.system [id]\n", r"bad\.yaml:1:4: malformed YAML"),
        ("scenario: {question: \0}\n", r"bad\.yaml: must be text in UTF-8"),
        ("x: " + "[" * 3000 + "]" * 3000, r"bad\.yaml: is nested too deeply"),
        ("clock: {null: 2}\n", r"^clock: every key must be a word"),
        (UNFOLDING, r"bad\.yaml: its aliases unfold to more than 100,000 values"),
        ("scenario: &a {more: [*a]}\n", r"bad\.yaml: its aliases unfold to more than"),
        ("hydra: {callbacks: {x: {_target_: os.system}}}\n", r"hydra\.callbacks: not allowed"),
        ("gpu: {_target_: os.system}\n", r"gpu\._target_='os\.system'.*is data"),
    ],
)
def test_a_wrong_scenario_file_is_refused(twin, own_folder, text, message):
    scenario(own_folder, "bad", text)

    status, _, err = twin("scenario=bad")

    assert status == 2
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert [path.name for path in own_folder.iterdir()] == ["scenarios"]


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["hydra.run.dir=taken"], r"hydra\.run\.dir=taken"),
        (["hydra.run.dir=taken/below"], r"hydra\.run\.dir=taken/below"),
        (["hydra.run.dir=/dev/full"], r"hydra\.run\.dir=/dev/full"),
        (["-m", "site=baoding,ulanqab", "hydra.sweep.dir=taken"], r"hydra\.sweep\.dir=taken"),
    ],
)
def test_what_is_no_folder_is_refused_as_the_place_of_results(twin, own_folder, words, key):
    (own_folder / "taken").write_text("a file")
    status, _, err = twin(*words)
    assert status == 2
    assert re.match(rf"{key}: cannot be written into: (File exists|Not a directory)\n$", err), err
    assert [path.name for path in own_folder.iterdir()] == ["taken"]


def test_a_scenario_that_leads_nowhere_is_not_offered(twin, own_folder):
    (own_folder / "scenarios").mkdir()
    (own_folder / "scenarios/gone.yaml").symlink_to("/no/such/file")
    (own_folder / "scenarios/folder.yaml").mkdir()
    assert not re.search(r"^  (gone|folder) ", twin("--help")[1], re.MULTILINE)
    status, _, err = twin("scenario=gone")
    assert status == 2
    assert "scenario=gone: there is no such choice" in err and "'gone'" not in err


def test_a_terminal_that_does_not_know_a_letter_shows_the_rest():
    code = "import sys; from twin.__main__ import guarded; sys.exit(guarded(lambda: print('3 m³')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**HERE, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 m?\n", "")


def test_a_full_disk_ends_with_one_line(monkeypatch, capsys):
    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x/error.txt.part")

    assert guarded(full) == 1
    said = capsys.readouterr().err
    assert said == "runs/x/error.txt.part: No space left on device; what was begun is kept\n"


def test_a_missing_folder_of_scenarios_is_refused(twin, monkeypatch):
    monkeypatch.setenv("TWIN_SCENARIOS", "/no/such/folder")
    status, _, err = twin()
    assert status == 2
    assert "TWIN_SCENARIOS=/no/such/folder" in err


# ---- help ----------------------------------------------------------------------


def test_help_teaches_scenarios_groups_and_examples(twin, own_folder):
    scenario(own_folder, "mine", "scenario:\n  question: Is it mine?\n")
    scenario(own_folder, "broken", "scenario: [\n")

    status, out, _ = twin("--help")

    assert status == 0
    assert "mana_oasis" in out
    assert "Is it mine?" in out
    assert "cannot be read" in out
    assert re.search(r"scheduling +who runs next\s+conservative, deadline, easy", out)
    assert "twin --multirun" in out


@pytest.mark.parametrize(
    "code",
    [
        "from twin.__main__ import main; main(['--help'])",
        "from twin.settings import compose; from twin.sweeps import grid; compose.load()",
        "import twin; twin.__version__; from twin import library",
    ],
)
def test_help_and_composing_load_no_numerics(code):
    heavy = "{'numpy', 'matplotlib', 'pyarrow', 'simpy', 'networkx'} & set(sys.modules)"
    code = f"import sys; {code}; sys.exit(', '.join({heavy}) or 0)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_configuration_can_be_shown_without_a_run(twin, own_folder):
    status, out, _ = twin("--cfg", "job", "clock.seed=5")
    assert status == 0
    assert "seed: 5" in out
    assert list(own_folder.iterdir()) == []


# ---- runs (the simulation itself is a fake here) ---------------------------------


def fake(folder, *words):
    return subprocess.run(
        [sys.executable, str(FAKE), *words],
        cwd=folder,
        env=HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_run_prints_its_summary_the_boundary_and_its_folder(own_folder):
    done = fake(own_folder, "clock.seed=3")

    (folder,) = own_folder.glob("outputs/mana_oasis/*")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "the table" in done.stdout
    assert "PUE = facility energy / IT energy" in done.stdout
    assert str(folder.relative_to(own_folder)) in done.stdout
    assert json.loads((folder / "summary.json").read_text())["seed"] == 3
    assert (folder / ".hydra/overrides.yaml").is_file()
    assert list(folder.glob("*.log")) == []


def test_a_run_goes_where_it_is_told_and_forgets_the_one_before(own_folder):
    assert fake(own_folder, "hydra.run.dir=here/there").returncode == 0
    assert (own_folder / "here/there/summary.json").is_file()

    done = fake(own_folder, "hydra.run.dir=here/there", "clock.seed=11")

    assert done.returncode == 1
    assert "the ledger does not close" in done.stderr
    assert not (own_folder / "here/there/summary.json").exists()
    assert "the ledger does not close" in (own_folder / "here/there/error.txt").read_text()


def test_a_folder_that_another_run_writes_into_is_left_as_it_is(own_folder):
    (own_folder / "here").mkdir()
    (own_folder / "here/summary.json").write_text("{}")
    with alone_in(own_folder / "here"):
        done = fake(own_folder, "hydra.run.dir=here")
    assert done.returncode == 2
    assert done.stderr == "here: another run or sweep is writing into it\n"
    assert [path.name for path in (own_folder / "here").iterdir()] == ["summary.json"]


def test_ctrl_c_says_what_is_kept(own_folder):
    with subprocess.Popen(
        [sys.executable, str(FAKE), "hydra.run.dir=run", "clock.seed=14"],
        cwd=own_folder,
        env=HERE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        end = time.monotonic() + 120
        while not (own_folder / "run/hanging").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        message = process.communicate(timeout=120)[1]

    assert process.returncode == 130
    assert "Kept in run: config.yaml, hanging; without summary.json it is not a finished" in message
    assert "Traceback" not in message


# ---- the other commands -----------------------------------------------------------


def refused(capsys, command, *words):
    status = command(words)
    said = capsys.readouterr()
    assert status == 2
    assert "Traceback" not in said.err
    return said.err


def half_a_run(folder):
    (folder / "run").mkdir()
    (folder / "run/config.yaml").write_text("clock: {start: '2023-07-03 00:00'}\n")
    return str(folder / "run")


def a_run(folder):
    name = half_a_run(folder)
    (folder / "run/summary.json").write_text('{"pue": 1.2, "simulated_days": 7.0}')
    return name


@pytest.mark.parametrize(
    "words, message",
    [
        (["--metric", "puee"], "--metric puee: no such figure; did you mean 'pue'?"),
        (["--metric", "pue,carbon"], "--metric carbon: no such figure; did you mean 'carbon_t'"),
        (["--metric", "currency"], "--metric currency: no such figure"),
        (["--series", "it_power"], "--series it_power: no such column; did you mean 'it_power_w'"),
    ],
)
def test_compare_names_the_nearest_figure_and_column(capsys, own_folder, words, message):
    assert message in refused(capsys, cli.compare, a_run(own_folder), *words)
    assert not (own_folder / "run/compare.csv").exists()


def test_compare_says_what_it_could_not_use(capsys, own_folder):
    for name in ("empty", "foreign"):
        (own_folder / name).mkdir()
    (own_folder / "foreign/thesis.txt").write_text("not a run")
    for name in ("empty", "foreign"):
        assert f"{name}: has no summary.json: it is not a run folder" in refused(
            capsys, cli.compare, name
        )


@pytest.mark.parametrize("command", [cli.plot, cli.compare])
def test_a_folder_without_a_finished_run_is_refused(capsys, own_folder, command):
    assert "nope" in refused(capsys, command, "nope")
    assert "summary.json" in refused(capsys, command, half_a_run(own_folder))


def test_plot_names_the_nearest_column(capsys, own_folder):
    message = refused(capsys, cli.plot, a_run(own_folder), "--series", "pue,it_power")
    assert "--series it_power: no such column; did you mean 'it_power_w'?" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "noon"], "--from noon: must be a time as"),
        (["--to", "2023-07-01"], "--to 2023-07-01: must not be before the run starts"),
        (["--from", "2d", "--to", "36h"], "--to 36h: must be after --from 2d"),
    ],
)
def test_plot_refuses_a_time_that_is_none(capsys, own_folder, words, message):
    assert message in refused(capsys, cli.plot, a_run(own_folder), *words)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90min", 5400.0),
        ("36h", 129600.0),
        ("2d", 172800.0),
        ("1.5 h", 5400.0),
        ("2023-07-03 12:00", 43200.0),
        ("2023-07-04", 86400.0),
    ],
)
def test_a_time_is_local_or_elapsed(own_folder, text, seconds):
    from twin.results.run_folder import Run

    assert cli.instant_s(text, "--from", Run.open(a_run(own_folder))) == seconds


def test_figures_for_print_are_asked_for_by_format(capsys, tmp_path):
    run = make_run(tmp_path / "run", days=0.25, beat_s=300.0)
    assert cli.plot([str(run), "--series", "pue", "--format", "svg,pdf"]) == 0
    assert {path.suffix for path in (run / "plots").iterdir()} == {".png", ".svg", ".pdf"}
    assert cli.plot([str(run), "--format", "gif"]) == 2
    assert "--format gif: must be svg or pdf" in capsys.readouterr().err
