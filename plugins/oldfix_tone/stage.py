"""``restore-tone``: look at a thumbnail, correct the photograph at full size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import DEFECTS, IMAGE, Context, Photo, is_toned
from oldfix.colour import to_lab
from oldfix_tone import ToneOptions
from oldfix_tone.correction import LUMA, Correction
from oldfix_tone.levels import LEVELS_SIDE, levels
from oldfix_tone.margins import picture_box
from oldfix_tone.net import SIDE
from oldfix_tone.texture import loudness, share_held

Image = NDArray[np.float32]
Mask = NDArray[np.float32]

#: Longest side at which margins are looked for, in pixels.
_BOUNDED_PX = 512
#: A correction that would move the thumbnail by less than the first (mean distance in CIELAB) is
#: not made, for then the tone is sound; from the second on it is made in full.
_SOUND, _NEEDED = 4.0, 7.0


def restore_tone(photo: Photo, options: ToneOptions, ctx: Context) -> Photo:
    """Return the photograph with its tone corrected, or as it is where that is sound.

    A grey or toned photograph is corrected in lightness, by its histogram; one in colour by curves
    that a network estimates.
    """
    image = photo[IMAGE]
    toned = is_toned(image)
    if toned or options.cast == "keep":
        image = _lightened(image, photo.get(DEFECTS), options, ctx)
    else:
        correction, share = _estimate(thumbnail(image, photo.get(DEFECTS)), options, ctx)
        ctx.note(corrected=round(share, 3))
        image = correction.apply(image) if share > 0 else image
    ctx.note(toned=toned)
    if toned and options.cast == "remove":
        image = _grey(image)
    return photo if image is photo[IMAGE] else photo.put(IMAGE, image)


def _lightened(image: Image, defects: Mask | None, options: ToneOptions, ctx: Context) -> Image:
    """Correct lightness by the histogram; texture that is loud already is not made louder."""
    look = thumbnail(image, defects, side=LEVELS_SIDE)
    correction, share = levels(look, options.strength)
    ctx.note(corrected=round(share, 3))
    if share == 0:
        return image
    loud = loudness(image @ LUMA)
    hold = share_held(loud)
    if hold > 0:
        ctx.note(texture=round(loud, 3), texture_held=round(hold, 3))
    return correction.apply_to_lightness(image, hold)


def _estimate(look: Image, options: ToneOptions, ctx: Context) -> tuple[Correction, float]:
    """Ask the network; return the correction to make and its share of what it said."""
    with ctx.model(options.model) as model:
        numbers = ctx.apply(model, look)[0, 0]
    move = needed_change(Correction.from_numbers(numbers), look)
    ctx.note(change=round(move, 2))
    share = options.strength * float(np.clip((move - _SOUND) / (_NEEDED - _SOUND), 0, 1))
    return Correction.from_numbers(numbers, share), share


def thumbnail(image: Image, defects: Mask | None, side: int = SIDE) -> Image:
    """Bring the picture inside its margins to (side, side, 3), without its damaged pixels.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        defects: (H, W), 1 = damaged, or None.
        side: of the square, in pixels; what a network looks at by default.
    """
    scale = min(1.0, _BOUNDED_PX / max(image.shape[:2]))
    sound = np.ones(image.shape[:2], np.float32) if defects is None else 1 - defects
    # A pixel of a heavily damaged area still counts a little, so that there is one to look at.
    weight = np.maximum(sound, np.float32(1e-3))[..., None]
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    box = picture_box(small)
    rows, columns = (
        slice(round(part.start / scale), max(round(part.stop / scale), part.start + 1))
        for part in box
    )
    total, mass = image[rows, columns] * weight[rows, columns], weight[rows, columns]
    shrunk = [
        cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA) for part in (total, mass)
    ]
    return np.asarray(np.clip(shrunk[0] / shrunk[1][..., None], 0, 1), np.float32)


def needed_change(correction: Correction, look: Image) -> float:
    """Mean distance in CIELAB by which a correction moves a thumbnail."""
    distance = np.linalg.norm(to_lab(correction.apply(look)) - to_lab(look), axis=2)
    return float(distance.mean())


def _grey(image: Image) -> Image:
    """Return the luma in three equal channels."""
    luma = np.asarray(np.clip(image @ LUMA, 0, 1), np.float32)
    return np.repeat(luma[..., None], 3, axis=2)
