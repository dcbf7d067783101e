"""The stages of this plugin. What colours never touches luminance, what repairs no chroma."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oldfix import IMAGE, LIBRARY, NO_WEIGHTS, REFERENCES, Context, Model, Photo, StageError
from oldfix.colour import from_lab, is_toned, luminance, to_lab
from oldfix_colorize import (
    ColorizeOptions,
    FindOptions,
    RestoreOptions,
    TransferOptions,
)
from oldfix_colorize.chroma import match_statistics, resized, upsample
from oldfix_colorize.doubt import strength
from oldfix_colorize.library import Description, compared, described, reference_at
from oldfix_colorize.retrieval import classical, likeness, summary

Array = NDArray[np.float32]

#: Longer side at which colours are predicted, in pixels: matching a reference wants detail; alone,
#: the whole is best told at about the size of the training crops.
_SIDE, _SIDE_ALONE = 192, 160
#: Sides that the network takes are multiples of this.
_GRID = 16
#: Strength of colours that no reference vouches for, before any is doubted. The mean over what
#: could be there is paler than any of it; this brings colourfulness from a half to two
#: thirds of the truth's, and still nearer to it than grey.
_UNVOUCHED = 1.2
#: Mean chroma of a reference that counts as grey.
_GREY = 2.0


def colorize(photo: Photo, options: ColorizeOptions, ctx: Context) -> Photo:
    """Colour a grey or toned photograph with a network, after its references if it has any.

    A photograph with colours of its own is left alone, and the history says so, unless
    ``recolor`` is set; tone and colours it had are then replaced. Grey references are left out
    with a warning.
    """
    image = photo[IMAGE]
    if not options.recolor and not is_toned(image):
        ctx.note(left_alone="the photograph has colours; set recolor to replace them")
        return photo
    references = _coloured(photo.get(REFERENCES, ()), ctx)
    light = luminance(image)
    shape = _working_shape(light.shape, _SIDE if references else _SIDE_ALONE)
    planes = [_canvas(reference, shape) for reference in references]
    inputs: list[Array] = [resized(light, shape)[..., None] / np.float32(100), *planes]
    with ctx.model(options.model) as model:
        if references:
            chroma = 100 * _predicted(ctx, model, inputs)
        else:
            chroma = _unvouched(_predicted(ctx, model, inputs, "alone"), light, options.doubt)
    ctx.note(references=len(references))
    return photo.put(IMAGE, _joined(light, upsample(chroma, light) * options.saturation))


def _predicted(ctx: Context, model: Model, inputs: list[Array], part: str = "") -> Array:
    """Return the mean of what is told of a picture and of its mirror: it has fewer blotches."""
    plain = ctx.apply(model, *inputs, part=part)
    mirrored = ctx.apply(model, *(x[:, ::-1] for x in inputs), part=part)
    return np.asarray((plain + mirrored[:, ::-1]) / 2, np.float32)


def _unvouched(told: Array, light: Array, doubt: float) -> Array:
    """Return the chroma, in units of a* and b*, to be shown where no reference speaks.

    Args:
        told: (h, w, 3) chroma in units of the network, and entropy in nats.
        light: (H, W) L* of the photograph.
        doubt: 0 to strengthen all colours alike, 1 to weaken those that are guessed.
    """
    chroma, entropy = 100 * told[..., :2], told[..., 2]
    gain = _UNVOUCHED * (1 + doubt * (strength(chroma, entropy, light) - 1))
    return np.asarray(chroma * gain[..., None], np.float32)


def restore(photo: Photo, options: RestoreOptions, ctx: Context) -> Photo:
    """Repair luminance: noise, blur and narrow marks. Chroma stays, as far as the gamut allows."""
    lab = to_lab(photo[IMAGE])
    with ctx.model(options.model) as model:
        repaired = ctx.apply(model, lab[..., :1] / np.float32(100), part="restore")
    return photo.put(IMAGE, _joined(np.clip(100 * repaired[..., 0], 0, 100), lab[..., 1:]))


def find(photo: Photo, options: FindOptions, ctx: Context) -> Photo:
    """Add the photographs of the library that are most like this one to its references.

    Photographs are compared by luminance alone. Grey ones, and files that cannot be read, are
    passed over; how many there were, and which were chosen, the history tells.
    """
    library = photo[LIBRARY]
    with ExitStack() as stack:
        how, describe = _described_by(options, ctx, stack)
        asked = describe(compared(photo[IMAGE]))
        found: dict[Path, Description] = {}
        for number, path in enumerate(library):
            description = described(path, how, describe)
            if description is not None:
                found[path] = description
            ctx.report(number + 1, len(library))
    if not found:
        ctx.warn(
            f"none of the {len(library)} photographs of the library has colours and can be read; "
            "give colour photographs"
        )
        return photo
    scores = likeness(asked, list(found.values()))
    ranked = sorted(zip(found, scores, strict=True), key=lambda one: -one[1])[: options.count]
    chosen = {str(path): round(float(score), 3) for path, score in ranked if score >= options.least}
    ctx.note(found=chosen, compared=len(found), passed_over=len(library) - len(found))
    if not chosen:
        path, score = ranked[0]
        ctx.warn(
            f"no photograph of the library is alike enough to take colours from: {path.name}, the "
            f"best, is at {score:.2f} of {options.least:g}; give others, or lower the option least"
        )
        return photo
    images = tuple(reference_at(Path(path)) for path in chosen)
    return photo.put(REFERENCES, (*photo.get(REFERENCES, ()), *images))


def _described_by(
    options: FindOptions, ctx: Context, stack: ExitStack
) -> tuple[str, Callable[[Array], Description]]:
    """Return what describes luminance, and a name for it."""
    if options.features == "classical" or options.model == NO_WEIGHTS:
        return "classical", lambda light: (classical(light),)
    model = stack.enter_context(ctx.model(options.model))

    def network(light: Array) -> Array:
        return summary(ctx.apply(model, light[..., None] / np.float32(100), part="describe"))

    if options.features == "network":
        return f"network {options.model}", lambda light: (network(light),)
    return f"both {options.model}", lambda light: (network(light), classical(light))


def transfer_classical(photo: Photo, options: TransferOptions, ctx: Context) -> Photo:
    """Give the photograph the colour statistics of its references; see `match_statistics`.

    Raises:
        StageError: no reference was found for this photograph.
    """
    found = photo.get(REFERENCES)
    if found is None:
        raise StageError(
            "no reference was found that is like this photograph, and its colours come from "
            "references alone; give one with --reference"
        )
    references = _coloured(found, ctx)
    if not references:
        return photo
    lab = to_lab(photo[IMAGE])
    small = [resized(reference, _working_shape(reference.shape)) for reference in references]
    chroma = match_statistics(lab, small, toned=is_toned(photo[IMAGE]))
    return photo.put(IMAGE, _joined(lab[..., 0], chroma * options.saturation))


def _coloured(references: tuple[Array, ...], ctx: Context) -> tuple[Array, ...]:
    """Return the references that are not grey; warn of the others, and of those of one tone."""
    kept = tuple(reference for reference in references if _mean_chroma(reference) > _GREY)
    if len(kept) < len(references):
        ctx.warn(
            f"{len(references) - len(kept)} of {len(references)} references are grey and give no "
            "colour; give colour photographs"
        )
    toned = sum(is_toned(reference) for reference in kept)
    if toned:
        ctx.warn(
            f"{toned} of {len(references)} references have a single tone, as sepia has, and give "
            "no other; give colour photographs"
        )
    return kept


def _mean_chroma(image: Array) -> float:
    lab = to_lab(resized(image, _working_shape(image.shape)))
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def _working_shape(shape: tuple[int, ...], side: int = _SIDE) -> tuple[int, int]:
    """Return (height, width) near the working size, on the grid of the network."""
    scale = side / max(shape[:2]) / _GRID
    return max(1, round(shape[0] * scale)) * _GRID, max(1, round(shape[1] * scale)) * _GRID


def _canvas(reference: Array, shape: tuple[int, int]) -> Array:
    """Fit a reference into ``shape``: (h, w, 4) of luminance, chroma, and 1 inside the picture."""
    scale = min(shape[0] / reference.shape[0], shape[1] / reference.shape[1])
    height, width = (max(1, int(length * scale)) for length in reference.shape[:2])
    canvas = np.zeros((*shape, 4), np.float32)
    canvas[:height, :width, :3] = to_lab(resized(reference, (height, width))) / 100
    canvas[:height, :width, 3] = 1
    return canvas


def _joined(light: Array, chroma: Array) -> Array:
    """Return the RGB image of (H, W) luminance and (H, W, 2) chroma."""
    return from_lab(np.concatenate([light[..., None], chroma], axis=-1, dtype=np.float32))
