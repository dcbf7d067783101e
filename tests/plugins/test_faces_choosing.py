"""Which faces are taken, aligned input, and the pictures of faces side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from oldfix import FACES, IMAGE, Face, Photo, Pipeline, Runner, StageError, Step, discover
from oldfix.testing import TinyStore, example_photo
from oldfix_faces import DetectOptions, detect_stage
from oldfix_faces.align import template
from oldfix_faces.pairs import pair, write_pairs


def face_at(x: float, y: float, side: float) -> Face:
    """A face of a size around a place."""
    points = (template(64) / 64 - 0.5) * side + (x, y)
    half = side / 2
    return Face((x - half, y - half, x + half, y + half), 0.9, points.astype(np.float32))


FACES_FOUND = (face_at(20, 30, 40), face_at(90, 50, 30), face_at(160, 60, 20))


@pytest.mark.parametrize(
    ("which", "kept"),
    [("all", FACES_FOUND), ("largest", FACES_FOUND[:1]), ("centre", FACES_FOUND[1:2])],
)
def test_which_faces_are_taken(which: str, kept: tuple[Face, ...]) -> None:
    assert detect_stage.chosen(FACES_FOUND, which, (100, 200)) == kept
    assert detect_stage.chosen((), which, (100, 200)) == ()


class NoNetwork:
    """A context that refuses to load a network."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}

    def model(self, name: str) -> Any:
        raise AssertionError("an aligned face needs no detector")

    def note(self, **facts: Any) -> None:
        self.facts.update(facts)


def test_an_aligned_photograph_is_one_face_on_the_template() -> None:
    options, ctx = DetectOptions(aligned=True), NoNetwork()
    photo = detect_stage.detect(example_photo(96, 96), options, ctx)  # type: ignore[arg-type]
    np.testing.assert_allclose(photo[FACES][0].points, template(96), atol=1e-4)
    assert ctx.facts["found"] == 1
    with pytest.raises(StageError, match=r"96 x 80 pixels.*square"):
        detect_stage.detect(example_photo(80, 96), options, ctx)  # type: ignore[arg-type]


def test_a_face_stands_beside_what_became_of_it() -> None:
    before, after = example_photo(100, 120)[IMAGE], example_photo(100, 120, seed=1)[IMAGE]
    points = template(64) + np.array([12, 9])
    both = pair(before, after, points, 64)
    assert both.shape == (64, 130, 3)
    np.testing.assert_allclose(both[:, :64], before[9:73, 12:76], atol=1e-5)
    np.testing.assert_allclose(both[:, 66:], after[9:73, 12:76], atol=1e-5)
    assert (both[:, 64:66] == 1).all()


def test_the_faces_of_a_photograph_are_written_side_by_side(tmp_path: Path) -> None:
    steps = (Step("detect-faces", options={"aligned": True}), Step("refine-faces"))
    plan = Pipeline(steps).plan(discover(), given={IMAGE}, store=TinyStore())
    photo = Photo.from_array(example_photo(64, 64)[IMAGE], source="album/aunt.jpg")
    with Runner(device="cpu", precision="float32") as runner:
        files = list(write_pairs(runner, plan, photo, tmp_path / "faces", 96, False))
    assert [file.name for file in files] == ["aunt-1.png"]
    with Image.open(files[0]) as written:
        assert written.size == (194, 96)


def test_the_command_tells_of_a_photograph_without_faces(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from oldfix.cli.app import build_app

    Image.new("RGB", (64, 64), "grey").save(tmp_path / "wall.png")
    done = CliRunner().invoke(build_app(), ["faces", str(tmp_path / "wall.png"), "--device", "cpu"])
    assert done.exit_code == 0 and "wall.png: no face was found" in done.stderr


def test_the_command_tells_what_failed_and_goes_on(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from oldfix.cli.app import build_app

    pixels = (example_photo(64, 64)[IMAGE] * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "aunt.png")
    call = ["faces", str(tmp_path / "none.png"), str(tmp_path / "aunt.png"), "--aligned"]
    call += ["--size", "64", "--device", "cpu", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(build_app(), call)
    assert done.exit_code == 4
    assert "none.png" in done.stderr
    assert (tmp_path / "out" / "aunt-1.png").is_file()
    again = CliRunner().invoke(build_app(), call[:1] + call[2:])
    assert again.exit_code == 4 and "exists already" in again.stderr
