"""Plugins made in the tests: stages and a network that need no files."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from oldfix import (
    DEFECTS,
    IMAGE,
    Context,
    Field,
    Options,
    Part,
    Photo,
    Registry,
    StageSpec,
    WeightsCard,
    hookimpl,
)
from oldfix.registry import read_plugin

HERE = __name__


class BrightenOptions(Options):
    amount: float = Field(0.1, ge=0, le=1, description="how much lighter")
    model: str = Field("auto", description="unused")


def brighten(photo: Photo, options: BrightenOptions, ctx: Context) -> Photo:
    ctx.note(amount=options.amount)
    return photo.put(IMAGE, np.clip(photo[IMAGE] + np.float32(options.amount), 0, 1))


def mark(photo: Photo, options: Options, ctx: Context) -> Photo:
    mask = np.zeros(photo.size, np.float32)
    mask[: photo.size[0] // 2] = 1
    return photo.put(DEFECTS, mask)


def noise(photo: Photo, options: Options, ctx: Context) -> Photo:
    grain = ctx.rng.normal(0, 0.1, photo[IMAGE].shape)
    return photo.put(IMAGE, np.clip(photo[IMAGE] + grain, 0, 1).astype(np.float32))


def halve(photo: Photo, options: Options, ctx: Context) -> Photo:
    return photo.put(IMAGE, np.ascontiguousarray(photo[IMAGE][::2, ::2]))


def smooth(photo: Photo, options: BrightenOptions, ctx: Context) -> Photo:
    with ctx.model(options.model) as model:
        return photo.put(IMAGE, np.clip(ctx.apply(model, photo[IMAGE]), 0, 1))


class SmoothNet(torch.nn.Module):
    """Two 3x3 means; receptive radius 2."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(2):
            x = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
        return x * self.gain


def load(path: Any) -> SmoothNet:
    return SmoothNet(**torch.load(path, weights_only=True))


def tiny() -> SmoothNet:
    return SmoothNet()


def card(name: str = "smooth", **values: Any) -> WeightsCard:
    fields = {
        "id": name,
        "role": "smoother",
        "file": f"{name}.pt",
        "sha256": "0" * 64,
        "bytes": 1,
        "licence": "Apache-2.0",
        "source": "tests",
        "limits": "none",
        "load": f"{HERE}:load",
        "tiny": f"{HERE}:tiny",
        "parts": {"": Part(halo=2)},
    }
    return WeightsCard.model_validate({**fields, **values})


def spec(name: str, run: str = "", **values: Any) -> StageSpec:
    return StageSpec(name, f"{name} a picture", f"{HERE}:{run or name}", **values)


STAGES = (
    spec("brighten", options=BrightenOptions, roles={"lighten"}),
    spec("mark", produces={DEFECTS}),
    spec("noise"),
    spec("halve", resizes=True),
    spec("smooth", options=BrightenOptions, weights={"model": "smoother"}),
    spec("repair", run="noise", needs={IMAGE, DEFECTS}),
)


def plugin_module(stages: Iterable[StageSpec] = (), cards: Iterable[WeightsCard] = ()) -> Any:
    """A module with hooks that return the given stages and cards."""
    module = types.ModuleType("made_in_a_test")

    @hookimpl
    def oldfix_stages() -> Iterable[StageSpec]:
        return list(stages)

    @hookimpl
    def oldfix_weights() -> Iterable[WeightsCard]:
        return list(cards)

    module.oldfix_stages = oldfix_stages  # type: ignore[attr-defined]
    module.oldfix_weights = oldfix_weights  # type: ignore[attr-defined]
    return module


def make_registry(
    stages: Iterable[StageSpec] = STAGES, cards: Iterable[WeightsCard] | None = None
) -> Registry:
    registry = Registry()
    chosen = (card(),) if cards is None else cards
    registry.add(read_plugin("test", "1.0", plugin_module(stages, chosen)))
    return registry
