"""When things happened in a run."""

from __future__ import annotations

from twin.errors import ConfigError, suggest
from twin.results.run_folder import Run


def seconds_between(run: Run, first: str, then: str) -> float:
    """Return the time from the first event of one kind to the first of another [s]."""
    events = run.events()
    kinds = events["kind"].tolist()
    for kind in (first, then):
        if kind not in kinds:
            raise ConfigError(f"{kind}: no such event in this run; {suggest(kind, set(kinds))}")
    at_s = events["at_s"]
    return float(at_s[kinds.index(then)] - at_s[kinds.index(first)])
