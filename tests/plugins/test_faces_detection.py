"""Detection: anchors, suppression, views of large scans, the published network."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from oldfix import FACES, IMAGE, Photo, WeightsError
from oldfix.testing import StageContract, count_parameters
from oldfix_faces import DetectOptions, detect
from oldfix_faces.anchors import (
    SIZES,
    STRIDES,
    VALUES,
    Found,
    anchors_of,
    areas,
    decode,
    distinct,
    intersections,
    joined,
    overlaps,
    unfolded,
)
from oldfix_faces.detect import OVERLAP_PX, TILE_PX, View, as_faces, seen, starts, views
from oldfix_faces.detector_net import FaceDetector, load, load_published_mobile, tiny


class TestDetectFaces(StageContract):
    stage = "detect-faces"


def found_at(boxes: list[tuple[float, ...]], scores: list[float]) -> Found:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    centre = (array[:, :2] + array[:, 2:]) / 2
    points = np.repeat(centre[:, None], 5, axis=1).astype(np.float32)
    return Found(array, np.array(scores, np.float32), points)


class OneFace:
    """A context whose detector finds bright squares: a face for each, where it is brightest."""

    def __init__(self, confidence: float = 0.9) -> None:
        self.facts: dict[str, Any] = {}
        self.shapes: list[tuple[int, ...]] = []
        self.confidence = confidence

    def apply_many(self, model: Any, images: list[Any], **_: Any) -> list[Any]:
        return [self.look(image) for image in images]

    def look(self, image: Any) -> Any:
        assert image.shape[0] % 32 == image.shape[1] % 32 == 0
        self.shapes.append(image.shape)
        rows, columns = image.shape[0] // 32, image.shape[1] // 32
        values = np.zeros((rows * columns * 42, VALUES), np.float32)
        values[:, 4] = -20
        bright = np.argwhere(image[..., 0] > 0.9)
        if len(bright):
            low, high = bright.min(axis=0), bright.max(axis=0)
            place(values, anchors_of(rows, columns), low[::-1], high[::-1], self.confidence)
        return folded(values, rows, columns)


def place(values: Any, anchors: Any, low: Any, high: Any, score: float) -> None:
    """Write one box (pixel centres low to high) into the anchor that fits best."""
    centre, side = (low + high) / 2, np.maximum(high - low, 1.0)
    away = (
        np.abs(anchors[:, :2] - centre).sum(axis=1)
        + np.abs(np.log(anchors[:, 2] / side.max())) * 1000
    )
    index = int(away.argmin())
    x, y, size = anchors[index]
    values[index, :2] = (centre - (x, y)) / (0.1 * size)
    values[index, 2:4] = np.log(side / size) / 0.2
    values[index, 4] = np.log(score / (1 - score))
    values[index, 5:] = np.tile((centre - (x, y)) / (0.1 * size), 5)


def folded(values: Any, rows: int, columns: int) -> Any:
    """Fold a list of anchors into a map as the network does."""
    parts, start = [], 0
    for stride in STRIDES:
        fold = 32 // stride
        count = rows * columns * fold * fold * 2
        level = torch.from_numpy(values[start : start + count].copy())
        start += count
        level = level.reshape(1, rows * fold, columns * fold, 2 * VALUES).permute(0, 3, 1, 2)
        parts.append(torch.nn.functional.pixel_unshuffle(level, fold))
    return torch.cat(parts, dim=1)[0].permute(1, 2, 0).numpy()


def test_anchors_are_those_of_facexlib() -> None:
    from oldfix import compat

    prior_box = compat.load("facexlib.detection.retinaface_utils:PriorBox")
    config = {"min_sizes": [list(s) for s in SIZES], "steps": list(STRIDES), "clip": False}
    theirs = prior_box(config, image_size=(64, 96)).forward().numpy() * (96, 64, 96, 64)
    ours = anchors_of(2, 3)
    np.testing.assert_allclose(ours[:, :2], theirs[:, :2], atol=1e-4)
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], atol=1e-3)


def test_the_map_holds_the_networks_values_in_the_order_of_the_anchors() -> None:
    net = tiny()
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        values = net.values(images)[0].numpy()
        whole = net(images)[0].permute(1, 2, 0).numpy()
    assert whole.shape[:2] == (2, 3)
    np.testing.assert_allclose(unfolded(whole), values, atol=1e-6)


def test_decoding_agrees_with_facexlib() -> None:
    from oldfix import compat

    utils = compat.load("facexlib.detection.retinaface_utils")
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (2 * 3 * 42, VALUES)).astype(np.float32)
    found = decode(folded(values, 2, 3), 0.5)
    kept = values[:, 4] >= 0
    anchors = anchors_of(2, 3)[kept]
    priors = torch.from_numpy(np.concatenate([anchors, anchors[:, 2:]], axis=1))
    mine = torch.from_numpy(values[kept])
    boxes = utils.decode(mine[:, :4], priors, [0.1, 0.2])
    points = utils.decode_landm(mine[:, 5:], priors, [0.1, 0.2])
    np.testing.assert_allclose(found.boxes, boxes.numpy(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found.points.reshape(-1, 10), points.numpy(), rtol=1e-4, atol=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_what_is_kept_does_not_overlap_and_covers_the_rest(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 40, (count, 2))], axis=1)
    scores = rng.permutation(count) / max(count, 1)
    found = found_at([tuple(box) for box in boxes], list(scores))
    kept = distinct(found, 0.4)
    assert (np.diff(kept.scores) <= 0).all()
    if not count:
        return
    among = overlaps(kept.boxes, kept.boxes)
    assert (among[~np.eye(len(kept), dtype=bool)] <= 0.4 + 1e-5).all()
    near = overlaps(found.boxes, kept.boxes) > 0.4 - 1e-5
    smaller = np.minimum(areas(found.boxes)[:, None], areas(kept.boxes)[None])
    near |= intersections(found.boxes, kept.boxes) > 0.65 * smaller - 1e-3
    better = kept.scores[None] >= found.scores[:, None]
    assert (near & better).any(axis=1).all()


@given(st.integers(1, 20000))
def test_tiles_cover_a_length_and_overlap(length: int) -> None:
    tops = starts(length)
    assert tops[0] == 0
    assert tops[-1] + min(TILE_PX, length) == length
    assert all(b - a <= TILE_PX - OVERLAP_PX for a, b in pairwise(tops))


@given(st.floats(0.05, 2), st.integers(0, 900), st.integers(0, 900))
def test_views_and_photograph_agree_on_places(scale: float, left: int, top: int) -> None:
    corner = np.array([10.0, 20.0])
    view = (corner + 0.5) * scale - 0.5 - (left, top)  # pixel centres at integers
    box = (*view, *(view + 5 * scale))
    moved = found_at([tuple(box)], [0.9]).moved(scale, left, top)
    np.testing.assert_allclose(moved.boxes[0], [10, 20, 15, 25], atol=2e-3 / scale)


@pytest.mark.parametrize(("left", "edge_face_kept"), [(0, True), (300, False)])
def test_half_faces_at_inner_edges_are_left_to_the_neighbour(
    left: int, edge_face_kept: bool
) -> None:
    values = np.zeros((4 * 4 * 42, VALUES), np.float32)
    values[:, 4] = -20
    place(values, anchors_of(4, 4), np.array([1, 40]), np.array([31, 70]), 0.9)
    view = View(np.zeros((128, 128, 3), np.float32), 1.0, left, 0, (left + 128, 128))
    assert (len(seen(view, folded(values, 4, 4), 0.5)) == 1) is edge_face_kept


@pytest.mark.parametrize("size", [(90, 70), (400, 700), (1400, 1000), (2600, 3400)])
def test_a_face_is_found_once_and_in_its_place_at_any_size_of_scan(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.float32)
    low, side = np.array([size[1] * 0.55, size[0] * 0.3]).astype(int), min(size) // 6
    image[low[1] : low[1] + side, low[0] : low[0] + side] = 1
    found = detect.find(None, image, OneFace(), 0.5)  # type: ignore[arg-type]
    assert len(found) == 1
    expected = np.array([*low, *(low + side - 1)])
    assert np.abs(found.boxes[0] - expected).max() <= 0.02 * max(size)


def test_large_scans_are_tiled_and_small_ones_are_not() -> None:
    def shapes(height: int, width: int) -> list[tuple[int, ...]]:
        return [v.pixels.shape[:2] for v in views(np.zeros((height, width, 3), np.float32))]

    assert shapes(800, 600) == [(160, 120), (400, 300), (1024, 768)]
    assert len(shapes(4000, 6000)) > 4
    assert max(max(shape) for shape in shapes(4000, 6000)) <= TILE_PX


def test_faces_come_largest_first() -> None:
    faces = as_faces(found_at([(0, 0, 10, 10), (0, 0, 50, 40), (5, 5, 30, 30)], [0.9, 0.5, 0.7]))
    areas = [(f.box[2] - f.box[0]) * (f.box[3] - f.box[1]) for f in faces]
    assert areas == sorted(areas, reverse=True)
    assert as_faces(joined([])) == ()


def test_other_files_are_refused_with_a_cure(tmp_path: Any) -> None:
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match=r"other\.pth.*pull it again"):
        load_published_mobile(path)


def test_pickled_code_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"state": DetectOptions}, path)
    with pytest.raises(WeightsError, match="evil"):
        load_published_mobile(path)


def test_networks_are_written_and_read(tmp_path: Any) -> None:
    from oldfix import write_network

    net = tiny()
    write_network(tmp_path / "net.safetensors", net, config={"network": "mobile0.25"})
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        difference = (load(tmp_path / "net.safetensors")(image) - net(image)).abs().max()
    assert float(difference) < 0.05
    assert count_parameters(net) <= 500_000


@pytest.fixture(scope="module")
def published(shared: Any) -> FaceDetector:
    path = shared / "weights" / "face" / "detection_mobilenet0.25_Final.pth"
    if not path.is_file():
        pytest.skip("the published RetinaFace file is not there")
    return load_published_mobile(path)


@pytest.mark.real_weights
def test_the_published_network_gives_what_facexlib_gives(published: FaceDetector) -> None:
    skimage_data = pytest.importorskip("skimage.data")
    image = skimage_data.astronaut()
    facexlib = published.retinaface
    facexlib.phase = "test"
    try:
        with torch.no_grad():
            bgr = np.ascontiguousarray(image[..., ::-1]).astype(np.float32)
            theirs = facexlib.detect_faces(bgr, conf_threshold=0.5)
    finally:
        facexlib.phase = "train"
    pixels = torch.from_numpy(image.transpose(2, 0, 1)[None] / np.float32(255))
    with torch.no_grad():
        ours = distinct(decode(published(pixels)[0].permute(1, 2, 0).numpy(), 0.5))
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours.boxes, theirs[:, :4], atol=0.01)
    np.testing.assert_allclose(ours.points.reshape(-1, 10), theirs[:, 5:], atol=0.01)


@pytest.mark.real_weights
def test_the_published_network_finds_the_astronaut(shared: Any) -> None:
    from oldfix.pipeline import Pipeline, Step
    from oldfix.registry import discover
    from oldfix.runner import Runner
    from oldfix.weights.store import Store

    skimage_data = pytest.importorskip("skimage.data")
    store = Store([shared / "weights" / "face"])
    registry = discover()
    if not store.installed(registry.cards["retinaface-mobile0.25"]):
        pytest.skip("the published RetinaFace file is not there")
    pipeline = Pipeline((Step("detect-faces", options={"model": "retinaface-mobile0.25"}),))
    plan = pipeline.plan(registry, given={IMAGE}, store=store)
    with Runner(device="cpu", precision="float32") as runner:
        photo = runner.run(plan, Photo.from_array(skimage_data.astronaut()))
    faces = photo[FACES]
    assert len(faces) == 1
    np.testing.assert_allclose(faces[0].box, (177, 56, 270, 176), atol=12)
    left, right, nose, mouth_left, mouth_right = faces[0].points
    assert left[0] < right[0] and mouth_left[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
