"""The training loop on problems small enough to solve in a second."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from oldfix import Cancelled, EnvironmentProblem, OldfixError, UsageError, write_network
from oldfix.training import Settings, TrainRequest, fit
from oldfix.training.ema import averaged
from oldfix.training.interruption import Interruption
from oldfix.training.log import CsvLog
from oldfix.training.loop import rate
from oldfix.training.samples import batches, stacked, to_device
from oldfix.training.threads import ThreadChoice

SETTINGS = Settings(batch=4, learning_rate=0.02, warmup=5, ema=0.9, log_every=1, steps=20)


class Doubling:
    """A 1 x 1 convolution that shall learn to double; the loss draws random numbers too."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.net = nn.Conv2d(3, 3, 1)

    def sample(self, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], ...]:
        return (rng.random((8, 6, 3), dtype=np.float32),)

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        x = batch[0] + 0.01 * torch.randn_like(batch[0])
        error = (net(x) - 2 * x).float().square().mean()
        return error, {"error": error.detach()}

    def validate(self, net: nn.Module) -> dict[str, float]:
        x = torch.full((1, 3, 4, 4), 0.5)
        return {"score": -float((net(x) - 2 * x).detach().float().square().mean())}


class Broken(Doubling):
    """Goes wrong in the way it is told to."""

    def __init__(self, failure: str) -> None:
        super().__init__()
        self.failure = failure
        self.calls = 0

    def sample(self, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], ...]:
        if self.failure == "raises":
            raise ValueError("a negative radius")
        if self.failure == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().sample(rng)

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, dict[str, Tensor]]:
        self.calls += 1
        if self.failure == "interrupted" and self.calls == 12:
            raise KeyboardInterrupt
        if self.failure.startswith("SIG") and self.calls == 12:
            signal.raise_signal(signal.Signals[self.failure])
        loss, figures = super().loss(net, batch)
        return (loss * torch.inf if self.failure == "infinite" else loss), figures

    def validate(self, net: nn.Module) -> dict[str, float]:
        if self.failure == "interrupted at last":
            signal.raise_signal(signal.SIGINT)
        return super().validate(net)


def request(out: Path, **changes: Any) -> TrainRequest:
    return replace(TrainRequest((), out, workers=0, seed=3), **changes)


def tensors(net: nn.Module) -> Mapping[str, Tensor]:
    return net.state_dict()


def test_learns(tmp_path: Path) -> None:
    net = fit(Doubling(), replace(SETTINGS, steps=300), request(tmp_path))
    assert Doubling().validate(net)["score"] > -0.01 > Doubling().validate(Doubling().net)["score"]


def test_a_resumed_run_ends_exactly_like_an_unbroken_one(tmp_path: Path) -> None:
    whole = fit(Doubling(), SETTINGS, request(tmp_path / "whole"))
    each = replace(SETTINGS, checkpoint_every_minutes=0)
    with pytest.raises(KeyboardInterrupt):
        fit(Broken("interrupted"), each, request(tmp_path / "parts"))
    parts = fit(Doubling(), SETTINGS, request(tmp_path / "parts", resume=True))
    for name, value in tensors(whole).items():
        assert torch.equal(value, tensors(parts)[name]), name
    logs = [(tmp_path / part / "log.csv").read_text() for part in ("whole", "parts")]
    steps = [[row["step"] for row in csv.DictReader(log.splitlines())] for log in logs]
    assert steps[0] == steps[1] == [str(n) for n in range(1, 21)]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_loses_no_step(tmp_path: Path, name: str) -> None:
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    whole = fit(Doubling(), SETTINGS, request(tmp_path / "whole"))
    with pytest.raises(Cancelled, match=r"interrupted after step 12 .*--resume"):
        fit(Broken(name), SETTINGS, request(tmp_path / "parts"))
    assert handlers == [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    parts = fit(Doubling(), SETTINGS, request(tmp_path / "parts", resume=True))
    assert all(torch.equal(v, tensors(parts)[k]) for k, v in tensors(whole).items())


def test_an_interruption_of_the_last_validation_is_heard(tmp_path: Path) -> None:
    with pytest.raises(Cancelled, match="interrupted after step 20"):
        fit(Broken("interrupted at last"), SETTINGS, request(tmp_path))
    again = fit(Doubling(), SETTINGS, request(tmp_path, resume=True))
    assert not torch.equal(tensors(again)["weight"], Doubling().net.weight)
    rows = (tmp_path / "validation.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "20"]  # validated twice, told once


def test_who_will_not_wait_interrupts_twice() -> None:
    # A shell lets processes in its background ignore Ctrl-C from their start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
            assert interruption.asked
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_workers_do_not_hear_what_interrupts_the_run() -> None:
    class Groups(Doubling):
        def sample(self, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], ...]:
            return (np.array([os.getpgrp()]),)

    (there,) = next(batches(Groups(), seed=0, batch=1, start=0, workers=1))
    assert int(there) != os.getpgrp()


def test_a_resumed_run_without_a_checkpoint_starts_afresh(tmp_path: Path) -> None:
    first = fit(Doubling(), SETTINGS, request(tmp_path / "a"))
    second = fit(Doubling(), SETTINGS, request(tmp_path / "b", resume=True))
    assert all(torch.equal(v, tensors(second)[k]) for k, v in tensors(first).items())


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    here = fit(Doubling(), SETTINGS, request(tmp_path / "a", workers=0))
    there = fit(Doubling(), SETTINGS, request(tmp_path / "b", workers=2))
    assert all(torch.equal(v, tensors(there)[k]) for k, v in tensors(here).items())


def test_keeps_the_best_average_not_the_last(tmp_path: Path) -> None:
    class Spoiled(Doubling):
        scores = iter([1.0, 3.0] + [2.0] * 100)

        def validate(self, net: nn.Module) -> dict[str, float]:
            score = next(self.scores)
            if score == 3.0:
                self.winner = {k: v.clone() for k, v in net.state_dict().items()}
            return {"score": score}

    task = Spoiled()
    net = fit(task, replace(SETTINGS, validate_every_minutes=0), request(tmp_path))
    assert all(torch.equal(v, task.winner[k]) for k, v in tensors(net).items())


def test_keeps_to_the_time_box(tmp_path: Path) -> None:
    fit(Doubling(), replace(SETTINGS, steps=None), request(tmp_path, minutes=0.01))
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert 0.005 < float(rows[-1]["minutes"]) < 0.1
    assert float(rows[-1]["rate"]) < 0.1 * SETTINGS.learning_rate


def test_starts_from_given_weights(tmp_path: Path) -> None:
    task = Doubling()
    nn.init.eye_(task.net.weight[:, :, 0, 0].data)
    write_network(tmp_path / "start.safetensors", task.net, config={})
    start = request(tmp_path / "out", init=tmp_path / "start.safetensors")
    net = fit(Doubling(), replace(SETTINGS, learning_rate=0.0, weight_decay=0.0), start)
    for name, value in tensors(task.net).items():
        torch.testing.assert_close(tensors(net)[name], value.half().float())


def test_refuses_weights_and_checkpoints_of_another_network(tmp_path: Path) -> None:
    fit(Doubling(), SETTINGS, request(tmp_path))
    other = Doubling()
    other.net = nn.Conv2d(3, 4, 1)
    write_network(tmp_path / "other.safetensors", other.net, config={})
    with pytest.raises(UsageError, match="does not fit this network"):
        fit(Doubling(), SETTINGS, request(tmp_path, init=tmp_path / "other.safetensors"))
    with pytest.raises(UsageError, match=r"checkpoint\.pt: does not fit this network"):
        fit(other, SETTINGS, request(tmp_path, resume=True))
    for content in (b"", b"no checkpoint", (tmp_path / "checkpoint.pt").read_bytes()[:500]):
        (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(UsageError, match=r"checkpoint\.pt: does not fit this network"):
            fit(Doubling(), SETTINGS, request(tmp_path, resume=True))


def test_half_a_line_of_a_log_is_left_out(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "log.csv")
    for step in (10, 20):
        log.add(step, {"loss": 1 / step, "norm": 1.0})
    with log.path.open("a") as file:
        file.write("3")
    CsvLog(log.path, keep_until=30).add(40, {"loss": 0.5, "norm": 2.0})
    assert log.path.read_text().split() == ["step,loss,norm", "10,0.1,1", "20,0.05,1", "40,0.5,2"]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_failing_sample_reaches_the_user(tmp_path: Path, workers: int) -> None:
    with pytest.raises(OldfixError, match=r"sample 0 .*ValueError: a negative radius"):
        fit(Broken("raises"), SETTINGS, request(tmp_path, workers=workers))


def test_a_dying_worker_reaches_the_user(tmp_path: Path) -> None:
    with pytest.raises(OldfixError, match="worker process died"):
        fit(Broken("dies"), SETTINGS, request(tmp_path, workers=1))


def test_gives_up_when_no_gradient_is_finite(tmp_path: Path) -> None:
    with pytest.raises(OldfixError, match="no finite gradient in 50 steps"):
        fit(Broken("infinite"), replace(SETTINGS, steps=100), request(tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_a_missing_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cuda"):
        fit(Doubling(), SETTINGS, request(tmp_path, device="cuda"))


@pytest.mark.parametrize("name", ["nonsense", "auto", "cuda:99"])
def test_a_device_that_cannot_be_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(OldfixError, match=f"device '?{name}.*use.*cpu"):
        fit(Doubling(), SETTINGS, request(tmp_path, device=name))


def test_rate_warms_up_and_falls_to_its_end() -> None:
    settings = replace(SETTINGS, learning_rate=1.0, warmup=10, final=0.1)
    rising = [rate(settings, step, 0.0) for step in range(12)]
    assert rising[0] == pytest.approx(0.1)
    assert rising[9:] == pytest.approx([1.0] * 3)
    falling = [rate(settings, 100, part) for part in (0.0, 0.5, 1.0, 2.0)]
    assert falling == pytest.approx([1.0, 0.55, 0.1, 0.1])


def test_ema_follows_its_recurrence() -> None:
    net = nn.Conv2d(1, 1, 1, bias=False)
    average = averaged(net, 0.9)
    expected = 0.0
    for n in range(100):
        nn.init.constant_(net.weight, float(n))
        average.update_parameters(net)
        decay = min(0.9, (1 + n) / (10 + n))
        expected = n if n == 0 else decay * expected + (1 - decay) * n
        assert float(average.module.weight.detach()) == pytest.approx(expected, rel=1e-5)


def test_batches_arrive_as_networks_want_them() -> None:
    class Shapes(Doubling):
        def sample(self, rng: np.random.Generator) -> tuple[np.ndarray[Any, Any], ...]:
            return np.full((8, 6, 3), 255, np.uint8), np.ones(5, np.float32)

    stream = batches(Shapes(), seed=0, batch=2, start=0, workers=0)
    picture, vector = to_device(next(stream), torch.device("cpu"))
    assert picture.shape == (2, 3, 8, 6)
    assert picture.is_contiguous(memory_format=torch.channels_last)
    assert picture.dtype == torch.float32
    assert float(picture.max()) == 1.0
    assert vector.shape == (2, 5)


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    choice = ThreadChoice(active=True, every_seconds=0)
    choice.due = 0
    calls: list[int] = []
    for _ in range(12):
        choice.run(lambda: calls.append(torch.get_num_threads()))
    choice.close()
    assert torch.get_num_threads() == before
    assert set(calls) <= {1, before}


def test_samples_are_stacked_column_by_column_with_channels_before_rows() -> None:
    images = [np.full((2, 3, 4), n, np.float32) for n in range(5)]
    values, marks = stacked((image, np.array([n], np.uint8)) for n, image in enumerate(images))
    assert (values.shape, values.dtype) == ((5, 4, 2, 3), torch.float32)
    assert (marks.shape, marks.dtype) == ((5, 1), torch.uint8)
    assert values[:, 0, 0, 0].tolist() == marks[:, 0].tolist() == [0, 1, 2, 3, 4]
