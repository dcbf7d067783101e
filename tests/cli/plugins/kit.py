"""A single-file plugin of quick stages that fill every role of the preset chain."""

from __future__ import annotations

import hashlib
import os
import pickle
from dataclasses import replace
from typing import Any

import typer

import oldfix
from oldfix import (
    DEFECTS,
    FACES,
    IMAGE,
    LIBRARY,
    REFERENCES,
    Field,
    Key,
    Options,
    StageSpec,
    hookimpl,
)

BADGE: Key[str] = Key("kit.badge", "a word, which cannot be read from files")


class LightenOptions(Options):
    amount: float = Field(0.1, ge=0, le=1, description="how much lighter")


class WeightsOptions(Options):
    model: str = Field("auto", description="weights to use")


class ColourOptions(Options):
    recolor: bool = Field(False, description="colour coloured photographs, too")


def mark(photo: Any, options: Any, ctx: Any) -> Any:
    import numpy as np

    mask = np.zeros(photo.size, np.float32)
    mask[0] = 1
    return photo.put(DEFECTS, mask)


def lighten(photo: Any, options: LightenOptions, ctx: Any) -> Any:
    import numpy as np

    ctx.report(1, 2)
    ctx.report(2, 2)
    image = photo[IMAGE]
    return photo.put(IMAGE, np.minimum(image + np.float32(options.amount), 1))


def same(photo: Any, options: Any, ctx: Any) -> Any:
    ctx.warn("nothing to do")
    return photo


def find(photo: Any, options: Any, ctx: Any) -> Any:
    return photo.put(FACES, ())


def choose(photo: Any, options: Any, ctx: Any) -> Any:
    first = photo[LIBRARY][0]
    ctx.note(found=first.name, of=len(photo[LIBRARY]))
    return photo.put(REFERENCES, (*photo.get(REFERENCES, ()), oldfix.read_image(first)))


def colour(photo: Any, options: ColourOptions, ctx: Any) -> Any:
    ctx.note(references=len(photo.get(REFERENCES, ())), recolor=options.recolor)
    image = photo[IMAGE].copy()
    image[..., 2] *= 0.5
    return photo.put(IMAGE, image)


def interrupt(photo: Any, options: Any, ctx: Any) -> Any:
    raise KeyboardInterrupt


def fail(photo: Any, options: Any, ctx: Any) -> Any:
    raise RuntimeError("boom")


def greyed(photo: Any, options: Any, ctx: Any) -> Any:
    return photo.with_meta(replace(photo.meta, grey=True))


def open_weights(photo: Any, options: WeightsOptions, ctx: Any) -> Any:
    with ctx.model(options.model):
        return photo


def load(path: Any) -> Any:
    import torch

    return torch.load(path, weights_only=True)


class AsksForCode:
    """Unpickled carelessly, it makes a folder."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (os.environ.get("KIT_TRAP", "trap"),)


def evil_weights() -> bytes:
    return pickle.dumps(AsksForCode())


def _spec(name: str, run: str, **values: Any) -> StageSpec:
    return StageSpec(name, f"{name}, for tests", f"kit:{run}", **values)


@hookimpl
def oldfix_stages() -> list[StageSpec]:
    return [
        _spec("mark-top", "mark", produces={DEFECTS}, roles={"detect-scratches"}),
        _spec("lighten", "lighten", options=LightenOptions, roles={"restore"}),
        _spec("same", "same", roles={"restore-tone"}),
        _spec("find-none", "find", produces={FACES}, roles={"detect-faces"}),
        _spec("refine", "lighten", options=LightenOptions, roles={"refine-faces"}),
        _spec(
            "choose",
            "choose",
            needs={IMAGE, LIBRARY},
            uses={REFERENCES},
            produces={REFERENCES},
            roles={"find-references"},
        ),
        _spec("paint", "colour", options=ColourOptions, colours=True, roles={"colorize"}),
        _spec("mend", "lighten", needs={IMAGE, DEFECTS}, options=LightenOptions),
        _spec("wear-badge", "same", needs={IMAGE, BADGE}),
        _spec("interrupt", "interrupt"),
        _spec("fail", "fail"),
        _spec("open-kit", "open_weights", options=WeightsOptions, weights={"model": "kit"}),
        _spec("open-evil", "open_weights", options=WeightsOptions, weights={"model": "evil"}),
        _spec("break-contract", "greyed"),
    ]


@hookimpl
def oldfix_weights() -> list[oldfix.WeightsCard]:
    evil = evil_weights()
    fields: dict[str, Any] = {
        "licence": "Apache-2.0",
        "source": "tests",
        "load": "kit:load",
        "tiny": "kit:load",
        "limits": "everything",
    }
    content = b"weights of the kit"
    digest = hashlib.sha256(content).hexdigest()
    return [
        oldfix.WeightsCard(
            id="kit-s",
            file="kit-s.bin",
            sha256=digest,
            bytes=len(content),
            url="https://weights.invalid/kit-s.bin",
            train="kit:train",
            role="kit",
            **fields,
        ),
        oldfix.WeightsCard(
            id="evil",
            file="evil.pth",
            sha256=hashlib.sha256(evil).hexdigest(),
            bytes=len(evil),
            role="evil",
            **fields,
        ),
        oldfix.WeightsCard(
            id="kit-l", file="kit-l.bin", sha256="0" * 64, bytes=9, rank=1, role="kit", **fields
        ),
    ]


@hookimpl
def oldfix_commands(app: Any) -> None:
    @app.command("wave")
    def wave() -> None:
        """Greet."""
        typer.echo("hello from a plugin")


def train(request: Any) -> Any:
    return request.out / f"trained-for-{request.minutes:g}.bin"
