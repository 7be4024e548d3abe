"""``twin`` with a simulation that takes no time: ``python with_fake_run.py OVERRIDES...``.

What a design does is its seed: most finish, some fail in the ways real ones do.
"""

import json
import os
import signal
import sys
import time
import types

from twin.errors import ConfigError, RunError

RAISES, EXITS, IS_KILLED, HANGS, IS_WRONG = 11, 12, 13, 14, 15


def check(config):
    if config["clock"]["seed"] == IS_WRONG:
        raise ConfigError("clock.seed=15: must be something else")


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
    if seed == HANGS:
        (folder / "hanging").touch()
        time.sleep(60)
    (folder / "run.json").write_text("{}", encoding="utf-8")
    (folder / "summary.json").write_text(json.dumps({"seed": seed}), encoding="utf-8")
    return {"seed": seed}


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


if __name__ == "__main__":
    fake("twin.run", check=check, execute=execute)
    fake("twin.results.terminal", summary_table=lambda summary: "the table")
    fake("twin.results.compare", compare=Compared)
    fake("twin.plot.comparison", draw=lambda found, folder: None)
    from twin.__main__ import main

    sys.exit(main())
