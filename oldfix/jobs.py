"""Restore photographs: the preset chain, one file from reading to sidecar, and the short way."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oldfix.errors import FileError
from oldfix.keys import IMAGE, LIBRARY, REFERENCES, Key, resolve
from oldfix.photo import Photo
from oldfix.pipeline import Pipeline

if TYPE_CHECKING:
    from oldfix.plan import Plan
    from oldfix.runner import Runner

PathLike = str | os.PathLike[str]


def preset(
    *,
    faces: bool = False,
    colorize: bool = False,
    library: bool = False,
    scratches: bool = True,
    tone: bool = True,
) -> Pipeline:
    """The chain behind ``oldfix restore``, with the steps that the switches leave on.

    With ``library``, references are found among the photographs given as `oldfix.LIBRARY`.
    """
    text = (package_files("oldfix") / "pipelines" / "restore.toml").read_text("utf-8")
    switches = {
        "faces": faces,
        "colorize": colorize,
        "library": library,
        "scratches": scratches,
        "tone": tone,
    }
    chain = Pipeline.from_toml(text, where="restore")
    return chain.switched(name for name, on in switches.items() if on)


def restore(
    photo: PathLike | Photo,
    *,
    faces: bool = False,
    colorize: bool = False,
    references: Sequence[PathLike] = (),
    device: str = "auto",
    seed: int = 0,
) -> Photo:
    """Restore one photograph with the preset chain.

    Args:
        photo: a file, or a photograph already read.
        faces: find faces and refine them.
        colorize: give a grey or toned photograph colour.
        references: colour photographs to take the colours from; of a folder, those most like it.
        device: "auto", "cpu", "cuda" …
        seed: of everything random.

    Returns:
        The restored photograph; `oldfix.write_photo` writes it.

    Raises:
        OldfixError: the file cannot be read, weights are missing, or a stage failed.
    """
    from oldfix.files import read_photo
    from oldfix.registry import discover
    from oldfix.runner import Runner

    opened = photo if isinstance(photo, Photo) else read_photo(Path(photo))
    folders = [Path(path) for path in references if Path(path).is_dir()]
    files = [Path(path) for path in references if not Path(path).is_dir()]
    for key, paths in ((REFERENCES, files), (LIBRARY, folders)):
        if paths:
            opened = give(opened, {key: paths})
    chain = preset(faces=faces, colorize=colorize, library=colorize and bool(folders))
    plan = chain.plan(discover(), given=tuple(opened))
    with Runner(device=device, seed=seed) as runner:
        return runner.run(plan, opened)


def give(photo: Photo, given: Mapping[Key[Any], Sequence[Path]]) -> Photo:
    """Read values for keys from files and put them into the photograph.

    Raises:
        FileError: a file cannot be read, or does not fit the photograph.
    """
    for key, paths in given.items():
        if key.read is None:
            raise FileError(f"'{key.name}' cannot be read from files; no --give for it")
        photo = photo.put(key, resolve(key.read)(list(paths), photo))
    return photo


@dataclass(frozen=True)
class Job:
    """One photograph to restore.

    Attributes:
        source: the file.
        target: the file to write.
        given: files for further keys.
        keep_steps: folder for the picture after every step, or None.
        overwrite: replace an existing target.
        format: "JPEG", "PNG", "TIFF", "WEBP", or "" for the target's suffix.
    """

    source: Path
    target: Path
    given: Mapping[Key[Any], Sequence[Path]] = field(default_factory=dict)
    keep_steps: Path | None = None
    overwrite: bool = False
    format: str = ""


def run_job(job: Job, plan: Plan, runner: Runner) -> Photo:
    """Read, restore and write one photograph, and its sidecar.

    Raises:
        PhotoError: it could not be read, restored or written; nothing half-written is left.
    """
    photo = read_job(job)
    for after in job_steps(job, photo, plan, runner):
        photo = after
    write_job(job, photo, plan, runner)
    return photo


def read_job(job: Job) -> Photo:
    """Read a job's photograph and what is given for it, once its result may be written.

    Raises:
        FileError: a file cannot be read, or the output may not be written.
    """
    from oldfix.files import read_photo

    _refuse_clobbering(job)
    return give(read_photo(job.source), job.given)


def job_steps(job: Job, photo: Photo, plan: Plan, runner: Runner) -> Iterator[Photo]:
    """Restore a job's photograph: yields it after every step, and keeps it if the job says so.

    Raises:
        PhotoError: a stage failed, or a picture to keep cannot be written.
    """
    from oldfix.files import write_photo

    for number, (planned, after) in enumerate(runner.steps(plan, photo), 1):
        photo = after  # the one before is let go
        if job.keep_steps is not None and IMAGE in planned.spec.produces:
            name = f"{job.target.stem}.{number}-{planned.step.id}.png"
            write_photo(after, job.keep_steps / name, format="PNG", overwrite=True)
        yield photo


def write_job(job: Job, photo: Photo, plan: Plan, runner: Runner) -> None:
    """Write a job's result and its sidecar.

    Raises:
        FileError: one of them cannot be written.
    """
    from oldfix.files import write_photo

    write_photo(photo, job.target, format=job.format or None, overwrite=job.overwrite)
    write_sidecar(sidecar_path(job.target), sidecar(plan, runner, job, photo))


def sidecar_path(target: Path) -> Path:
    """Where the sidecar of an output lies: its full name plus ``.oldfix.json``."""
    return target.with_name(target.name + ".oldfix.json")


def sidecar(plan: Plan, runner: Runner, job: Job, photo: Photo) -> dict[str, Any]:
    """Everything needed to know what was done, and to do it again (``--replay``)."""
    from oldfix import __version__

    return {
        "oldfix": __version__,
        "source": job.source.name,
        "given": {key.name: [p.name for p in paths] for key, paths in job.given.items()},
        "pipeline": plan.pipeline.to_table(),
        "seed": runner.seed,
        "device": runner.device,
        "precision": runner.precision,
        "tile": runner.tile,
        "batch": runner.batch,
        "notes": list(photo.meta.extra.get("notes", ())),
        "history": list(photo.history),
    }


def write_sidecar(path: Path, content: Mapping[str, Any]) -> None:
    """Write a sidecar atomically; it replaces the one of an overwritten output.

    Raises:
        FileError: it cannot be written.
    """
    from oldfix.files import write_text

    text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    write_text(path, text, overwrite=True)


def _refuse_clobbering(job: Job) -> None:
    """Fail before any work if the output may not be written."""
    if job.target.resolve() == job.source.resolve():
        raise FileError(f"{job.source}: the output would overwrite the input; choose another -o")
    if job.target.exists() and not job.overwrite:
        raise FileError(f"{job.target}: exists already; pass --overwrite or choose another -o")
