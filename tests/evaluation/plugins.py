"""Stages made for these tests: a detector with a threshold, a filler, a failing restorer."""

from __future__ import annotations

import numpy as np

from oldfix import DEFECTS, IMAGE, Context, Field, Options, Photo, Registry, StageSpec, WeightsCard
from oldfix.registry import read_plugin
from tests.core import plugins as core

HERE = __name__


class MarkOptions(Options):
    threshold: float = Field(0.5, gt=0, lt=1, description="mark pixels brighter than this")


class SmoothOptions(Options):
    model: str = Field("auto", description="weights to use")


def mark(photo: Photo, options: MarkOptions, ctx: Context) -> Photo:
    bright = photo[IMAGE].mean(axis=2) > options.threshold
    return photo.put(DEFECTS, bright.astype(np.float32))


def fill(photo: Photo, options: Options, ctx: Context) -> Photo:
    mask = photo.get(DEFECTS)
    if mask is None:
        return photo
    sound = photo[IMAGE][mask < 0.5]
    mean = sound.mean(axis=0) if sound.size else np.float32([0.5, 0.5, 0.5])
    return photo.put(IMAGE, np.where(mask[..., None] > 0.5, mean, photo[IMAGE]).astype(np.float32))


def smooth(photo: Photo, options: SmoothOptions, ctx: Context) -> Photo:
    with ctx.model(options.model) as model:
        return photo.put(IMAGE, np.clip(ctx.apply(model, photo[IMAGE]), 0, 1))


def fail(photo: Photo, options: Options, ctx: Context) -> Photo:
    raise RuntimeError("this restorer never works")


def spec(name: str, run: str, **values: object) -> StageSpec:
    return StageSpec(name, f"{name} a picture", f"{HERE}:{run}", **values)


STAGES = (
    spec("mark", "mark", options=MarkOptions, produces={DEFECTS}, roles={"detect-scratches"}),
    spec("fill", "fill", uses={DEFECTS}, roles={"restore"}),
    spec("must-fill", "fill", needs={IMAGE, DEFECTS}, roles={"restore"}),
    spec("smooth", "smooth", options=SmoothOptions, weights={"model": "smoother"},
         roles={"restore"}),
    spec("fail", "fail", roles={"restore"}),
)  # fmt: skip


def registry(cards: tuple[WeightsCard, ...] = ()) -> Registry:
    made = Registry()
    made.add(read_plugin("made", "1.0", core.plugin_module(STAGES, cards)))
    return made
