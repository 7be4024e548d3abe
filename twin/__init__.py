"""A discrete-event digital twin of AI datacenters.

``twin.simulate(scenario, overrides)`` runs a study and returns a ``twin.Result``;
both are loaded when they are first asked for, so that ``import twin`` costs nothing.
"""

TYPE_CHECKING = False  # known to type checkers; loading typing would delay every command
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"
__all__ = ["Result", "__version__", "simulate"]


def __getattr__(name: str) -> "Any":
    """Load what the library offers when it is asked for."""
    if name in ("Result", "simulate"):
        import importlib

        return getattr(importlib.import_module("twin.library"), name)
    raise AttributeError(f"module 'twin' has no attribute {name!r}")
