"""Command lines that are refused as a configuration is: in one message, with exit status 2."""

from __future__ import annotations

import argparse
from typing import NoReturn

from twin.errors import ConfigError


def refuse(message: str, command: str) -> NoReturn:
    """Raise what argparse says of wrong use of *command* as a refusal of ours.

    Raises
    ------
    ConfigError
        Always.
    """
    said = message.removeprefix("argument ")
    raise ConfigError(f"{said}; `{command} --help` shows what there is")


class Arguments(argparse.ArgumentParser):
    """What a command takes; wrong use raises instead of printing how it is used and leaving."""

    def error(self, message: str) -> NoReturn:
        """Refuse wrong use."""
        refuse(message, self.prog)


def whole_number(text: str) -> int:
    """Return *text* as a whole number >= 1, in words of ours if it is none.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number >= 1")
    return int(text)
