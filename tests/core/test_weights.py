from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch

from oldfix import WeightsCard, WeightsError
from oldfix.weights.download import download
from oldfix.weights.store import Store, search_folders
from tests.core.plugins import SmoothNet, card


def install(folder: Path, content: bytes, name: str = "smooth", **values: object) -> WeightsCard:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.pt").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return card(name, sha256=digest, bytes=len(content), **values)


def network_bytes(tmp_path: Path) -> bytes:
    torch.save({"gain": 0.25}, tmp_path / "source.pt")
    return (tmp_path / "source.pt").read_bytes()


def test_a_verified_file_becomes_a_network(tmp_path: Path) -> None:
    smooth = install(tmp_path / "w", network_bytes(tmp_path))
    net = Store([tmp_path / "w"]).network(smooth)
    assert isinstance(net, SmoothNet)
    assert net.gain.item() == 0.25


def test_a_changed_file_is_not_opened(tmp_path: Path) -> None:
    smooth = install(tmp_path, b"sound weights")
    (tmp_path / "smooth.pt").write_bytes(b"other weights")
    with pytest.raises(WeightsError, match="it was not opened"):
        Store([tmp_path]).network(smooth)


def test_a_truncated_file_is_told_by_its_size(tmp_path: Path) -> None:
    smooth = install(tmp_path, b"sound weights")
    (tmp_path / "smooth.pt").write_bytes(b"sound")
    with pytest.raises(WeightsError, match="has 5 bytes where smooth has 13"):
        Store([tmp_path]).verify(smooth)


def test_a_file_changed_after_it_was_verified_is_looked_at_again(tmp_path: Path) -> None:
    smooth = install(tmp_path, b"sound weights")
    store = Store([tmp_path])
    path = store.verify(smooth)
    path.write_bytes(b"other weights")
    os.utime(path, ns=(1, 1))
    with pytest.raises(WeightsError):
        store.verify(smooth)


def test_a_pickle_that_asks_for_code_is_refused(tmp_path: Path) -> None:
    torch.save({"gain": os.system}, tmp_path / "evil.pt")
    smooth = install(tmp_path / "w", (tmp_path / "evil.pt").read_bytes())
    with pytest.raises(WeightsError, match="cannot be opened as smooth"):
        Store([tmp_path / "w"]).network(smooth)


def test_missing_weights_name_the_cure(tmp_path: Path) -> None:
    store = Store([tmp_path])
    with pytest.raises(WeightsError, match="run 'oldfix weights pull smooth'"):
        store.verify(card(url="https://example.org/smooth.pt"))
    with pytest.raises(WeightsError, match="reinstall oldfix"):
        store.verify(card())


def test_the_best_installed_card_of_a_role_wins(tmp_path: Path) -> None:
    low = install(tmp_path, b"low", "low", rank=1)
    high = install(tmp_path, b"high", "high", rank=2)
    absent = card("absent", rank=3)
    store = Store([tmp_path])
    assert store.best([low, high, absent], "smoother") is high
    assert store.best([absent], "smoother") is None
    assert store.best([high], "detector") is None


def test_import_checks_before_it_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLDFIX_WEIGHTS", str(tmp_path / "mine"))
    smooth = install(tmp_path / "downloads", b"sound weights")
    store = Store()
    (tmp_path / "wrong").write_bytes(b"wrong weights")
    with pytest.raises(WeightsError, match="sha256"):
        store.put(smooth, tmp_path / "wrong")
    assert not (tmp_path / "mine").exists()
    store.put(smooth, tmp_path / "downloads" / "smooth.pt")
    assert store.verify(smooth) == tmp_path / "mine" / "smooth.pt"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["smooth.pt"]


def test_a_full_disk_leaves_nothing_of_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, part: Path) -> None:
        Path(part).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("OLDFIX_WEIGHTS", str(tmp_path / "mine"))
    smooth = install(tmp_path / "downloads", b"sound weights")
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(WeightsError, match=r"smooth\.pt: cannot be written \(No space left.*free"):
        Store().put(smooth, tmp_path / "downloads" / "smooth.pt")
    assert not list((tmp_path / "mine").iterdir())


def test_the_chosen_folder_comes_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLDFIX_WEIGHTS", "chosen")
    assert search_folders()[0] == Path("chosen")


# --- weights that are folders -----------------------------------------------------------------


def folder_card(**values: object) -> WeightsCard:
    layout = ("model_index.json", "unet/config.json")
    return card("pipeline", file="pipeline", layout=layout, sha256="", **values)


def test_a_folder_is_verified_by_its_layout(tmp_path: Path) -> None:
    whole = folder_card()
    store = Store([tmp_path])
    with pytest.raises(WeightsError, match="pipeline is not installed"):
        store.verify(whole)
    (tmp_path / "pipeline" / "unet").mkdir(parents=True)
    (tmp_path / "pipeline" / "model_index.json").touch()
    with pytest.raises(WeightsError, match=r"lacks unet/config\.json"):
        store.verify(whole)
    (tmp_path / "pipeline" / "unet" / "config.json").touch()
    assert store.verify(whole) == tmp_path / "pipeline"


def test_a_file_of_a_folders_name_is_not_it(tmp_path: Path) -> None:
    (tmp_path / "pipeline").touch()
    assert not Store([tmp_path]).installed(folder_card())


def test_a_folder_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    own = folder_card(url="https://example.org").at(tmp_path / "mine")
    assert own.id == str(tmp_path / "mine")
    assert (own.url, own.licence) == ("", "not stated")
    with pytest.raises(WeightsError, match="no such folder"):
        Store([]).verify(own)


def test_folders_are_neither_fetched_nor_imported(tmp_path: Path) -> None:
    published = folder_card(url="https://example.org/pipeline")
    with pytest.raises(WeightsError, match="which oldfix does not fetch"):
        download(published, Store([tmp_path]))
    with pytest.raises(WeightsError, match="is a folder, not a file"):
        Store([tmp_path]).put(published, tmp_path / "x")


def test_a_file_needs_a_digest() -> None:
    with pytest.raises(ValueError, match="a file needs its sha256"):
        card("smooth", sha256="")
