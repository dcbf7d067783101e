"""The training loop: a task, its settings and a time box in, the averaged network out."""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Iterator, Mapping

import torch

from oldfix.engine.living import strain_of
from oldfix.engine.models import choose_device
from oldfix.errors import Cancelled, OldfixError, UsageError
from oldfix.files import make_folder
from oldfix.training import checkpoint
from oldfix.training.checkpoint import Progress, State
from oldfix.training.companion import start_from
from oldfix.training.ema import averaged
from oldfix.training.interruption import Interruption
from oldfix.training.log import CsvLog
from oldfix.training.samples import batches, to_device
from oldfix.training.settings import Settings, Task, TrainRequest
from oldfix.training.threads import ThreadChoice

_log = logging.getLogger(__name__)
#: So many steps in a row without a finite gradient end the run.
_HOPELESS = 50
#: Weight of a last activation's dead inputs beside any loss; a healthy network has none.
_STRAIN_WEIGHT = 0.02
#: Time box where neither the request nor a recipe names one.
_MINUTES = 40.0


def fit(task: Task, settings: Settings, request: TrainRequest) -> torch.nn.Module:
    """Train ``task.net`` and return the averaged network that scored best, on the CPU.

    AdamW with warm-up and a cosine that ends with the time box, gradient clipping, bfloat16
    autocast, channels-last memory. ``request.out`` receives ``checkpoint.pt``, ``log.csv`` and
    ``validation.csv``; with ``request.resume`` the run goes on from the checkpoint, exactly.
    Validation time counts as training time. Ctrl-C, or a termination signal, ends the run after
    the step it is at, with a checkpoint.

    Raises:
        UsageError: ``init`` or the checkpoint does not fit the network.
        EnvironmentProblem: the device is not there, or the disk is full.
        Cancelled: the run was interrupted; the checkpoint is written.
        OldfixError: a sample cannot be made, or the loss stays infinite.
    """
    return _Run(task, settings, request).run()


def rate(settings: Settings, step: int, part: float) -> float:
    """Return the learning rate: linear warm-up by step, then a cosine over ``part`` (0 to 1)."""
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(max(part, 0.0), 1.0)))
    factor = settings.final + (1.0 - settings.final) * cosine
    return settings.learning_rate * factor * min(1.0, (step + 1) / max(1, settings.warmup))


def device_of(request: TrainRequest) -> torch.device:
    """Return the device that a training runs on.

    Raises:
        UsageError: it is left to be chosen, on which the recipe depends.
        EnvironmentProblem: there is none of that name.
    """
    if request.device == "auto":
        raise UsageError("device 'auto': a training is told its device; use --device cpu or cuda")
    return choose_device(request.device)


class _Run:
    """One call of `fit`."""

    def __init__(self, task: Task, settings: Settings, request: TrainRequest) -> None:
        self.task, self.settings, self.request = task, settings, request
        self.device = device_of(request)
        make_folder(request.out)
        torch.manual_seed(request.seed)
        if request.init is not None:
            start_from(task.net, request.init)
        self.state = _state(task.net.to(self.device), settings)
        self.file = request.checkpoint
        if request.resume and self.file.is_file():
            checkpoint.restore(self.file, self.state, self.device)
        done = self.state.progress.step
        self.log = CsvLog(request.out / "log.csv", keep_until=done)
        self.validations = CsvLog(request.out / "validation.csv", keep_until=done)
        self.failures = 0

    def run(self) -> torch.nn.Module:
        """Train until the box is full, with as many threads as help."""
        busy = self.device.type == "cpu" and self.settings.steps is None
        threads = ThreadChoice(active=busy)
        try:
            with Interruption() as interruption:
                self.train(threads, interruption)
        finally:
            threads.close()
        return self.best()

    def train(self, threads: ThreadChoice, interruption: Interruption) -> None:
        """Step until the box is full, validating and saving on the way."""
        progress, settings = self.state.progress, self.settings
        clock = validated = saved = time.monotonic()
        stream = self.batches()
        while self.part() < 1.0:
            threads.run(lambda: self.step(next(stream)))
            now = time.monotonic()
            if now - validated >= 60 * settings.validate_every_minutes:
                self.validate()
                validated = time.monotonic()
            if now - saved >= 60 * settings.checkpoint_every_minutes:
                checkpoint.save(self.file, self.state, self.device)
                saved = time.monotonic()
            progress.seconds += time.monotonic() - clock
            clock = time.monotonic()
            if interruption.asked:
                self.stop()
        self.validate()
        if interruption.asked:
            self.stop()
        checkpoint.save(self.file, self.state, self.device)

    def stop(self) -> None:
        """Save where the run stands, and leave it."""
        checkpoint.save(self.file, self.state, self.device)
        raise Cancelled(
            f"{self.file}: interrupted after step {self.state.progress.step} and saved; "
            "go on with --resume"
        )

    def batches(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """The stream of batches from the current step on."""
        return batches(
            self.task,
            seed=self.request.seed,
            batch=self.settings.batch,
            start=self.state.progress.step,
            workers=self.request.workers,
        )

    def part(self) -> float:
        """How much of the run is done, from 0 to 1."""
        if self.settings.steps is not None:
            return self.state.progress.step / self.settings.steps
        return self.state.progress.seconds / max(1e-9, 60 * (self.request.minutes or _MINUTES))

    def step(self, batch: tuple[torch.Tensor, ...]) -> None:
        """Take one optimizer step, or skip it if the gradient is not finite."""
        state, progress = self.state, self.state.progress
        learning_rate = rate(self.settings, progress.step, self.part())
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate
        state.net.train()
        with self.autocast():
            loss, figures = self.task.loss(state.net, to_device(batch, self.device))
        if (strain := strain_of(state.net)) is not None:
            loss = loss + _STRAIN_WEIGHT * strain
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(state.net.parameters(), self.settings.clip)
        if bool(torch.isfinite(norm)):
            state.optimizer.step()
            state.ema.update_parameters(state.net)
            self.failures = 0
        else:
            self.skip(float(loss.detach()))
        state.optimizer.zero_grad(set_to_none=True)
        progress.step += 1
        if progress.step % self.settings.log_every == 0:
            row = {"minutes": progress.seconds / 60, "rate": learning_rate, "norm": norm}
            self.log.add(progress.step, {**row, "loss": loss.detach(), **_plain(figures)})

    def skip(self, loss: float) -> None:
        """Count a step without a finite gradient; give up when there is nothing else."""
        self.state.progress.skipped += 1
        self.failures += 1
        if self.failures >= _HOPELESS:
            raise OldfixError(
                f"training: no finite gradient in {_HOPELESS} steps (last loss {loss:g}); "
                "use a smaller learning rate or look at the samples"
            )

    def validate(self) -> None:
        """Measure the averaged network, and remember it if it is the best so far."""
        progress = self.state.progress
        net = self.state.ema.module.eval()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.inference_mode(), self.autocast():
            figures = dict(self.task.validate(net))
        if "score" not in figures:
            raise OldfixError(f"{type(self.task).__name__}.validate: must return a 'score'")
        self.validations.add(progress.step, {"minutes": progress.seconds / 60, **figures})
        told = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
        _log.info("step %d: %s", progress.step, told)
        if figures["score"] > progress.best_score or not progress.best:
            progress.best_score = figures["score"]
            progress.best = {k: v.cpu().clone() for k, v in net.state_dict().items()}

    def best(self) -> torch.nn.Module:
        """Return the best averaged network, in float32 on the CPU."""
        net: torch.nn.Module = copy.deepcopy(self.state.ema.module).cpu().eval()
        net.load_state_dict(self.state.progress.best)
        return net

    def autocast(self) -> torch.autocast:
        """Reduced precision for the network, where the settings allow it."""
        enabled = self.settings.autocast
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)


def _plain(figures: Mapping[str, float | torch.Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items()}


def _state(net: torch.nn.Module, settings: Settings) -> State:
    net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        [p for p in net.parameters() if p.requires_grad],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        betas=(0.9, 0.99),
        fused=True,
    )
    return State(net, averaged(net, settings.ema), optimizer, Progress())
