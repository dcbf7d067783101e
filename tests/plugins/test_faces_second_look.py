"""The second look at a face: scores of several views, landmarks placed from close-ups."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch

from oldfix import UsageError, write_network
from oldfix.testing import StageContract
from oldfix.training import Settings, TrainRequest, fit
from oldfix_faces import landmark_net, landmark_task, second_look
from oldfix_faces.align import template
from oldfix_faces.anchors import Found, joined
from oldfix_faces.landmark_net import LandmarkNet, close_up, expected, eye_distance


def face_at(left: float, top: float, side: float, score: float = 0.6) -> Found:
    """A face whose landmarks lie as in the template, in a box of a side."""
    points = template(512) / 512 * 2 * side + [left - side / 2, top - side / 2]
    box = np.array([[left, top, left + side, top + side]], np.float32)
    return Found(box, np.array([score], np.float32), points[None].astype(np.float32))


def seeing(answers: Any) -> Any:
    """Stands in for `find_in_crops`: what a detector says of each crop, by its size."""

    def look(_model: Any, crops: Any, _ctx: Any, _confidence: float) -> list[Found]:
        return [answers(crop) for crop in crops]

    return look


def centred(crop: np.ndarray) -> Found:
    """A face in the middle of a crop that is twice or 2.4 times as wide."""
    size = crop.shape[0]
    side = size / {128: 2.0, 192: 2.4}[size]
    return face_at((size - side) / 2 - 0.5, (size - side) / 2 - 0.5, side, 0.9)


def test_what_every_view_shows_keeps_its_place_and_gains(monkeypatch: Any) -> None:
    monkeypatch.setattr(second_look, "find_in_crops", seeing(centred))
    first = face_at(40, 60, 50, 0.5)
    found = second_look.confirm(None, np.zeros((200, 200, 3), np.float32), first, None)  # type: ignore[arg-type]
    assert found.scores[0] == pytest.approx((0.5 + 4 * 0.9) / 5)
    np.testing.assert_allclose(found.boxes[0], first.boxes[0], atol=1.0)


def test_what_no_other_view_shows_loses_four_fifths(monkeypatch: Any) -> None:
    monkeypatch.setattr(second_look, "find_in_crops", seeing(lambda _crop: joined([])))
    image = np.zeros((99, 80, 3), np.float32)
    found = second_look.confirm(None, image, face_at(60, 80, 30, 0.75), None)  # type: ignore[arg-type]
    assert found.scores[0] == pytest.approx(0.15)


def test_a_mirrored_face_comes_back_in_its_place() -> None:
    face = face_at(10, 20, 40)
    twice = second_look._mirrored(second_look._mirrored(face, 128), 128)
    np.testing.assert_allclose(twice.boxes, face.boxes, atol=1e-4)
    np.testing.assert_allclose(twice.points, face.points, atol=1e-4)
    once = second_look._mirrored(face, 128)
    assert once.points[0, 0, 0] < once.points[0, 1, 0]  # the left eye is still on the left


@pytest.mark.parametrize("turn_deg", [0, 40])
def test_a_close_up_puts_landmarks_where_they_are_expected(turn_deg: float) -> None:
    matrix = cv2.getRotationMatrix2D((100, 80), turn_deg, 0.3)
    points = template(512) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(close_up(points).to_crop(points), expected(), atol=1e-6)


class Knowing:
    """Stands in for a context whose network finds the bright dots of a close-up exactly."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = points
        self.alignments: list[Any] = []

    def apply_many(self, _model: Any, crops: list[np.ndarray]) -> list[np.ndarray]:
        """Straight and mirrored close-ups in turn, as `place_landmarks` asks."""
        away = (self.alignments[-1].to_crop(self.points) - expected()) / eye_distance()
        mirrored = landmark_task.mirrored(away.astype(np.float32))
        return [part.reshape(1, 1, 10).astype(np.float32) for part in (away, mirrored)]


def test_landmarks_go_where_the_network_sees_them(monkeypatch: Any) -> None:
    truth = face_at(60, 50, 60).points[0]
    ctx = Knowing(truth)
    cut = second_look._close_ups

    def remembered(image: Any, points: Any) -> Any:
        parts = cut(image, points)
        ctx.alignments += parts[1]
        return parts

    monkeypatch.setattr(second_look, "_close_ups", remembered)
    rough = face_at(60, 50, 60)
    rough.points[0] += np.random.default_rng(0).normal(0, 3, (5, 2)).astype(np.float32)
    placed = second_look.place_landmarks(None, np.zeros((200, 200, 3), np.float32), rough, ctx)  # type: ignore[arg-type]
    np.testing.assert_allclose(placed.points[0], truth, atol=0.05)


def test_landmarks_that_cannot_be_looked_at_stay() -> None:
    outside = face_at(5000, 5000, 60)
    same = Found(outside.boxes, outside.scores, np.ones((1, 5, 2), np.float32))
    for found in (outside, same, joined([])):
        placed = second_look.place_landmarks(None, np.zeros((99, 99, 3), np.float32), found, None)  # type: ignore[arg-type]
        np.testing.assert_array_equal(placed.points, found.points)


def test_contrast_and_tone_do_not_matter_to_the_landmarks() -> None:
    net = landmark_net.tiny()
    crop = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        np.testing.assert_allclose(net(0.3 + 0.5 * crop), net(crop), atol=5e-3)


def test_the_landmark_network_survives_its_file(tmp_path: Path) -> None:
    net = landmark_net.tiny()
    write_network(tmp_path / "net.safetensors", net, config=net.config)
    crop = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        again = landmark_net.load(tmp_path / "net.safetensors")(crop)
        assert again.shape == (2, 10, 1, 1)
        np.testing.assert_allclose(again, net(crop), atol=2e-3)
        assert not LandmarkNet()(crop).any()  # untrained, it says the average face


def test_detector_and_landmarks_stay_small() -> None:
    from oldfix_faces.detector_task import student

    count = sum(p.numel() for net in (LandmarkNet(), student()) for p in net.parameters())
    assert count <= 500_000


def dots() -> landmark_task.KnownFace:
    """A face of dots: easy to find, and nothing else to see."""
    image = np.full((128, 128, 3), 60, np.uint8)
    points = template(128) + np.random.default_rng(0).normal(0, 1, (5, 2))
    for index, (x, y) in enumerate(points):
        cv2.circle(image, (round(x), round(y)), 4, (250 if index < 2 else 150,) * 3, -1)
    return landmark_task.KnownFace(image, points)


def test_a_short_training_finds_the_dots_of_a_face(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(landmark_task, "aged", lambda crop, _rng: crop)
    task = landmark_task.LandmarkTask([dots()] * 40, LandmarkNet(), count=256)
    how = Settings(batch=32, steps=120, learning_rate=3e-3, warmup=10, ema=0.9, autocast=False)
    net = fit(task, how, TrainRequest(data=(), out=tmp_path, workers=0))
    figures = task.validate(net)
    assert figures["before"] > 0.15
    assert figures["after"] < 0.35 * figures["before"]


def test_tables_of_landmarks_are_read_and_checked(tmp_path: Path) -> None:
    folder, table = tmp_path / "faces", tmp_path / "points.csv"
    folder.mkdir()
    names = [f"{name}_{axis}" for name in landmark_task._POINTS for axis in "xy"]
    rows = [",".join(["file", *names])]
    for index in range(20):
        cv2.imwrite(str(folder / f"{index}.png"), np.full((16, 16, 3), index, np.uint8))
        rows.append(",".join([f"faces/{index}.png", *(str(n) for n in range(10))]))
    table.write_text("\n".join(rows), "utf-8")
    faces = landmark_task.read_known_faces(table, folder)
    assert len(faces) == 20
    np.testing.assert_array_equal(faces[3].points, np.arange(10).reshape(5, 2))
    with pytest.raises(UsageError, match="lists 0 pictures"):
        landmark_task.read_known_faces(table, tmp_path / "elsewhere")
    table.write_text("\n".join([*rows[:20], rows[20].replace(",3,", ",left,")]), "utf-8")
    with pytest.raises(UsageError, match=r"faces/19\.png are no numbers .*'left'"):
        landmark_task.read_known_faces(table, folder)
    table.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"points\.csv: cannot be read"):
        landmark_task.read_known_faces(table, folder)
    table.write_text("file,x\na.png,1\n", "utf-8")
    with pytest.raises(UsageError, match="no table of landmarks"):
        landmark_task.read_known_faces(table, folder)


class TestDetectFacesInOneLook(StageContract):
    stage = "detect-faces"
    options: ClassVar[dict[str, object]] = {"confirm": False, "landmarks": "none"}
