"""``oldfix plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oldfix.cli.console import say, say_json, say_table
from oldfix.cli.options import AsJson, ChainFlags, Output, PlanFlags, PresetFlags, flat

if TYPE_CHECKING:
    from oldfix.cli.chains import Chain
    from oldfix.plan import PlannedStep

MaybePhotos = Annotated[
    list[str], typer.Argument(metavar="[PHOTO]", help="Photographs, to see what would be written.")
]


@flat
def plan(
    flags: PresetFlags,
    chain: ChainFlags,
    adjust: PlanFlags,
    photos: MaybePhotos = [],  # noqa: B006
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be done, or all that is wrong.

    Nothing is run, and no photograph is opened.

    Takes restore's flags, or -p or --step as run does. Photographs need not be named.
    """
    from oldfix.cli.chains import chosen_chain, preset_chain

    chosen = bool(chain.pipeline or chain.steps)
    planned = chosen_chain(chain, adjust) if chosen else preset_chain(flags, adjust)
    outputs = _outputs(photos, output)
    if as_json:
        say_json({**_content(planned), "outputs": outputs})
        return
    say_table(
        ("step", "stage", "plugin", "weights", "options"),
        ([str(cell) for cell in _row(planned, step).values()] for step in planned.plan.steps),
        title=planned.plan.pipeline.name,
    )
    for source, target in outputs.items():
        say(f"{source} -> {target}")


def _outputs(photos: list[str], output: Path | None) -> dict[str, str]:
    from oldfix.cli.outputs import name_outputs
    from oldfix.files.find import find_photos

    found, problems = find_photos(photos)
    if problems:
        raise problems[0]
    targets = name_outputs(found, output)
    return {str(one.path): str(target) for one, target in zip(found, targets, strict=True)}


def _content(chain: Chain) -> dict[str, Any]:
    return {
        "pipeline": chain.plan.pipeline.to_table(),
        "steps": [
            {
                "step": step.step.id,
                "stage": step.spec.name,
                "plugin": chain.plan.registry.owner(step.spec.name),
                "weights": list(step.cards),
                "options": step.options.model_dump(mode="json"),
                "blend": step.step.blend,
                "only": step.step.only or None,
            }
            for step in chain.plan.steps
        ],
        "given": {key.name: [str(path) for path in paths] for key, paths in chain.given.items()},
    }


def _row(chain: Chain, step: PlannedStep) -> dict[str, str]:
    """A step's cells; of its options those that were set."""
    settings = {**step.step.options}
    settings |= {"blend": step.step.blend} if step.step.blend != 1.0 else {}
    settings |= {"only": step.step.only} if step.step.only else {}
    return {
        "step": step.step.id,
        "stage": step.spec.name,
        "plugin": chain.plan.registry.owner(step.spec.name),
        "weights": ", ".join(step.cards),
        "options": ", ".join(f"{name} = {value}" for name, value in settings.items()),
    }
