"""Eyes and mouth of aligned faces, as GFP-GAN's component discriminators see them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import roi_align

from oldfix_faces.align import template

#: Sides of the regions in distances between the eyes: 80 and 120 pixels of 512, the sizes to which
#: the published code brings them (its boxes, from 68 landmarks a face, vary around these).
_EYE, _MOUTH = 80 / 126, 120 / 126
#: A region is never shown smaller than this, in pixels: the discriminators halve it twice.
_SMALLEST = 8

Box = tuple[float, float, float, float]


def component_boxes(size: int) -> dict[str, Box]:
    """Return where the components lie in an aligned face of ``size`` pixels.

    Returns:
        "left_eye", "right_eye" (of the picture) and "mouth" -> (x0, y0, x1, y1), pixel centres at
        integers: squares around the template's landmarks.
    """
    left, right, _, mouth_left, mouth_right = template(size)
    eyes = float(np.hypot(*(right - left)))
    middles = {"left_eye": left, "right_eye": right, "mouth": (mouth_left + mouth_right) / 2}
    boxes = {}
    for name, (x, y) in middles.items():
        half = (_MOUTH if name == "mouth" else _EYE) * eyes / 2
        boxes[name] = (float(x - half), float(y - half), float(x + half), float(y + half))
    return boxes


def regions(faces: Tensor, boxes: Mapping[str, Box]) -> dict[str, Tensor]:
    """Cut the same regions out of all aligned faces, with gradients.

    Args:
        faces: (N, 3, size, size).
        boxes: from `component_boxes`.

    Returns:
        For each box (N, 3, side, side), its side rounded to whole pixels.
    """
    cut = {}
    for name, box in boxes.items():
        side = max(_SMALLEST, round(box[2] - box[0]))
        rois = torch.tensor([[index, *box] for index in range(len(faces))], device=faces.device)
        # With aligned=True roi_align takes pixel centres for half-integers.
        rois[:, 1:] += 0.5
        cut[name] = roi_align(faces, rois.to(faces.dtype), side, aligned=True)
    return cut
