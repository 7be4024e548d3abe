"""``twin`` with a simulation that takes no time: ``python with_fake_run.py OVERRIDES...``.

What a design does is its seed: most finish, some fail in the ways real ones do.
"""

import json
import os
import signal
import sys
import time
import types
from pathlib import Path

from twin.errors import ConfigError, RunError
from twin.identity import identity

RAISES, EXITS, IS_KILLED, IS_WRONG, UNKNOWN = 11, 12, 13, 15, 16
HANG = (14, 24)
"""Until a file ``go_on`` lies in the current folder."""


def check(config):
    if config["clock"]["seed"] == IS_WRONG:
        raise ConfigError("clock.seed=15: must be something else")
    if "gpsu" in config["facility"]:
        raise ConfigError("facility.gpsu: unknown key; did you mean 'gpus'?")


def execute(config, folder, progress=None, command=""):
    seed = config["clock"]["seed"]
    if progress is not None:
        progress(0.5)
    (folder / "config.yaml").write_text("half a run", encoding="utf-8")
    if seed == RAISES:
        raise RunError("the ledger does not close")
    if seed == EXITS:
        sys.exit(3)
    if seed == IS_KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed in HANG:
        (folder / "hanging").touch()
        end = time.monotonic() + 60
        while time.monotonic() < end and not Path("go_on").exists():
            time.sleep(0.05)
    (folder / "run.json").write_text(json.dumps({"identity": identity(config)}), encoding="utf-8")
    summary = figures(config)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    with Path("finished.log").open("a", encoding="utf-8") as log:
        log.write(f"{seed}\n")
    return summary


def figures(config):
    """Return a scorecard that is easy to foresee: a valley in the seed, a slope in the rack."""
    seed, rated_kw = config["clock"]["seed"], config["rack"]["rated_kw"]
    wait_s = None if seed == UNKNOWN else 10.0 * seed
    return {
        "seed": seed,
        "pue": 1.0 + (seed - 5) ** 2 / 100,
        "carbon_t": 100.0 - rated_kw,
        "cost_per_gpu_hour": rated_kw / 10,
        "wait_p95_s": wait_s,
        "currency": "CNY",
    }


def fake(name, **functions):
    module = types.ModuleType(name)
    vars(module).update(functions)
    sys.modules[name] = module


class Compared:
    def __init__(self, runs):
        self.runs = runs

    def __str__(self):
        return f"compared {len(self.runs)} runs"

    def write_csv(self, path):
        pass


def install():
    """Put the fakes in the place of what they stand for."""
    fake("twin.run", check=check, execute=execute)
    fake("twin.results.terminal", summary_table=lambda summary: "the table")
    fake("twin.results.compare", compare=Compared, Comparison=Compared, Entry=Compared)
    fake("twin.results.compare_page", write_page=lambda found, folder: None)
    fake("twin.plot.all", draw_comparison=lambda found, folder, metrics, series: None)


if __name__ == "__main__":
    install()
    from twin.__main__ import main

    sys.exit(main())
