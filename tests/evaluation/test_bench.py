"""Benchmarks: what is measured, and the page made of it."""

from __future__ import annotations

import json

import pytest
import torch

from oldfix import DEFECTS, IMAGE
from oldfix.evaluation.bench import Bench, machine
from oldfix.evaluation.bench_page import to_markdown
from oldfix.evaluation.bench_worker import main, measure, portrait

SMALL = {"megapixels": 0.02, "threads": 1, "device": "cpu", "repeats": 1}


@pytest.fixture
def one_thread():
    """The worker sets the number of threads; give back what was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_stage_is_timed_in_a_process_of_its_own():
    found = Bench(megapixels=0.02, threads=1, repeats=1)._ask(
        kind="stage", stage="fill-defects-classical"
    )
    assert 0 < found["seconds"] < 5
    assert found["steps"].keys() == {"fill-defects-classical"}
    assert 50e6 < found["peak_bytes"] < 4e9


def test_what_a_worker_lacks_is_said(monkeypatch, capsys, one_thread):
    asked = json.dumps({**SMALL, "kind": "stage", "stage": "no-such-stage"})
    monkeypatch.setattr("sys.argv", ["bench_worker", asked])
    main()
    assert "no stage named 'no-such-stage'" in json.loads(capsys.readouterr().out)["error"]


class Pretended(Bench):
    """Answers without measuring."""

    def _ask(self, **request):
        if request["kind"] == "faces":
            return {"rows": [{"crop": 256, "toned": t, "ms": 21.0 if t else 7.0} for t in (0, 1)]}
        return {"first": 1.0, "seconds": 0.1, "steps": {}, "peak_bytes": 1 << 30}

    def _start(self, code, *arguments):
        return 0.1


def test_the_slowest_face_counts():
    found = Pretended(megapixels=1.0, scan_megapixels=24.0, threads=1).run()
    assert {"fill-defects-classical", "detect-faces"} <= found["stages"].keys()
    page = to_markdown(json.loads(json.dumps(found)))
    assert "| 20 ms | 21.00 ms | missed |" in page
    assert "| 256 x 256 | colour | 7.0 |" in page
    assert "| 256 x 256 | toned | 21.0 |" in page


def test_the_paste_is_timed_for_each_size_and_tone(one_thread):
    found = measure({**SMALL, "kind": "faces", "megapixels": 1.2, "repeats": 2})
    rows = {(row["crop"], row["toned"]): row["ms"] for row in found["rows"]}
    assert set(rows) == {(crop, toned) for crop in (100, 256, 512) for toned in (False, True)}
    assert all(ms > 0 for ms in rows.values())


def test_what_was_not_asked_for_is_not_measured():
    found = Pretended(scan_megapixels=0, threads=1).run()
    assert found["faces"] == found["scan"] == {"error": "not asked for"}


def test_a_stage_gets_the_keys_it_takes(one_thread):
    found = measure({**SMALL, "kind": "stage", "stage": "detect-scratches-classical"})
    assert found["first"] > 0


@pytest.mark.parametrize("megapixels", [0.01, 0.5])
def test_portraits_have_the_size_asked_for(megapixels):
    photo = portrait(megapixels)
    assert photo[IMAGE].shape[0] * photo[IMAGE].shape[1] == pytest.approx(
        megapixels * 1e6, rel=0.05
    )
    assert photo[DEFECTS].any()


def test_the_machine_is_named():
    named = machine(2, "cpu")
    assert named["threads"] == 2
    assert named["processor"]
    assert {"date", "commit", "torch", "oldfix"} <= set(named)


def results(**values):
    run = {"first": 9.0, "seconds": 8.0, "steps": {"restore": 7.5}, "peak_bytes": 2 << 30}
    return {
        "machine": {"threads": 2},
        "start": {"oldfix --help": 0.5},
        "megapixels": 2.0,
        "stages": {"restore": run, "tone": {"error": "no weights\nhere"}},
        "chain": run,
        "scan_megapixels": 24.0,
        "scan": {"error": "no weights"},
        "faces": {"rows": [{"crop": 100, "toned": False, "ms": 4.0}]},
        **values,
    }


def test_the_page_tells_met_from_missed_and_not_measured():
    page = to_markdown(json.loads(json.dumps(results())))
    assert "| 15 s | 4.00 s | met |" in page
    assert "| 0.4 s | 0.50 s | missed |" in page
    assert "| 6 GiB | not measured |" in page
    assert "| 20 ms | 4.00 ms | met |" in page
    assert "| restore | 4.00 | 9.00 | 2.00 |" in page
    assert "| tone | – | – | no weights here |" in page
    assert "On 24 megapixels: no weights." in page
    assert "On 0 megapixels" not in to_markdown(results(scan_megapixels=0))
