"""Counts that the pages quote, on the photographs beside the repository: run with ``-m slow``.

Where one of these fails, look at what was found, and change the page that quotes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch.nn.functional import pixel_unshuffle

from oldfix import IMAGE, LIBRARY, Photo, Pipeline, Runner, Step, discover, is_toned, read_image
from oldfix.colour import luminance
from oldfix.evaluation.samples import samples
from oldfix.evaluation.sets import load_set
from oldfix.training import PhotoPool, installed_network
from oldfix_faces.transfer import linear_maps

pytestmark = pytest.mark.slow

#: Photographs by which a count may differ before the page has to change.
_MAY_DIFFER = 2


def pictures(*folders: Path) -> list[Path]:
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    return sorted(p for f in folders for p in f.rglob("*") if p.suffix.lower() in kinds)


def coloured(images: Iterable[np.ndarray]) -> int:
    return sum(not is_toned(image) for image in images)


def test_how_many_photographs_count_as_coloured(shared: Path) -> None:
    """Decision 15: old ones (14 have colours), sound ones, faded ones, and greyed and browned."""
    data = shared / "data"
    sound = [read_image(path) for path in pictures(data / "eval" / "Kodak24")]
    faded = [sample.image for sample in samples(load_set("tone"), data, seed=0)]
    grey = [sample.image for sample in samples(load_set("tone-grey"), data, seed=0)]
    found = {
        "old": coloured(read_image(path) for path in pictures(data / "old" / "dev")),
        "sound": coloured(sound),
        "faded": coloured(faded),
        "greyed and browned": coloured(grey),
    }
    wanted = {"old": 17, "sound": 23, "faded": 27, "greyed and browned": 0}
    assert found == pytest.approx(wanted, abs=_MAY_DIFFER), f"of {len(grey)} greyed: {found}"


def places(album: list[Path], features: str) -> list[int]:
    """For each left half, the place of the same photograph's right half among all of them."""
    finding = Step("find-references", options={"features": features, "count": 10, "least": -1.0})
    plan = Pipeline((finding,)).plan(discover(), given={IMAGE, LIBRARY})
    found = []
    with Runner(device="cpu") as runner:
        for path in album:
            left = read_image(path.with_name(f"left-{path.name}"))
            light = np.repeat(luminance(left)[..., None] / 100, 3, axis=2)
            photo = Photo.from_array(light).put(LIBRARY, tuple(album))
            (entry,) = runner.run(plan, photo).history
            names = [Path(name).name for name in entry["notes"]["found"]]
            found.append(names.index(path.name) if path.name in names else len(album))
    return found


def test_how_often_the_same_photograph_is_found_first(shared: Path, tmp_path: Path) -> None:
    """Decision 7: left halves ask, the mirrored right halves that have colours are on offer."""
    album = []
    for path in pictures(shared / "data" / "natural" / "bsds")[::3]:
        picture = read_image(path)
        middle = picture.shape[1] // 2
        left, right = picture[:, :middle], picture[:, ::-1][:, :middle]
        if is_toned(right):
            continue
        album.append(save(tmp_path / f"{path.stem}.png", right))
        save(tmp_path / f"left-{path.stem}.png", left)
    assert len(album) == 79
    first = {how: places(album, how).count(0) for how in ("network", "classical", "both")}
    wanted = {"network": 32, "classical": 45, "both": 51}
    assert first == pytest.approx(wanted, abs=_MAY_DIFFER), f"found: {first}"


def save(path: Path, picture: np.ndarray) -> Path:
    Pillow.fromarray(np.round(picture * 255).astype(np.uint8)).save(path)
    return path


@torch.no_grad()
def test_what_the_refiners_start_loses(shared: Path) -> None:
    """Decision 13: how far linear maps are from the autoencoder that they stand for."""
    latent = installed_network(discover().cards["latent-f4-s"])
    pool = PhotoPool.read((shared / "data" / "faces" / "val",), max_side=256)
    into, out = linear_maps(latent, pool)
    rng, noise = np.random.default_rng(1), torch.Generator().manual_seed(1)
    faces = torch.from_numpy(np.stack([pool.crop(rng, 128) for _ in range(40)])).permute(0, 3, 1, 2)
    z = latent.encode(faces)
    told = torch.einsum("nphw,pz->nzhw", pixel_unshuffle(faces - 0.5, 4), into[:-1])
    lost = (z - told - into[-1][:, None, None]).square().mean() / z.var()
    change = 0.1 * torch.randn(z.shape, generator=noise)
    changed = pixel_unshuffle(latent.decode(z + change) - latent.decode(z), 4)
    said = torch.einsum("nzhw,zp->nphw", change, out)
    of_changes = (changed - said).square().mean() / changed.square().mean()
    found = {"latent": float(lost), "change": float(of_changes)}
    assert found == pytest.approx({"latent": 0.002, "change": 0.12}, rel=0.3)
