"""What the twin takes from the inside of Hydra, all of it.

Hydra offers it nowhere else: the parser of its command line, so that ours reads one as it does;
what it asks of the ``callbacks`` in a :class:`~hydra.types.HydraContext`; where its own
plugins live; and where a merge failed. A release of Hydra that moves them is felt in this file
alone.
"""

from __future__ import annotations

from traceback import walk_tb
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.utils import get_args_parser
from omegaconf import Container, ListConfig, OmegaConf

__all__ = ["OWN_PLUGINS", "Callbacks", "clash", "get_args_parser"]

OWN_PLUGINS = "hydra._internal.core_plugins."
"""How the path of a class begins that is a plugin of Hydra itself."""


def clash(error: BaseException) -> tuple[str, Any, bool] | None:
    """Return the key at which a merge met a list for a mapping or the other way round.

    With what was said there, and whether a list belongs there; None if that is not what
    *error* is. It names no key itself: only the call that raised it knows.
    """
    calls = [frame.f_locals for frame, _ in walk_tb(error.__traceback__)]
    there, said = (calls[-1].get(name) if calls else None for name in ("self", "other"))
    if not (isinstance(there, Container) and isinstance(said, Container)):
        return None
    key = there._get_full_key(None)
    return key, OmegaConf.to_container(said, resolve=False), isinstance(there, ListConfig)
