"""Networks in memory: loaded once, pinned while in use, dropped when space runs short."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from oldfix.errors import EnvironmentProblem, first_line
from oldfix.weights.card import WeightsCard
from oldfix.weights.store import Store

_GIB = 1 << 30
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(eq=False)
class LoadedModel:
    """A network with its card, where it lives, and the precision it runs in."""

    card: WeightsCard
    net: torch.nn.Module
    device: torch.device
    precision: str
    pins: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of ``precision``."""
        return _DTYPES[self.precision]

    @property
    def size(self) -> int:
        """Bytes of its parameters."""
        return sum(p.numel() * p.element_size() for p in self.net.parameters())


class ModelCache:
    """Loads networks on first use and keeps them while they fit.

    Args:
        store: finds and verifies the files.
        device: "auto", "cpu", "cuda", "cuda:1", "mps" …
        precision: "auto" (the fastest that card and device both bear) or one of the card's.
        limit: bytes of parameters to keep; by default half of the device's memory, or 4 GiB.
    """

    def __init__(
        self,
        store: Store,
        *,
        device: str = "auto",
        precision: str = "auto",
        limit: int | None = None,
    ) -> None:
        self.store = store
        self.device = choose_device(device)
        self.precision = precision
        self.limit = limit or _default_limit(self.device)
        self._models: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.RLock()

    @contextmanager
    def use(self, card: WeightsCard, loaded: Callable[[str, float], None]) -> Iterator[LoadedModel]:
        """Give the network of a card, pinned while the block lasts.

        Args:
            card: which network.
            loaded: called with the card's id and the seconds it took, if it had to be loaded.
        """
        with self._lock:
            model = self._models.get(card.id)
            if model is None:
                start = time.perf_counter()
                model = self._models[card.id] = self._load(card)
                loaded(card.id, time.perf_counter() - start)
            model.pins += 1
            self._models.move_to_end(card.id)
            self._evict()
        try:
            yield model
        finally:
            with self._lock:
                model.pins -= 1

    def pinned(self) -> list[str]:
        """Ids of the networks in use right now."""
        return [name for name, model in self._models.items() if model.pins]

    def clear(self) -> None:
        """Forget every network."""
        with self._lock:
            self._models.clear()

    def _load(self, card: WeightsCard) -> LoadedModel:
        precision = choose_precision(card, self.device, self.precision)
        net: torch.nn.Module = self.store.network(card)
        net = net.eval().requires_grad_(False)
        net = net.to(device=self.device, memory_format=torch.channels_last)
        return LoadedModel(card, net, self.device, precision)

    def _evict(self) -> None:
        """Drop the least recently used networks that nobody uses, until the rest fits."""
        total = sum(model.size for model in self._models.values())
        for name, model in list(self._models.items()):
            if total <= self.limit:
                return
            if not model.pins:
                total -= model.size
                del self._models[name]


def choose_device(wanted: str) -> torch.device:
    """Turn "auto" or a device's name into a device that is there.

    Raises:
        EnvironmentProblem: the device does not exist on this machine.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise EnvironmentProblem(
            f"device '{wanted}': cannot be used ({first_line(error)}); run 'oldfix doctor', or use "
            "cpu"
        ) from error
    return device


def choose_precision(card: WeightsCard, device: torch.device, wanted: str) -> str:
    """The precision to run a network in.

    Raises:
        EnvironmentProblem: the card does not list the precision asked for.
    """
    if wanted != "auto":
        if wanted not in card.precision:
            raise EnvironmentProblem(
                f"{card.id}: does not run in {wanted}; it lists {', '.join(card.precision)}"
            )
        return wanted
    fast = [p for p in card.precision if p == "float32" or _is_fast(p, device)]
    return fast[-1] if fast else "float32"


def _is_fast(precision: str, device: torch.device) -> bool:
    """Whether the hardware computes in a reduced precision rather than emulating it."""
    if device.type == "cuda":
        return precision == "float16" or torch.cuda.is_bf16_supported()
    if device.type == "cpu" and precision == "bfloat16":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return False


def _default_limit(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // 2
    return 4 * _GIB
