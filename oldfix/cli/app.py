"""The ``oldfix`` command: its subcommands, and those that plugins add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from oldfix.cli import (
    age,
    bench,
    demo,
    doctor,
    evaluate,
    plan,
    plugins,
    restore,
    run,
    stages,
    train,
    weights,
)
from oldfix.cli.commands import Commands, leave
from oldfix.cli.console import say, tell

_COMMANDS: tuple[tuple[str, Callable[..., None], str], ...] = (
    ("restore", restore.restore, "restore photo.jpg album/ --faces --colorize -o restored/"),
    ("run", run.run, "run photo.jpg --step detect-scratches --step fill-defects-classical"),
    ("plan", plan.plan, "plan --faces --set detect-faces.min_size_px=32"),
    ("stages", stages.stages, "stages detect-scratches"),
    ("plugins", plugins.plugins, "plugins --json"),
    ("doctor", doctor.doctor, "doctor"),
    ("demo", demo.demo, "demo grandma.jpg -o out/grandma"),
    ("age", age.age, "age photo.jpg --seed 3 --truth"),
    ("train", train.train, "train pikfix-s --data photographs/ --minutes 40"),
    ("eval", evaluate.evaluate, "eval restore --data photographs/"),
    ("bench", bench.bench, "bench --megapixels 1 --threads 2"),
)


def build_app() -> typer.Typer:
    """Return the command line with the commands of every plugin that works."""
    app = typer.Typer(
        name="oldfix",
        cls=Commands,
        add_completion=False,
        rich_markup_mode=None,
        epilog="Example: oldfix restore photo.jpg --faces --colorize",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_start)
    for name, function, example in _COMMANDS:
        app.command(name, epilog=f"Example: oldfix {example}")(function)
    app.add_typer(weights.app, name="weights")
    _add_commands_of_plugins(app)
    return app


def main() -> None:
    """Run the command line; what ``oldfix`` and ``python -m oldfix`` call."""
    build_app()()


def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Restore old photographs: scratches, the whole picture, faces and colour."""
    from oldfix import __version__

    if version:
        say(f"oldfix {__version__}")
        leave(0)
    if context.invoked_subcommand is None:
        say(context.get_help())


def _add_commands_of_plugins(app: typer.Typer) -> None:
    from oldfix.registry import discover

    for plugin in discover().plugins:
        try:
            plugin.add_commands(app)
        except Exception as error:  # a plugin's code may raise anything
            tell(f"oldfix: plugin {plugin.name} could not add its commands ({error})")
