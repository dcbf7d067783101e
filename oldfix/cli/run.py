"""``oldfix run``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oldfix.cli.console import tell
from oldfix.cli.options import ChainFlags, OutputFlags, Photos, PlanFlags, RunFlags, flat
from oldfix.errors import UsageError

if TYPE_CHECKING:
    from oldfix.cli.chains import Chain

Replay = Annotated[
    Path | None,
    typer.Option("--replay", metavar="SIDECAR", help="Do again what a sidecar says was done."),
]
Save = Annotated[
    Path | None,
    typer.Option("--save-pipeline", metavar="FILE", help="Write the pipeline with its options."),
]


@flat
def run(
    photos: Photos,
    chain: ChainFlags,
    adjust: PlanFlags,
    out: OutputFlags,
    how: RunFlags,
    replay: Replay = None,
    save_pipeline: Save = None,
) -> None:
    """Run any pipeline on photographs.

    A pipeline is a TOML file, a name, or a chain of stages.
    """
    from oldfix.cli.batch import restore_all
    from oldfix.cli.chains import chosen_chain, read_sidecar
    from oldfix.files.atomic import write_text

    if replay is not None:
        if chain.pipeline or chain.steps:
            raise UsageError("--replay: already names the pipeline; leave out -p and --step")
        content = read_sidecar(replay)
        planned = _replayed(content, adjust, replay)
        how = _as_before(content, how)
    else:
        planned = chosen_chain(chain, adjust)
    if save_pipeline is not None:
        write_text(save_pipeline, planned.plan.pipeline.to_toml(), overwrite=out.overwrite)
        tell(f"pipeline written to {save_pipeline}")
    restore_all(planned, photos, out, how)


def _replayed(content: dict[str, Any], adjust: PlanFlags, path: Path) -> Chain:
    """Plan a sidecar's pipeline; what was given then must be given again."""
    from oldfix.cli.chains import make_chain
    from oldfix.pipeline import Pipeline
    from oldfix.registry import discover

    pipeline = Pipeline.from_table(content["pipeline"], where=str(path))
    chain = make_chain(pipeline, adjust, discover())
    given = {key.name for key in chain.given}
    for name, files in content.get("given", {}).items():
        if name not in given:
            raise UsageError(
                f"--replay {path}: was made with {name} from {', '.join(files)}; "
                f"pass --give {name}=FILE again"
            )
    return chain


def _as_before(content: dict[str, Any], how: RunFlags) -> RunFlags:
    """Take seed, precision and tiles from a sidecar, and the device if none is asked for."""
    return replace(
        how,
        seed=int(content.get("seed", how.seed)),
        precision=str(content.get("precision", how.precision)),
        device=str(content.get("device", how.device)) if how.device == "auto" else how.device,
        tile=how.tile or content.get("tile"),
        batch=how.batch or content.get("batch"),
    )
