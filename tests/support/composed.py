"""Configurations for tests of what a run does: composed once for each set of choices.

Values are set on a copy, as the command line sets them, in a tenth of the time. What files
say and how they are found is tested with :func:`twin.settings.compose.load` itself.
"""

from copy import deepcopy
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from twin.settings import compose


@cache
def chosen(*choices: str) -> DictConfig:
    """Return what *choices* compose, its values still unresolved, without Hydra's part."""
    config = compose.compose(choices).config
    compose.check_machinery(config)
    with open_dict(config):
        del config["hydra"]
    return config


def composed(*words: str) -> dict[str, Any]:
    """Return what ``compose.load`` makes of *words*; the files must stay as they are."""
    choices = tuple(word for word in words if compose.open_keys([word]) == [word])
    config = deepcopy(chosen(*choices))
    values = [word for word in words if word not in choices]
    for value in OverridesParser.create().parse_overrides(values):
        OmegaConf.update(config, value.key_or_group, value.value(), merge=True, force_add=True)
    return compose.plain(config)
