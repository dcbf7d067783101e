"""Networks from files: our own, and published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from oldfix import WeightsError, fill_from_checkpoint, load_network, write_network


class Scale(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int, kind: str = "plain") -> None:
        super().__init__()
        if kind != "plain":
            raise ValueError(f"no such kind: {kind}")
        self.weight = nn.Parameter(torch.ones(width))


def test_a_network_comes_back_ready_to_be_used(tmp_path: Path) -> None:
    net = Scale(3)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([1.0, 2.0, 0.5]))
    write_network(tmp_path / "a.safetensors", net, config={"width": 3})
    again = load_network(tmp_path / "a.safetensors", Scale, "a scale")
    assert isinstance(again, Scale) and not again.training
    assert again.weight.tolist() == [1.0, 2.0, 0.5] and again.weight.dtype == torch.float32


@pytest.mark.parametrize(
    "config", [{"width": 4}, {"widht": 3}, {}, {"width": 3, "kind": "other"}, {"width": "x"}]
)
def test_another_networks_file_is_told_from_ours(config: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_network(path, Scale(3), config=config)
    with pytest.raises(WeightsError, match=r"a\.safetensors: is not a scale \(.+\); get it anew"):
        load_network(path, Scale, "a scale")


@pytest.mark.parametrize("content", [None, b"", b"no tensors at all"])
def test_what_is_no_file_of_tensors_is_said(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.safetensors: is not a scale"):
        load_network(path, Scale, "a scale")
    with pytest.raises(WeightsError, match=r"a\.safetensors: is not a file of scales.*pull it"):
        fill_from_checkpoint(Scale(3), path, "a file of scales")


def test_tensors_are_picked_out_of_a_published_file(tmp_path: Path) -> None:
    path, net = tmp_path / "a.pth", Scale(2)
    torch.save({"ema": {"weight": torch.tensor([3.0, 4.0])}, "step": 7}, path)
    fill_from_checkpoint(net, path, "a scale", lambda saved: saved["ema"])
    assert net.weight.tolist() == [3.0, 4.0] and not net.training
    with pytest.raises(WeightsError, match="a scale"):
        fill_from_checkpoint(net, path, "a scale", lambda saved: saved["params"])


def test_code_in_a_published_file_is_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "harmed",)

    torch.save({"weight": Harm()}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="a scale"):
        fill_from_checkpoint(Scale(2), tmp_path / "a.pth", "a scale")
    assert not (tmp_path / "harmed").exists()
