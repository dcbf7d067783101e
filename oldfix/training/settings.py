"""What a training run is asked to do, and what a network's author supplies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked

from oldfix.weights.card import WeightsCard

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainRequest:
    """What ``oldfix train NAME`` hands to the function that a card names in ``train``.

    Attributes:
        data: folders of photographs, photographs, packs, or text files with one path a line.
        out: folder for the checkpoint, the logs and the finished network; made if missing.
        minutes: time box of the whole run, resumed parts included; None takes the recipe's.
        device: "cpu", "cuda", "cuda:1", ...
        seed: source of all randomness.
        resume: go on from the checkpoint in ``out``, if there is one.
        init: weights file to start from, instead of random values.
        workers: processes that make samples; 0 makes them in the training process.
        recipe: name of one of the network's recipes.
        card: what ships now; the new network's card is made from it.
    """

    data: tuple[Path, ...]
    out: Path
    minutes: float | None = None
    device: str = "cpu"
    seed: int = 0
    resume: bool = False
    init: Path | None = None
    workers: int = 1
    recipe: str = "cpu"
    card: WeightsCard | None = None

    @property
    def checkpoint(self) -> Path:
        """The file that a run can be gone on with from."""
        return self.out / "checkpoint.pt"


@checked(frozen=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class Settings:
    """How `oldfix.training.fit` trains; the author of a network chooses these.

    Attributes:
        batch: samples in a step.
        learning_rate: peak of the schedule (AdamW).
        warmup: steps of linear rise from zero to the peak.
        final: the cosine ends at this part of the peak.
        ema: decay of the exponential moving average of the weights.
        clip: largest norm of the gradient.
        weight_decay: of AdamW.
        autocast: compute in bfloat16 where torch thinks it safe.
        validate_every_minutes: how often the averaged network is validated.
        checkpoint_every_minutes: how often the state is saved.
        log_every: steps between two lines of the log.
        steps: end after so many steps instead of ``TrainRequest.minutes``; such a run does not
            depend on the clock.
    """

    batch: Annotated[int, Field(gt=0)]
    learning_rate: Annotated[float, Field(ge=0)] = 5e-4
    warmup: Annotated[int, Field(ge=0)] = 200
    final: Annotated[float, Field(ge=0, le=1)] = 0.01
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.999
    clip: Annotated[float, Field(gt=0)] = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    autocast: bool = True
    validate_every_minutes: Annotated[float, Field(ge=0)] = 5
    checkpoint_every_minutes: Annotated[float, Field(ge=0)] = 2
    log_every: Annotated[int, Field(gt=0)] = 20
    steps: Annotated[int | None, Field(gt=0)] = None


class Task(Protocol):
    """A network with its samples, its loss and its measure."""

    net: torch.nn.Module

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Make one example. Called in worker processes; all randomness comes from ``rng``.

        Returns:
            float32 or uint8 arrays, the same shapes every time.
        """
        ...

    def loss(
        self, net: torch.nn.Module, batch: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, Mapping[str, float | torch.Tensor]]:
        """Return the loss of a batch and figures for the log.

        Arrays (H, W, C) of `sample` arrive as (N, C, H, W) in channels-last memory, all others
        with one axis in front; float32, uint8 scaled to [0, 1].
        """
        ...

    def validate(self, net: torch.nn.Module) -> Mapping[str, float]:
        """Measure a network without gradients; "score" must be there: higher is better."""
        ...
