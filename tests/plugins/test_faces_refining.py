"""Refining: the identity, the gate, tone and grain."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from oldfix import FACES, IMAGE, Face, Photo
from oldfix.testing import StageContract, example_photo
from oldfix_faces import RefineOptions, gate, refine
from oldfix_faces.align import template
from oldfix_faces.anchors import Found
from oldfix_faces.gate import Verdict
from oldfix_faces.paste import face_mask
from oldfix_faces.refiner_net import (
    tiny,
    tiny_published,
)
from oldfix_faces.texture import blurred, fitted

SIZE = 64


class TestRefineFaces(StageContract):
    stage = "refine-faces"


class Studio:
    """A context with a refiner given as a function and a detector that finds given landmarks."""

    def __init__(self, change: Any, landmarks: Any = None) -> None:
        self.change, self.landmarks = change, landmarks
        self.facts: dict[str, Any] = {}
        self.crops = 0

    @contextmanager
    def model(self, name: str) -> Any:
        yield SimpleNamespace(name=name, net=SimpleNamespace(size=SIZE))

    def apply_many(self, model: Any, images: list[Any], **_: Any) -> list[Any]:
        self.crops += len(images)
        return [self.change(image) for image in images]

    def note(self, **facts: Any) -> None:
        self.facts.update(facts)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Landmarks that the detector reports, first before then after each face; default: none."""
    answers: list[Any] = []

    def find(_model: Any, crops: Any, _ctx: Any, _confidence: float) -> list[Found]:
        half = len(crops) // 2
        return [seen(None) for _ in range(half)] + [
            seen(answers.pop(0) if answers else 0.0) for _ in range(half)
        ]

    monkeypatch.setattr(gate, "find_in_crops", find)
    return answers


def seen(shift: float | None) -> Found:
    """The template face, shifted by a part of the eye distance; None means not shifted."""
    points = template(SIZE).astype(np.float32)
    points[:, 0] += (shift or 0.0) * np.hypot(*(points[1] - points[0]))
    return Found(
        np.array([[10, 10, 50, 50]], np.float32), np.array([0.9], np.float32), points[None]
    )


def portrait(*, scale: float = 1.5, grey: bool = False) -> Photo:
    photo = example_photo(160, 180, grey=grey)
    points = (template(SIZE) * scale + 25).astype(np.float32)
    return photo.put(FACES, (Face((25.0, 25.0, 120.0, 120.0), 0.9, points),))


def run(photo: Photo, studio: Studio, **options: Any) -> Photo:
    settings = RefineOptions(**{"model": "m", "detector": "d", "parser": "none", **options})
    return refine.refine(photo, settings, studio)  # type: ignore[arg-type]


def sharpened(crop: Any) -> Any:
    return 0.8 * (crop - blurred(crop, 2.0))


def test_a_network_that_changes_nothing_changes_nothing(looks: list[Any]) -> None:
    photo = portrait()
    after = run(photo, Studio(np.zeros_like))
    assert np.abs(after[IMAGE] - photo[IMAGE]).max() <= 1e-3


@pytest.mark.parametrize("grey", [False, True])
def test_a_face_changes_and_nothing_else_does(looks: list[Any], grey: bool) -> None:
    photo, studio = portrait(grey=grey), Studio(sharpened)
    after = run(photo, studio)
    different = np.abs(after[IMAGE] - photo[IMAGE]).max(axis=2)
    assert studio.facts["refined"] == 1
    assert different[40:90, 50:100].max() > 0.01
    outside = np.ones_like(different, bool)
    outside[20:125, 20:125] = False
    assert different[outside].max() == 0


def test_strength_zero_is_the_photograph(looks: list[Any]) -> None:
    photo = portrait()
    assert run(photo, Studio(sharpened), strength=0.0)[IMAGE] is photo[IMAGE]


def test_strength_scales_the_change(looks: list[Any]) -> None:
    photo = portrait()
    full = run(photo, Studio(sharpened))[IMAGE] - photo[IMAGE]
    half = run(photo, Studio(sharpened), strength=0.5)[IMAGE] - photo[IMAGE]
    np.testing.assert_allclose(half, full / 2, atol=1e-3)


def test_a_face_that_moves_is_tried_at_half_blend(looks: list[Any]) -> None:
    looks += [0.06, 0.03]
    photo, studio = portrait(), Studio(sharpened)
    after = run(photo, studio)
    assert studio.facts["faces"][0]["outcome"] == "refined at half blend"
    looks += [0.03]
    full = run(photo, Studio(sharpened))
    np.testing.assert_allclose(
        after[IMAGE] - photo[IMAGE], (full[IMAGE] - photo[IMAGE]) / 2, atol=1e-3
    )


def test_a_face_that_still_moves_stays_as_it_was(looks: list[Any]) -> None:
    looks += [0.06, 0.05]
    photo, studio = portrait(), Studio(sharpened)
    assert run(photo, studio)[IMAGE] is photo[IMAGE]
    told = studio.facts["faces"][0]
    assert told["outcome"] == "kept" and "5.0%" in told["reason"]


def test_a_face_whose_values_change_stays_as_it_was(looks: list[Any]) -> None:
    board = np.kron(np.indices((4, 4)).sum(axis=0) % 2, np.ones((16, 16)))
    wide = np.repeat(board[..., None], 3, axis=2)
    photo, studio = portrait(), Studio(lambda crop: (wide * 1.2 - 0.6).astype(np.float32))
    assert run(photo, studio)[IMAGE] is photo[IMAGE]
    assert "blurred values" in studio.facts["faces"][0]["reason"]


def test_a_face_the_detector_cannot_find_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Found(*(np.zeros(s, np.float32) for s in ((0, 4), (0,), (0, 5, 2))))
    monkeypatch.setattr(gate, "find_in_crops", lambda _m, crops, _c, _t: [nothing] * len(crops))
    photo, studio = portrait(), Studio(sharpened)
    assert run(photo, studio)[IMAGE] is photo[IMAGE]
    assert "does not find" in studio.facts["faces"][0]["reason"]


def test_all_faces_go_through_the_network_together(looks: list[Any]) -> None:
    photo = portrait()
    face = photo[FACES][0]
    small = Face((0, 0, 4, 4), 0.9, (template(SIZE) * 0.1).astype(np.float32))
    studio = Studio(sharpened)
    run(photo.put(FACES, (face, face, small)), studio)
    assert studio.crops == 2
    assert studio.facts["too_small"] == 1


def test_a_face_larger_than_the_crop_keeps_its_fine_detail(looks: list[Any]) -> None:
    rng = np.random.default_rng(0)
    image = example_photo(420, 420)[IMAGE] + rng.normal(0, 0.02, (420, 420, 1)).astype(np.float32)
    points = (template(SIZE) * 6 + 10).astype(np.float32)
    face = Face((10.0, 10.0, 390.0, 390.0), 0.9, points)
    photo = Photo.from_array(np.clip(image, 0, 1)).put(FACES, (face,))
    after = run(photo, Studio(sharpened))

    def fine(picture: Any) -> float:
        inner = picture[150:250, 150:250]
        return float((inner - blurred(inner, 1.0)).std())

    assert fine(after[IMAGE]) > 0.95 * fine(photo[IMAGE])


def test_verdicts() -> None:
    assert Verdict(0.04, 0.04).accepted
    assert not Verdict(0.041, 0.0).accepted
    assert not Verdict(0.0, 0.041).accepted
    assert not Verdict(None, 0.0).accepted


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_enough_grain_remains(seed: int, grain: float) -> None:
    rng = np.random.default_rng(seed)
    face = (0.5 + rng.normal(0, 0.05, (SIZE, SIZE, 3))).astype(np.float32)
    correction = blurred(face, 2.0) - face  # takes all fine texture away
    mask = face_mask(template(SIZE), SIZE)
    result = face + fitted(face, correction, mask, grain)

    def texture(image: Any) -> float:
        fine = image - blurred(image, 1.2)
        return float(np.sqrt((mask[..., None] * fine**2).sum()))

    assert texture(result) >= 0.85 * grain * texture(face)
    assert texture(result) <= 1.02 * texture(face)


def test_added_detail_is_not_taken_for_grain() -> None:
    face = example_photo(SIZE, SIZE)[IMAGE]
    correction = sharpened(face)
    mask = face_mask(template(SIZE), SIZE)
    np.testing.assert_allclose(
        fitted(face, correction, mask, 1.0), fitted(face, correction, mask, 0.0), atol=1e-6
    )


def test_tone_is_left_alone() -> None:
    face = example_photo(SIZE, SIZE)[IMAGE]
    mask = face_mask(template(SIZE), SIZE)
    assert np.abs(fitted(face, np.full_like(face, 0.1), mask, 0.5)).max() < 1e-6


def test_a_parser_draws_where_a_face_may_change(looks: list[Any]) -> None:
    photo = portrait()
    left = np.zeros((SIZE, SIZE, 1), np.float32)
    left[:, : SIZE // 2] = 1

    class WithParser(Studio):
        def apply_many(self, model: Any, images: list[Any], **_: Any) -> list[Any]:
            return [left] * len(images) if model.name == "p" else super().apply_many(model, images)

    after = run(photo, WithParser(sharpened), parser="p")
    change = np.abs(after[IMAGE] - photo[IMAGE]).max(axis=2)
    assert change[40:90, 50:70].max() > 0.01
    assert change[40:90, 90:].max() == 0


def test_two_runs_agree() -> None:
    for net in (tiny().eval(), tiny_published().eval()):
        faces = torch.rand(1, 3, net.size, net.size)
        with torch.no_grad():
            assert torch.equal(net(faces), net(faces))
