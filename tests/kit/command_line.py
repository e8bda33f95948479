"""A command line, read as ``webpubsub`` reads it; nothing is started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from webpubsub.cli.commands import NAME, command

COMMANDS: Final = command.commands


def options_of(name: str) -> list[click.Option]:
    """Return the options of a command."""
    return [each for each in COMMANDS[name].params if isinstance(each, click.Option)]


def read_command_line(words: Sequence[str]) -> dict[str, Any]:
    """Return what a command gets when ``words`` stand after ``webpubsub``.

    Raises:
        click.UsageError: There is no such command or option, or it takes no such value.
    """
    name, *arguments = words
    with command.make_context(NAME, [name]) as parent:
        return COMMANDS[name].make_context(name, arguments, parent).params
