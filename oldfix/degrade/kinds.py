"""All kinds of damage by name, as recipes speak of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from . import (
    blur,
    creases,
    dust,
    grain,
    halftone,
    illumination,
    jpeg,
    losses,
    marks,
    mirroring,
    noise,
    paper,
    scratches,
    stains,
    tears,
    tone,
)

Damage = Callable[..., Any]

KINDS: Mapping[str, Damage] = {
    function.__name__: function
    for function in (
        scratches.scratches,
        scratches.hairlines,
        scratches.bundles,
        creases.creases,
        losses.cracks,
        losses.flakes,
        tears.tears,
        tears.missing_corner,
        dust.dust,
        dust.hairs,
        stains.stains,
        stains.foxing,
        marks.fingerprints,
        marks.mould,
        mirroring.silver_mirroring,
        tone.grey,
        tone.fade,
        tone.gamma,
        tone.yellow,
        tone.cast,
        tone.dye_fade,
        tone.toning,
        tone.sepia,
        illumination.vignette,
        illumination.uneven,
        grain.grain,
        halftone.halftone,
        halftone.rosette,
        paper.paper_texture,
        blur.lens_blur,
        blur.defocus,
        blur.motion_blur,
        blur.low_resolution,
        blur.sharpen,
        noise.gaussian_noise,
        noise.sensor_noise,
        noise.speckle,
        noise.banding,
        jpeg.jpeg,
        jpeg.small_copy,
    )
}


@cache
def parameters_of(kind: str) -> Mapping[str, TypeAdapter[float]]:
    """Return the parameters of a kind by name, each with the check of its type and limits."""
    hints = get_type_hints(KINDS[kind], include_extras=True)
    names = [name for name in inspect.signature(KINDS[kind]).parameters]
    return {name: TypeAdapter(hints[name]) for name in names if name not in ("image", "rng")}
