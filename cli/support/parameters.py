"""The forms of a command's parameters: its name for people, and what it means."""

from typing import Any

import typer


def option(metavar: str, help_text: str, *names: str) -> Any:
    """Return an option with a value."""
    return typer.Option(*names, metavar=metavar, help=help_text)


def flag(name: str, help_text: str) -> Any:
    """Return an option without a value, or with one of an enumeration."""
    return typer.Option(name, help=help_text)


def argument(metavar: str, help_text: str) -> Any:
    """Return a positional argument."""
    return typer.Argument(metavar=metavar, help=help_text)
