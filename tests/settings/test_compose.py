"""Finding and composing configuration, in a checkout and in an installed package."""

import shutil

import pytest
from omegaconf.basecontainer import BaseContainer

from twin.errors import ConfigError
from twin.settings import catalogue, compose, refusals


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TWIN_SCENARIOS", raising=False)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nothing_asked_for_is_the_driving_centre():
    config = compose.load()
    assert config["scenario"]["name"] == "mana_oasis"
    assert set(config) == {"scenario", *catalogue.GROUPS}


def test_the_command_line_wins_over_the_scenario_and_the_scenario_over_conf(own_folder):
    write(
        own_folder / "scenarios/mine.yaml",
        "defaults: [override /scheduling: fcfs, override /clock: day]\nclock: {seed: 4}\n",
    )
    config = compose.load(["scenario=mine"])
    assert config["scheduling"]["kind"].startswith("fcfs.")
    assert (config["clock"]["duration_days"], config["clock"]["seed"]) == (1, 4)

    config = compose.load(["scenario=mine", "scheduling=easy", "clock.seed=9"])
    assert config["scheduling"]["kind"].startswith("easy.")
    assert config["clock"]["seed"] == 9


def test_a_scenario_can_build_on_another_and_bears_its_own_name(own_folder):
    write(
        own_folder / "scenarios/hotter.yaml",
        "defaults: [mana_oasis, _self_]\nclock: {duration_days: 2}\n",
    )
    config = compose.load(["scenario=hotter"])
    assert config["scenario"]["name"] == "hotter"
    assert config["clock"]["duration_days"] == 2


def test_a_scenario_may_lie_in_a_subfolder(own_folder):
    write(own_folder / "scenarios/deep/down.yaml", "scenario:\n  question: How deep?\n")
    assert compose.load(["scenario=deep/down"])["scenario"]["name"] == "down"
    assert "deep/down" in catalogue.scenario_files()


def test_the_nearest_scenario_of_a_name_is_taken(own_folder, monkeypatch):
    def question():
        return compose.load(["scenario=mana_oasis"])["scenario"]["question"]

    bundled = question()
    write(own_folder / "scenarios/mana_oasis.yaml", "scenario: {question: nearer}\n")
    assert question() == "nearer" != bundled
    write(own_folder / "elsewhere/mana_oasis.yaml", "scenario: {question: nearest}\n")
    monkeypatch.setenv("TWIN_SCENARIOS", "elsewhere")
    assert question() == "nearest"
    assert catalogue.question(catalogue.scenario_files()["mana_oasis"]) == "nearest"


def test_values_may_set_keys_that_no_file_mentions():
    assert compose.open_keys(
        [
            "a.b=1",
            "a.b.c-d=[1]",
            "+a.b=1",
            "~a.b",
            "cooling=x",
            "hydra.run.dir=x",
            "hydra/a=x",
            "-m",
        ]
    ) == [
        "++a.b=1",
        "++a.b.c-d=[1]",
        "+a.b=1",
        "~a.b",
        "cooling=x",
        "hydra.run.dir=x",
        "hydra/a=x",
        "-m",
    ]


def test_references_between_keys_are_resolved():
    config = compose.load(["clock.seed=7", "clock.replications=${clock.seed}"])
    assert config["clock"]["replications"] == 7


def test_what_may_be_called_in_a_file_is_what_is_listed():
    compose.load()
    known = BaseContainer._resolvers
    assert set(refusals.RESOLVERS) == set(known) - {"oc.env"}


@pytest.mark.parametrize("reading", ["${oc.env:PATH}", "${oc.${scenario.part}:PATH}"])
def test_a_file_cannot_read_the_environment(own_folder, reading):
    write(
        own_folder / "scenarios/curious.yaml",
        f"clock: {{start: '{reading}'}}\nscenario: {{part: env}}\n",
    )
    with pytest.raises(ConfigError, match="not available"):
        compose.load(["scenario=curious"])


def test_trusted_logging_and_plugins_pass():
    compose.check_machinery(compose.compose([]).config)
    ready = compose.compose(["hydra/launcher=basic", "hydra/job_logging=default"])
    compose.check_machinery(ready.config)


@pytest.mark.parametrize(
    "override",
    [
        "hydra.launcher._target_=os.system",
        "hydra.sweeper._target_=twin.x",
        "+hydra.x._target_=hydra_plugins.twin.PoolLauncher",
        "+hydra.job_logging.formatters={x:{'()':os.system}}",
        "+hydra.hydra_logging.handlers={x:{class:logging.os.system}}",
        "+hydra.job_logging.handlers={x:{stream:'ext://os.environ'}}",
    ],
)
def test_hydra_and_logging_call_nothing_of_a_users_choice(override):
    with pytest.raises(ConfigError):
        compose.check_machinery(compose.compose([override]).config)


@pytest.mark.parametrize(
    "override",
    [
        "+hydra.job.env_set={PATH:/tmp/bin}",
        "+hydra.job_logging.handlers={x:{class:logging.FileHandler,filename:/tmp/x,mode:w}}",
        "hydra.output_subdir=../../x",
        "hydra.output_subdir=/tmp/x",
        "hydra.job.name=../x",
    ],
)
def test_nothing_is_written_elsewhere_and_the_environment_stays(override):
    with pytest.raises(ConfigError, match="not allowed; configuration is data"):
        compose.check_machinery(compose.compose([override]).config)


def test_an_installed_package_carries_its_own_files(own_folder, monkeypatch):
    package = own_folder / "site-packages/twin"
    shutil.copytree(catalogue.data_dir("conf"), package / "_data/conf")
    shutil.copytree(catalogue.data_dir("scenarios"), package / "_data/scenarios")
    monkeypatch.setattr(catalogue, "__file__", str(package / "settings/catalogue.py"))

    assert catalogue.data_dir("conf") == package / "_data/conf"
    assert catalogue.scenario_folders() == [package / "_data/scenarios"]
    assert compose.load()["scenario"]["name"] == "mana_oasis"


def test_scenarios_of_the_checkout_are_listed_once(monkeypatch):
    monkeypatch.chdir(catalogue.data_dir("scenarios").parent)
    assert catalogue.scenario_folders() == [catalogue.data_dir("scenarios")]


def test_every_part_of_the_table_of_contents_is_explained():
    text = (catalogue.data_dir("conf") / "config.yaml").read_text()
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    listed = [line[2:].split(":")[0] for line in lines if line.startswith("- ")]
    parts = [name for name in listed if name not in ("_self_",) and not name.startswith("override")]
    assert parts == [*catalogue.GROUPS, "scenario"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("facility: [1]", r"facility=\[1\]: must be a mapping of keys"),
        ("cooling: {chillers: [a]}", r"cooling\.chillers=\['a'\]: must be a mapping of keys"),
        ("site: {monthly_mean_c: {a: 1}}", r"site\.monthly_mean_c=\{'a': 1\}: must be a list"),
    ],
)
def test_a_list_for_a_mapping_is_told_with_file_and_key(own_folder, said, told):
    write(own_folder / "scenarios/odd.yaml", f"defaults: [mana_oasis, _self_]\n{said}\n")
    with pytest.raises(ConfigError, match=rf"odd\.yaml: {told}$"):
        compose.load(["scenario=odd"])


def test_on_the_command_line_too():
    with pytest.raises(ConfigError, match=r"^cooling\.containments=\['hot'\]: must be a mapping"):
        compose.load(["cooling.containments=[hot]"])


def test_what_is_there_is_not_added():
    with pytest.raises(ConfigError, match=r"^\+cooling\.supply_c: is there already; write cool"):
        compose.load(["+cooling.supply_c=20"])


def test_defaults_that_are_no_list_are_refused(own_folder):
    write(own_folder / "scenarios/odd.yaml", "defaults: mana_oasis\nclock: {seed: 1}\n")
    with pytest.raises(ConfigError, match=r"odd\.yaml: defaults: mana_oasis: must be a list"):
        compose.load(["scenario=odd"])


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"a": "[a]"}, "scenario/a -> scenario/a"),
        ({"a": "[b]", "b": "[mana_oasis, a]"}, "scenario/a -> scenario/b -> scenario/a"),
        ({"a": "[deep/b]", "deep/b": "[/scenario/a]"}, "/a -> scenario/deep/b -> scenario/a"),
    ],
)
def test_files_that_build_on_each_other_are_named(own_folder, files, circle):
    for name, defaults in files.items():
        write(own_folder / f"scenarios/{name}.yaml", f"defaults: {defaults}\n")
    with pytest.raises(ConfigError, match=rf"scenarios/a\.yaml: builds on itself: .*{circle}$"):
        compose.load(["scenario=a"])


def test_what_builds_on_a_circle_names_the_circle_alone(own_folder):
    for name, base in {"begin": "a", "a": "b", "b": "a"}.items():
        write(own_folder / f"scenarios/{name}.yaml", f"defaults: [{base}]\n")
    with pytest.raises(ConfigError, match=r"itself: scenario/a -> scenario/b -> scenario/a$"):
        compose.load(["scenario=begin"])


def test_a_scenario_that_is_not_text_is_named(own_folder):
    write(own_folder / "scenarios/bad.yaml", "")
    (own_folder / "scenarios/bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"bad\.yaml: must be text in UTF-8"):
        compose.load(["scenario=bad"])


def test_a_folder_that_cannot_be_made_is_named():
    error = FileNotFoundError(2, "No such file or directory", "outputs")
    assert refusals.explain(error) == "outputs: No such file or directory"


def test_in_a_checkout_of_the_twin_its_own_choices_are_not_taken_for_the_users(
    tmp_path, monkeypatch
):
    """As where an installed twin is called in the folder it was installed from."""
    shutil.copytree(catalogue.data_dir("conf"), tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    assert catalogue.own_conf() is None
    assert compose.load()["scenario"]["name"] == "mana_oasis"
