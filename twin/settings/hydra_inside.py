"""What the twin takes from the inside of Hydra, all of it.

Hydra offers it nowhere else: the parser of its command line, so that ours reads one as it does;
what it asks of the ``callbacks`` in a :class:`~hydra.types.HydraContext`; and where its own
plugins live. A release of Hydra that moves them is felt in this file alone.
"""

from hydra._internal.callbacks import Callbacks
from hydra._internal.utils import get_args_parser

__all__ = ["OWN_PLUGINS", "Callbacks", "get_args_parser"]

OWN_PLUGINS = "hydra._internal.core_plugins."
"""How the path of a class begins that is a plugin of Hydra itself."""
