"""``oldfix demo``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oldfix.cli.console import say, say_json, say_table
from oldfix.cli.options import AsJson, Device

if TYPE_CHECKING:
    from oldfix.keys import Image
    from oldfix.photo import Photo

_RECIPE = "demo"
_SEED = 0


@dataclass(frozen=True, eq=False)
class Subject:
    """What the demonstration restores.

    Attributes:
        damaged: the file to restore.
        original: the sound picture, if it is known.
    """

    damaged: Path
    original: Image | None = None


def demo(
    photo: Annotated[
        Path | None, typer.Argument(metavar="[PHOTO]", help="Restore this, not the portrait.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER")] = Path("out/demo"),
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Age a portrait, restore it, and measure both.

    Writes the aged and the restored photograph, the damage that was found, and all of it side by
    side. With a photograph of yours, that is restored, and nothing is measured.
    """
    from oldfix.jobs import preset, sidecar_path
    from oldfix.registry import discover

    plan = preset(faces=True, colorize=True).plan(discover())
    subject = Subject(photo) if photo is not None else _aged_portrait(output)
    target = output / f"{subject.damaged.stem.removesuffix('.aged')}.restored.png"
    restored = _restore(plan, subject.damaged, target, device)
    files = [target, sidecar_path(target), *_write_pictures(subject, restored, target)]
    report = {
        "files": [str(file) for file in files],
        "seconds": {entry["step"]: entry["seconds"] for entry in restored.history},
        "measured": _measure(subject, restored),
    }
    if as_json:
        say_json(report)
        return
    _print(report)


def _aged_portrait(folder: Path) -> Subject:
    """Damage the portrait of Eileen Collins (NASA, public domain) that scikit-image ships."""
    import numpy as np
    from skimage.data import astronaut

    from oldfix.degrade import age
    from oldfix.files import write_photo
    from oldfix.keys import IMAGE
    from oldfix.photo import Photo

    original = Photo.from_array(astronaut(), source="portrait")
    aged = age(original[IMAGE], rng=np.random.default_rng(_SEED), recipe=_RECIPE)
    write_photo(original, folder / "portrait.original.png", overwrite=True)
    path = folder / "portrait.aged.png"
    write_photo(original.put(IMAGE, aged.image), path, overwrite=True)
    return Subject(path, original[IMAGE])


def _restore(plan: Any, source: Path, target: Path, device: str) -> Photo:
    from oldfix.cli.progress import shown
    from oldfix.jobs import Job, run_job
    from oldfix.runner import Runner

    with (
        shown(quiet=False) as view,
        Runner(device=device, seed=_SEED, observer=view) as runner,
    ):
        view.begin(source.name, 1, 1)
        return run_job(Job(source=source, target=target, overwrite=True), plan, runner)


def _write_pictures(subject: Subject, restored: Photo, target: Path) -> list[Path]:
    """Write the damage that was found, and everything side by side."""
    from oldfix.cli.sheet import marked, write_sheet
    from oldfix.files import read_image
    from oldfix.keys import DEFECTS, IMAGE

    before = read_image(subject.damaged)
    pictures = {"before": before}
    if (defects := restored.get(DEFECTS)) is not None:
        pictures["damage found"] = marked(before, defects)
    pictures["restored"] = restored[IMAGE]
    if subject.original is not None:
        pictures["original"] = subject.original
    stem = target.name.removesuffix(".restored.png")
    written = [write_sheet(target.with_name(f"{stem}.side-by-side.png"), pictures)]
    if "damage found" in pictures:
        alone = {"damage found": pictures["damage found"]}
        written.append(write_sheet(target.with_name(f"{stem}.damage.png"), alone))
    return written


def _measure(subject: Subject, restored: Photo) -> list[dict[str, Any]]:
    """PSNR and SSIM before and after, in colour and in luminance alone."""
    from oldfix.evaluation.metrics import psnr, ssim
    from oldfix.files import read_image
    from oldfix.keys import IMAGE

    truth = subject.original
    if truth is None:
        return []
    before, after = read_image(subject.damaged), restored[IMAGE]
    views = {"original in colour": lambda image: image, "its luminance": _as_luminance}
    return [
        {
            "metric": name,
            "against": against,
            "before": measure(view(before), view(truth)),
            "after": measure(view(after), view(truth)),
        }
        for against, view in views.items()
        for name, measure in (("PSNR in dB", psnr), ("SSIM", ssim))
    ]


def _as_luminance(image: Image) -> Any:
    """L* as a picture of three equal channels in [0, 1], as the metrics take it."""
    import numpy as np

    from oldfix.colour import luminance

    return np.repeat(luminance(image)[..., None] / 100, 3, axis=2)


def _print(report: Mapping[str, Any]) -> None:
    if report["measured"]:
        say_table(
            ("measure", "against the", "aged", "restored"),
            (
                (row["metric"], row["against"], f"{row['before']:.3f}", f"{row['after']:.3f}")
                for row in report["measured"]
            ),
        )
    say_table(
        ("step", "seconds"), ((name, f"{value:.2f}") for name, value in report["seconds"].items())
    )
    for file in report["files"]:
        say(file)
