"""CIFAR-10 beside denoise-diffusion: files of its layout are read, and every denoiser measured."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oldfix import UsageError
from oldfix_denoise import study
from oldfix_denoise.cifar import KINDS, noisy_samples, read_cifar, spread


def pictures(count: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return np.kron(coarse, np.ones((1, 8, 8, 1), np.uint8))


def write_batch(path: Path, images: np.ndarray) -> Path:
    """A batch as CIFAR-10's python version has it: keys are bytes, planes one after the other."""
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    content = {b"batch_label": b"testing batch 1 of 1", b"labels": [0] * len(images), b"data": rows}
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def test_a_folder_of_batches_is_read_and_the_test_batch_preferred(tmp_path: Path) -> None:
    first, second = pictures(2), pictures(3, seed=1)
    write_batch(tmp_path / "data_batch_2", second)
    write_batch(tmp_path / "data_batch_1", first)
    np.testing.assert_array_equal(read_cifar(tmp_path), np.concatenate([first, second]))
    np.testing.assert_array_equal(read_cifar(tmp_path / "data_batch_1"), first)
    write_batch(tmp_path / "test_batch", second)
    np.testing.assert_array_equal(read_cifar(tmp_path), second)


def test_an_archive_of_images_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", images=pictures(4), labels=np.zeros(4, np.int64))
    np.testing.assert_array_equal(read_cifar(tmp_path / "few.npz"), pictures(4))
    assert len(spread(pictures(9), 4)) == 4
    np.testing.assert_array_equal(spread(pictures(9), 3), pictures(9)[[0, 4, 8]])


class Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (print, ("code was run",))


def test_what_is_no_cifar_is_refused_and_no_code_run(tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(UsageError, match="holds neither test_batch nor data_batch_1"):
        read_cifar(tmp_path)
    (tmp_path / "test_batch").write_bytes(pickle.dumps({b"data": Harmful()}))
    with pytest.raises(UsageError, match=r"not a batch of CIFAR-10 \(asks for builtins.print"):
        read_cifar(tmp_path)
    (tmp_path / "test_batch").write_bytes(b"nothing")
    with pytest.raises(UsageError, match="test_batch: is not a batch"):
        read_cifar(tmp_path)
    write_batch(tmp_path / "test_batch", pictures(1)[:, :8])
    with pytest.raises(UsageError, match="test_batch: is not a batch"):
        read_cifar(tmp_path)
    np.savez(tmp_path / "wrong.npz", images=np.zeros((2, 32, 32, 3)))
    with pytest.raises(UsageError, match="holds float64"):
        read_cifar(tmp_path / "wrong.npz")
    with pytest.raises(UsageError, match="gone"):
        read_cifar(tmp_path / "gone")
    assert "code was run" not in capsys.readouterr().out


def test_noise_has_its_strength_and_does_not_depend_on_the_other_pictures() -> None:
    grey = np.full((40, 32, 32, 3), 128, np.uint8)
    white = noisy_samples(grey, "white", sigma=25, seed=0)
    errors = np.stack([sample.image - sample.truth for sample in white])
    assert errors.std() * 255 == pytest.approx(25, rel=0.02)
    for kind in KINDS:
        many, few = (noisy_samples(grey[:n], kind, sigma=25, seed=1) for n in (3, 2))
        np.testing.assert_array_equal(many[1].image, few[1].image)
        assert not np.array_equal(many[1].image, many[1].truth)
        assert not np.array_equal(many[0].image, many[1].image)


def test_the_study_measures_every_denoiser_on_every_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("oldfix_denoise.cifar.KINDS", ("white", "camera"))
    write_batch(tmp_path / "test_batch", pictures(3))
    output = ["-o", str(tmp_path / "out"), "--limit", "2"]
    assert study.main(["cifar", "--cifar", str(tmp_path), *output]) == 0
    rows = json.loads((tmp_path / "out" / "cifar.json").read_text("utf-8"))["rows"]
    for kind in ("white", "camera"):
        names = [row["row"] for row in rows if row["noise"] == kind]
        assert "identity" in names and "BM3D" in names
        for wanted in ("denoiser-px-s", "dncnn-s", "nlrn-s"):
            assert any(wanted in name for name in names)
    assert {row["pictures"] for row in rows if row["row"] == "identity"} == {2}
    assert "| white | identity |" in capsys.readouterr().out
