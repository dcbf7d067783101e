"""Stages: declared as data, run as plain functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from oldfix.keys import IMAGE, Key, resolve
from oldfix.options import Options
from oldfix.photo import Photo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from oldfix.weights.card import WeightsCard

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Model(Protocol):
    """A loaded network, on its device and in its precision, for use inside ``with``."""

    @property
    def card(self) -> WeightsCard:
        """The weights card the network was loaded from."""
        ...

    @property
    def net(self) -> Any:
        """The network itself (a torch module); only its own plugin may reach into it."""
        ...


class Context(Protocol):
    """What a running stage may ask of the host. Created for one step of one photograph.

    Attributes:
        rng: the step's own source of randomness, seeded from the run's seed and the step's id.
        seed: the integer behind ``rng``, for generators of other libraries.
    """

    @property
    def rng(self) -> np.random.Generator:
        """The step's random generator."""
        ...

    @property
    def seed(self) -> int:
        """The step's seed."""
        ...

    def model(self, card_id: str) -> AbstractContextManager[Model]:
        """Load a network (once) and keep it in memory while the ``with`` block lasts."""
        ...

    def apply(
        self, model: Model, image: NDArray[Any], *planes: NDArray[Any], part: str = "", **extra: Any
    ) -> NDArray[np.float32]:
        """Run a network, or one of its methods, over an image in tiles.

        Args:
            model: what ``ctx.model`` gave.
            image: (H, W, C) or (H, W) float32.
            planes: further arrays of the same height and width, cut with the same boxes and
                passed after the image.
            part: name of a method whose limits the card lists; the empty string calls the network.
            extra: passed to the network unchanged (a time step, say).

        Returns:
            (H * scale, W * scale, channels) float32, with the scale that the card states.
        """
        ...

    def apply_many(
        self, model: Model, images: Sequence[NDArray[Any]], *, part: str = "", **extra: Any
    ) -> list[NDArray[np.float32]]:
        """Run a network over equally large (H, W, C) images, in batches (faces)."""
        ...

    def report(self, done: float, total: float) -> None:
        """Say how far the stage is; may raise `Cancelled`."""
        ...

    def note(self, **facts: Any) -> None:
        """Write facts into this step's history entry (what was found, skipped, fallen back to)."""
        ...

    def warn(self, message: str) -> None:
        """Tell the user something, and record it in the history."""
        ...


#: Value of a weights option where a stage shall do, or has to do, without.
NO_WEIGHTS = "none"

StageFunction = Callable[[Photo, Any, Context], Photo]


@dataclass(frozen=True)
class StageSpec:
    """A stage as data; its code is imported when it first runs.

    Attributes:
        name: verb-object[-method], in kebab case.
        summary: one line for lists.
        run: ``"module:function"`` of ``(photo, options, ctx) -> Photo``.
        options: the pydantic model of its options.
        needs: keys that must be there. The image always is.
        uses: keys taken if present.
        produces: keys it may add or change, and nothing else.
        resizes: the image may come back with another size; the host then rescales other keys and
            alpha, unless the stage hands back its own ``meta.alpha``.
        colours: the image of a grey photograph may come back in colour.
        roles: roles it can fill in a pipeline that names roles ("detect-scratches").
        weights: option name -> role of the weights it chooses; the option's value is a card's
            id, "auto" for the best installed card of that role, "if-installed" for the same or
            none, or "none". The stage sees a card's id or "none".
    """

    name: str
    summary: str
    run: str
    options: type[Options] = Options
    needs: frozenset[Key[Any]] = frozenset({IMAGE})
    uses: frozenset[Key[Any]] = frozenset()
    produces: frozenset[Key[Any]] = frozenset({IMAGE})
    resizes: bool = False
    colours: bool = False
    roles: frozenset[str] = frozenset()
    weights: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for attribute in ("needs", "uses", "produces", "roles"):
            object.__setattr__(self, attribute, frozenset(getattr(self, attribute)))
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"stage name must be kebab case, got {self.name!r}")
        if ":" not in self.run:
            raise ValueError(f"{self.name}: run must be 'module:function', got {self.run!r}")
        unknown = set(self.weights) - set(self.options.model_fields)
        if unknown:
            raise ValueError(f"{self.name}: weights name options it lacks: {sorted(unknown)}")

    def function(self) -> StageFunction:
        """Import and return the function that does the work."""
        run: StageFunction = resolve(self.run)
        return run
