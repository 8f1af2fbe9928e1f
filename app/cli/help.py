"""How every command shows itself: -h at every level, options without noise, examples below; completion for shells."""

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import typer
from rich.markup import escape
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

Run = TypeVar("Run", bound=Callable[..., Any])


class Shell(StrEnum):
    """A shell that can complete what is typed."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class Heading(StrEnum):
    """Under what a command is listed."""

    SET_UP = "Set up"
    RUN = "Run"
    ACT = "Look and act"
    KEEP = "Keep"


def _without_noise(parameters: Sequence[Any]) -> list[Any]:
    """Have what is typed shown by its name alone: a switch has no value, and every argument is a text."""
    for one in parameters:
        is_switch = isinstance(one, TyperOption) and one.is_flag
        if is_switch or (isinstance(one, TyperArgument) and not one.type_descriptor.is_choice):
            one.display_type_rich = _nothing
    return list(parameters)


def _nothing(ctx: Any) -> None:  # noqa: ARG001 - what it stands in for is asked with it
    return None


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_noise(super().get_params(ctx))


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_noise(super().get_params(ctx))


class Commands(typer.Typer):
    """A group of commands that all show themselves alike. None shows a traceback: it could hold a value."""

    def __init__(self, text: str = "") -> None:
        super().__init__(
            cls=_Group,
            help=text,
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )

    def command(  # type: ignore[override]  # the class and what stands below are ours
        self, name: str | None = None, *, heading: Heading | None = None, examples: Sequence[str] = ()
    ) -> Callable[[Run], Run]:
        """Add a command; its examples, each without the name of the program, stand below its help.

        heading  under what it is listed; below a group none is needed
        """
        lines = "\n".join(escape(f"chronobridge {one}") for one in examples)
        return super().command(name, cls=_Command, epilog=f"Examples:\n{lines}", rich_help_panel=heading)


def print_version(is_asked: bool) -> None:
    """Print which version this is, and end, where that is asked."""
    if not is_asked:
        return
    try:
        print(f"chronobridge {version('chronobridge')}")
    except PackageNotFoundError:
        print("chronobridge, not installed: run from a checkout")
    raise typer.Exit


def print_completion(shell: Shell) -> None:
    """Print the script that has a shell complete our commands."""
    from app.compat import completion_script

    sys.stdout.write(completion_script("chronobridge", shell.value) + "\n")
