"""Which published networks stand beside which stages, and where their files are."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from oldfix.errors import UsageError, first_line
from oldfix.evaluation.rows import Row, Skipped
from oldfix.evaluation.samples import Sample
from oldfix.keys import resolve


@dataclass(frozen=True)
class Rivals:
    """Where published networks are looked for.

    Attributes:
        folder: searched with everything below it; None finds nothing.
    """

    folder: Path | None = None

    @classmethod
    def open(cls, folder: Path | None = None) -> Rivals:
        """Look in a folder, or in ``$OLDFIX_RIVALS`` if none is given.

        Raises:
            UsageError: there is no such folder.
        """
        named = os.environ.get("OLDFIX_RIVALS")
        chosen = folder or (Path(named) if named else None)
        if chosen is not None and not chosen.is_dir():
            where = "--rivals" if folder else "OLDFIX_RIVALS"
            raise UsageError(f"{where} {chosen}: is no folder; name one that holds networks")
        return cls(chosen)

    def find(self, pattern: str) -> Path | None:
        """The first file of this name pattern, or None."""
        found = sorted(self.folder.rglob(pattern)) if self.folder else []
        return next((path for path in found if path.is_file()), None)


@dataclass(frozen=True)
class _Rival:
    """A published network.

    Attributes:
        name, how: as in `oldfix.evaluation.rows.Row`.
        opener: function in this package, "module:name".
        files: name patterns of its files.
        millions: of parameters; nan where not told.
        unclipped: it is given noise beyond [0, 1], as in its training.
        enlarges: it gives a larger picture, to be averaged down to the size of the answer.
    """

    name: str
    how: str
    opener: str
    files: tuple[str, ...]
    millions: float = math.nan
    unclipped: bool = False
    enlarges: bool = False

    def as_trained(self) -> _Rival:
        """The same network, given noise that is not clipped."""
        name, how = f"{self.name}, not clipped", f"{self.how}, given noise beyond [0, 1]"
        return replace(self, name=name, how=how, unclipped=True)


_DNCNN = _Rival(
    "DnCNN, colour, blind", "0.67 M", "pictures:open_dncnn", ("dncnn_color_blind.pth",), 0.67
)
_FFDNET = _Rival(
    "FFDNet, colour",
    "0.85 M, told the estimated noise",
    "pictures:open_ffdnet",
    ("ffdnet_color.pth",),
    0.85,
)
_DNCNN_GREY = _Rival(
    "DnCNN, grey, blind", "0.67 M", "pictures:open_dncnn_grey", ("dncnn_gray_blind.pth",)
)
_FFDNET_GREY = _Rival(
    "FFDNet, grey",
    "0.49 M, told the estimated noise",
    "pictures:open_ffdnet_grey",
    ("ffdnet_gray.pth",),
)
_REALESR = _Rival(
    "realesr-general-x4v3",
    "1.2 M, four times larger, then averaged down",
    "pictures:open_realesr",
    ("realesr-general-x4v3*.pth",),
    1.2,
)
_AUTOENCODERS = (
    _Rival(
        "TAEF2",
        "2.7 M, f8, 32 channels",
        "pictures:open_taef2",
        ("taef2_encoder.pth", "taef2_decoder.pth"),
        2.7,
    ),
    _Rival(
        "SD-light",
        "0.47 M, f8, 4 channels, preview decoder, OpenCV",
        "pictures:open_vaelight",
        ("sd15_vaelight_encoder.onnx", "sd15_vaelight_preview_decoder.onnx"),
        0.47,
    ),
)
_RIVALS: Mapping[str, tuple[_Rival, ...]] = {
    "denoise": (_DNCNN, _FFDNET, _REALESR),
    "gaussian": (_DNCNN, _DNCNN.as_trained(), _FFDNET, _FFDNET.as_trained(), _REALESR),
    "grey": (
        _DNCNN_GREY,
        _DNCNN_GREY.as_trained(),
        _FFDNET_GREY,
        _FFDNET_GREY.as_trained(),
    ),
    "restore": (_DNCNN, _FFDNET, _REALESR),
    "upscale": (
        _Rival(
            "realesr-general-x4v3",
            "1.2 M, four times larger, averaged down to the size wanted",
            "pictures:open_realesr_enlarger",
            ("realesr-general-x4v3*.pth",),
            1.2,
            enlarges=True,
        ),
    ),
    "faces": (_REALESR,),
    "scratches": (
        _Rival(
            "film-dust U-Net",
            "0.48 M, marked from 0.5",
            "pictures:open_dust",
            ("dust16*.pth",),
            0.48,
        ),
        _Rival(
            "film-dust U-Net, adapted",
            "the same, normalised by each picture's own statistics",
            "pictures:open_dust_adapted",
            ("dust16*.pth",),
            0.48,
        ),
    ),
    "latent": _AUTOENCODERS,
    "sound": _AUTOENCODERS,
    "detection": (
        _Rival(
            "RetinaFace mobile0.25",
            "0.4 M, scores from 0.5, facexlib: the judge in one view",
            "faces:open_retinaface",
            ("detection_mobilenet0.25_Final.pth",),
            0.43,
        ),
        _Rival(
            "YuNet",
            "2023mar, scores from 0.7, OpenCV",
            "faces:open_yunet",
            ("face_detection_yunet_2023mar.onnx",),
        ),
    ),
}


def rival_rows(kind: str, rivals: Rivals, device: str) -> list[Row | Skipped]:
    """Return a row for each published network that answers a kind of question."""
    asked = _RIVALS.get(kind, ())
    if rivals.folder is None and asked:
        names = "; ".join(rival.name for rival in asked)
        return [Skipped(names, "published; give their folder with --rivals or OLDFIX_RIVALS")]
    return [_row(rival, rivals, device) for rival in asked]


def open_judge(file: Path, device: str) -> Callable[[Any], Any]:
    """The official RetinaFace mobile0.25 as a function of a picture."""
    return _opened("faces:open_judge", [file], device)


def _row(rival: _Rival, rivals: Rivals, device: str) -> Row | Skipped:
    files = []
    for pattern in rival.files:
        file = rivals.find(pattern)
        if file is None:
            return Skipped(rival.name, f"no {pattern} below {rivals.folder}")
        files.append(file)
    try:
        method = _opened(rival.opener, files, device)
        method(np.zeros((32, 32, 3), np.float32))  # the tensors of another network fail here
    except Exception as error:  # whatever a stranger's file brings
        return Skipped(rival.name, f"{files[0].name} cannot be opened ({first_line(error)})")

    def run(sample: Sample) -> Any:
        beyond = sample.unclipped if rival.unclipped else None
        result = method(sample.image if beyond is None else beyond)
        return _averaged_down(result, sample.truth.shape[:2]) if rival.enlarges else result

    return Row(rival.name, "rival", f"published, {rival.how}", run, millions=rival.millions)


def _averaged_down(large: Any, size: tuple[int, int]) -> Any:
    """A larger picture brought to (height, width) by the means of squares."""
    if large.shape[:2] == size:
        return large
    import cv2

    return cv2.resize(large, size[::-1], interpolation=cv2.INTER_AREA)


def _opened(opener: str, files: list[Path], device: str) -> Callable[[Any], Any]:
    from oldfix.engine.models import choose_device

    method: Callable[[Any], Any] = resolve(f"{__package__}.{opener}")(files, choose_device(device))
    return method
