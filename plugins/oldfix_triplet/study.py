"""Measure the gap between real and synthetic latents: ``python -m oldfix_triplet.study``.

The triplet exists because synthetic damage is not real damage. This says how far apart the codes of
the two are for the autoencoders of each file given: before the latent game, after it, with one
folder of old photographs or another. No photograph counts on both sides of a comparison.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oldfix import UsageError
from oldfix.evaluation.studies import leave_with, write_study
from oldfix.training import PhotoPool, stacked
from oldfix_triplet.examples import Domains
from oldfix_triplet.gap import domain_accuracy, squared_mmd
from oldfix_triplet.mapping import load as load_mapping
from oldfix_triplet.train_mapping import pooled_psnr
from oldfix_triplet.train_vae import codes, told_again
from oldfix_triplet.vae import load

Row = dict[str, Any]


def gap(
    files: Sequence[Path],
    clean: Path,
    real: Path | None,
    *,
    mapping: Path | None = None,
    crops: int = 200,
    seed: int = 0,
) -> list[Row]:
    """Measure autoencoders on crops of photographs that took no part in their training.

    Args:
        files: weights files of pairs of autoencoders.
        clean: folder, or text file of paths, of sound photographs; their damage is domain x.
        real: the same of real old photographs, domain r; None lets other damage stand in.
        mapping: weights file of a mapping network, to see what it still does in these latents.
        crops: of each domain; even.
        seed: of crops and damage.

    Returns:
        A row for each file: "told_apart" (share of held-out latents that a logistic regression
        assigns correctly, 0.5 is chance), "mmd2" (squared maximum mean discrepancy, 0 is none),
        "psnr_x" and "psnr_r" (mean PSNR in dB of crops decoded again); with a mapping network
        "restored", beside "found" (PSNR in dB of the mean squared error over crops of x).

    Raises:
        UsageError: fewer than two photographs of a domain, or an odd number of crops.
    """
    if crops < 4 or crops % 2:
        raise UsageError(f"--crops {crops}: must be even and at least 4")
    halves = _halves(clean, real)
    r = _real(halves, crops, seed)
    x, y, mask = _pairs(halves, crops, seed)
    net = None if mapping is None else load_mapping(mapping)
    device = torch.device("cpu")
    rows = []
    for file in files:
        pair = load(file)
        found = pair.found
        with torch.inference_mode():
            z_r, z_x = codes(found, r, device), codes(found, x, device)
            told = {"psnr_x": told_again(found, x, device), "psnr_r": told_again(found, r, device)}
            if net is not None:
                restored = pooled_psnr(pair, net, x, y, mask)
                told |= {name: restored[name] for name in ("restored", "found")}
        measured = {"told_apart": domain_accuracy(z_r, z_x), "mmd2": squared_mmd(z_r, z_x)}
        rows.append({"file": file.parent.name + "/" + file.name, **measured, **told})
    return rows


def _halves(clean: Path, real: Path | None) -> tuple[Domains, Domains]:
    """Every other photograph of each domain: what a classifier learns from, and is asked about."""
    pools = [
        None if entry is None else PhotoPool.read((entry,), max_side=1024)
        for entry in (clean, real)
    ]
    for entry, pool in zip((clean, real), pools, strict=True):
        if pool is not None and len(pool) < 2:
            raise UsageError(f"{entry}: holds one photograph; comparing needs two at least")
    found = [
        [None if pool is None else PhotoPool((pool.groups[0][half::2],)) for pool in pools]
        for half in (0, 1)
    ]
    (clean_0, real_0), (clean_1, real_1) = found
    assert clean_0 is not None and clean_1 is not None
    return Domains(clean_0, real_0), Domains(clean_1, real_1)


def _real(halves: tuple[Domains, Domains], count: int, seed: int) -> Tensor:
    """Crops of r (count, 3, CROP, CROP), in turns from either half's photographs."""
    rngs = (np.random.default_rng([seed, 0, i]) for i in range(count))
    return stacked((halves[i % 2].real_old(rng),) for i, rng in enumerate(rngs))[0]


def _pairs(halves: tuple[Domains, Domains], count: int, seed: int) -> tuple[Tensor, ...]:
    """As many x, y and masks, in the same turns."""
    rngs = (np.random.default_rng([seed, 1, i]) for i in range(count))
    return stacked(halves[i % 2].pair(rng) for i, rng in enumerate(rngs))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; the table goes to the standard output and the output folder."""
    parser = argparse.ArgumentParser(prog="python -m oldfix_triplet.study", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="weights files of autoencoders")
    parser.add_argument("--clean", type=Path, required=True, help="folder of sound photographs")
    parser.add_argument("--real", type=Path, help="folder of old ones; made damage stands in")
    parser.add_argument("--mapping", type=Path, help="mapping network, to see what it still does")
    parser.add_argument("--crops", type=int, default=200, help="of each domain")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("out/triplet-study"))
    options = parser.parse_args(arguments)
    how = {"mapping": options.mapping, "crops": options.crops, "seed": options.seed}
    rows = gap(options.files, options.clean, options.real, **how)
    settings = {name: value for name, value in vars(options).items() if name != "output"}
    write_study(options.output, "gap", settings, rows)
    return 0


if __name__ == "__main__":
    leave_with(main)
