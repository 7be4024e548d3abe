"""Where each command begins: nothing is loaded before Ctrl-C is answered."""

import sys

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def twin() -> int:
    """Simulate, or sweep."""
    return _begin("twin.__main__", "main")


def plot() -> int:
    """Redraw the figures of a run."""
    return _begin("twin.cli", "plot")


def compare() -> int:
    """Compare finished runs and sweeps."""
    return _begin("twin.cli", "compare")


def validate() -> int:
    """Check scenarios against what was published."""
    return _begin("twin.cli", "validate")


def dash() -> int:
    """Show runs on a local page."""
    return _begin("twin.cli", "dash")


def export() -> int:
    """Write the load of a run for another simulator."""
    return _begin("twin.export", "export")


def calibrate() -> int:
    """Fit a server to telemetry."""
    return _begin("twin.calibration.command", "main")


def _begin(module: str, command: str) -> int:
    """Load *module* and return the exit status of its *command*."""
    try:
        from importlib import import_module

        return int(getattr(import_module(module), command)())
    except KeyboardInterrupt:  # while it loads; what runs tells more
        sys.stderr.write("Stopped.\n")
        return INTERRUPTED
