"""The recipe that wakes a silent restorer: which weights it scales, and that it does so."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from oldfix import UsageError, write_network
from oldfix.training import TrainRequest, read_recipe
from oldfix_diffusion import train_restorer
from oldfix_diffusion.restorer import Restorer, tiny_restorer
from oldfix_diffusion.waking import started, wake

RECIPES = Path(train_restorer.__file__).with_name("training.toml")


def restorer(seed: int) -> Restorer:
    """A tiny restorer, every tensor of it random."""
    net = tiny_restorer()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return net


def test_the_last_block_and_the_gate_are_scaled_and_nothing_else() -> None:
    net = restorer(0)
    before = copy.deepcopy(net.state_dict())
    wake(net, block=0.25, gate=0.5)
    last, gate = "denoiser.up.0.0.second", "head.exit"
    for name, value in net.state_dict().items():
        wanted = before[name].clone()
        if name.startswith(last):
            wanted *= 0.25
        elif name.startswith(gate):
            wanted[:16] *= 0.5
        torch.testing.assert_close(value, wanted, atol=0, rtol=0)


@torch.inference_mode()
def test_what_is_scaled_is_what_the_block_adds_and_what_the_gate_is_made_of() -> None:
    net, woken = restorer(1), restorer(1)
    wake(woken, block=0.25, gate=0.5)
    seen = {}

    def keep(name: str):
        return lambda module, inputs, output: seen.update({name: (inputs[0], output)})

    for name, one in (("before", net), ("after", woken)):
        one.denoiser.up[0][-1].register_forward_hook(keep(f"{name} block"))
        one.head.exit.register_forward_hook(keep(f"{name} exit"))
        one.denoise(torch.ones(1, 4, 8, 8), torch.zeros(1, 16, 8, 8), 1.0)
        one.detail(*(torch.full((1, n, 32, 32), 0.4) for n in (3, 3, 1)))
    added = [output - inputs for inputs, output in (seen["before block"], seen["after block"])]
    torch.testing.assert_close(added[1], 0.25 * added[0], rtol=1e-3, atol=1e-3)
    said = [
        torch.nn.functional.pixel_shuffle(seen[f"{name} exit"][1], 4)
        for name in ("before", "after")
    ]
    torch.testing.assert_close(said[1][:, :1], 0.5 * said[0][:, :1])
    torch.testing.assert_close(said[1][:, 1:], said[0][:, 1:])


def test_the_recipe_wakes_the_network_of_init_and_trains_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "silent.safetensors"
    silent = restorer(2)
    write_network(file, silent, config=silent.config)
    asked = TrainRequest((tmp_path,), tmp_path / "run", init=file, recipe="wake")
    recipe = read_recipe(RECIPES, "restorer-s", asked)
    assert list(recipe.phases) == ["joint"]
    net = restorer(3)
    request = started(net, asked, recipe)
    assert request.init is None  # else the training would begin with what was there before
    wake(silent, block=0.3, gate=0.6)
    for ours, theirs in zip(net.parameters(), silent.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=2e-3)  # the file is float16


def test_waking_needs_a_network(tmp_path: Path) -> None:
    for recipe in ("wake", "finish"):
        asked = TrainRequest((tmp_path,), tmp_path / "run", recipe=recipe)
        with pytest.raises(UsageError, match=f"'{recipe}' goes on with a network"):
            read_recipe(RECIPES, "restorer-s", asked)


def test_other_recipes_leave_the_network_and_the_request_alone(tmp_path: Path) -> None:
    asked = TrainRequest((tmp_path,), tmp_path / "run", init=tmp_path / "none.safetensors")
    net = restorer(4)
    assert started(net, asked, read_recipe(RECIPES, "restorer-s", asked)) is asked
    torch.testing.assert_close(net.state_dict(), restorer(4).state_dict())
