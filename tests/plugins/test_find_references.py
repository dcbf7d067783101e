"""Finding references in a folder: what is chosen, what is passed over, what the history says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from oldfix import IMAGE, LIBRARY, REFERENCES, FileError, Photo, StageError
from oldfix.colour import luminance
from oldfix.keys import Key, check_value, resolve
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import StageContract, TinyStore
from oldfix_colorize import library
from oldfix_colorize.retrieval import classical, likeness, summary, unit


def scene(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    """A smooth random colour picture."""
    small = np.random.default_rng(seed).random((5, 6, 3), np.float32)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.uint8(np.rint(image * 255))).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five colour photographs, a grey one, and a file that is none."""
    for seed in range(5):
        save(tmp_path / "album" / f"scene-{seed}.png", scene(seed))
    grey = luminance(scene(7)) / 100
    save(tmp_path / "album" / "grey.png", np.repeat(grey[..., None], 3, axis=2))
    (tmp_path / "album" / "broken.png").write_bytes(b"nothing")
    return tmp_path / "album"


def asked(seed: int = 3) -> Photo:
    """The photograph of a scene, grey, a little larger and lighter."""
    light = luminance(cv2.resize(scene(seed), (180, 132))) / 100
    return Photo.from_array(np.repeat((0.1 + 0.85 * light)[..., None], 3, axis=2))


def find(photo: Photo, **options: Any) -> Photo:
    plan = Pipeline((Step("find-references", options=options),)).plan(
        discover(), given=set(photo), store=TinyStore()
    )
    with Runner(device="cpu", precision="float32") as runner:
        return runner.run(plan, photo)


def of(folder: Path, photo: Photo) -> Photo:
    return photo.put(LIBRARY, resolve(LIBRARY.read or "")([folder], photo))


class TestFindReferences(StageContract):
    stage = "find-references"

    @pytest.fixture(autouse=True)
    def _album(self, folder: Path) -> None:
        self.album = folder

    def given(self, key: Key[Any], photo: Photo) -> Any:
        if key is LIBRARY:
            return tuple(sorted(self.album.glob("*.png")))
        return super().given(key, photo)


@pytest.mark.parametrize("features", ["both", "network", "classical"])
def test_the_same_scene_is_found_first_and_the_history_says_which(folder, features):
    after = find(of(folder, asked(3)), features=features, count=2, least=-1.0)
    references = after[REFERENCES]
    assert len(references) == 2
    np.testing.assert_allclose(references[0], scene(3), atol=0.01)
    (entry,) = after.history
    chosen = entry["notes"]["found"] if "notes" in entry else entry["found"]
    assert next(Path(name).name for name in chosen) == "scene-3.png" and len(chosen) == 2
    assert "'compared': 5" in str(entry) and "'passed_over': 2" in str(entry)


def test_found_ones_join_those_given(folder):
    photo = of(folder, asked()).put(REFERENCES, (scene(9),))
    after = find(photo, count=1)
    assert len(after[REFERENCES]) == 2
    np.testing.assert_array_equal(after[REFERENCES][0], photo[REFERENCES][0])
    np.testing.assert_array_equal(after[IMAGE], photo[IMAGE])


def test_nothing_is_taken_that_is_less_alike_than_asked(folder):
    photo = of(folder, asked(3))
    after = find(photo, features="classical", least=1.0)
    assert REFERENCES not in after
    assert "scene-3.png, the best, is at" in str(after.history[0])
    some = find(photo, features="classical", count=5, least=0.2)[REFERENCES]
    every = find(photo, features="classical", count=5, least=-1.0)[REFERENCES]
    assert 1 <= len(some) < len(every) == 5


def test_what_needs_a_reference_says_that_none_was_found(folder):
    finding = Step("find-references", options={"features": "classical", "least": 1.0})
    pipeline = Pipeline((finding, Step("transfer-color-classical")))
    photo = of(folder, asked(3))
    plan = pipeline.plan(discover(), given=set(photo), store=TinyStore())
    with (
        Runner(device="cpu", precision="float32") as runner,
        pytest.raises(StageError, match="no reference was found"),
    ):
        runner.run(plan, photo)


def test_a_library_without_colours_is_told_and_gives_nothing(folder):
    photo = asked().put(LIBRARY, (folder / "grey.png", folder / "broken.png"))
    after = find(photo)
    assert REFERENCES not in after
    assert "none of the 2 photographs" in str(after.history[0])


def test_descriptions_are_remembered_until_the_file_changes(folder, monkeypatch):
    reads: list[Path] = []
    read = library.read_image
    monkeypatch.setattr(library, "read_image", lambda path: reads.append(path) or read(path))
    photo = asked().put(LIBRARY, (folder / "scene-0.png", folder / "scene-1.png"))
    find(photo, count=1, features="classical")
    first = len(reads)
    find(photo, count=1, features="classical")
    assert len(reads) == first + 1  # the chosen one alone is read again
    save(folder / "scene-0.png", scene(3))
    (folder / "scene-0.png").touch()
    after = find(photo, count=1, features="classical")
    np.testing.assert_allclose(after[REFERENCES][0], scene(3), atol=0.01)


def test_large_references_are_handed_on_at_a_bounded_size(tmp_path):
    path = save(tmp_path / "large.png", scene(1, 1200, 1600))
    (reference,) = find(asked(1).put(LIBRARY, (path,)))[REFERENCES]
    assert max(reference.shape[:2]) == 768


# What is read --------------------------------------------------------------------------------


def test_library_lists_a_folder_without_the_photograph_itself(folder):
    photo = Photo.from_array(scene(0), source=str(folder / "scene-0.png"))
    paths = resolve(LIBRARY.read or "")([folder], photo)
    check_value(LIBRARY, paths)
    assert "scene-0.png" not in {path.name for path in paths} and len(paths) == 6


def test_a_folder_with_nothing_else_is_refused(tmp_path):
    own = save(tmp_path / "alone.png", scene(0))
    photo = Photo.from_array(scene(0), source=str(own))
    with pytest.raises(FileError, match=r"no photograph but alone\.png itself"):
        resolve(LIBRARY.read or "")([tmp_path], photo)


@pytest.mark.parametrize("value", [(), ["a.png"], ("a.png",)])
def test_a_library_is_a_tuple_of_paths(value):
    with pytest.raises(ValueError, match="must"):
        check_value(LIBRARY, value)


# Descriptions ----------------------------------------------------------------------------------


def test_likeness_is_one_for_the_same_and_minus_one_for_the_opposite():
    one = np.float32([1, -2, 3])
    np.testing.assert_allclose(likeness((one,), [(one,), (-one,)]), [1, -1], atol=1e-6)
    both = likeness((one, one), [(one, -one), (one, one)])
    np.testing.assert_allclose(both, [0, 1], atol=1e-6)


def test_what_all_have_in_common_does_not_count():
    common = np.float32([100, 0, 0])
    rows = [common + np.float32(part) for part in ([0, 1, 0], [0, 0, 1], [0, -1, -1])]
    scores = likeness((rows[1],), [(row,) for row in rows])
    assert scores.argmax() == 1 and scores[0] < 0.1


def test_classical_description_does_not_see_contrast():
    light = luminance(scene(2, 128, 128))
    plain, flat = classical(light), classical(20 + 0.6 * light)
    gradients = 4 * 4 * 8
    np.testing.assert_allclose(plain[:gradients], flat[:gradients], atol=0.02)
    assert abs(float(np.linalg.norm(plain)) - np.sqrt(3)) < 1e-4


def test_summary_of_features_too_small_to_quarter():
    features = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    assert summary(features).shape == summary(np.ones((4, 6, 3), np.float32)).shape == (15,)
    assert np.linalg.norm(unit(np.zeros(4, np.float32))) == 0
