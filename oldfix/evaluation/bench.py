"""``oldfix bench``: seconds, memory and start-up, each measured in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from oldfix.checkout import commit
from oldfix.evaluation.bench_page import to_markdown
from oldfix.files import make_folder, write_text
from oldfix.registry import discover

_GIB = 1 << 30
_PASTES = 50  # faces of each size
_HELP = "from oldfix.cli.app import main; main()"


@dataclass(frozen=True)
class Bench:
    """What to measure, and how.

    Attributes:
        megapixels: size of the portrait that stages and chain are timed on.
        scan_megapixels: size of the scan whose memory is measured; 0 leaves it out.
        threads: threads of the networks.
        device: where networks run.
        repeats: runs after the first, of which the median counts.
        say: told in words what is being measured.
    """

    megapixels: float = 1.0
    scan_megapixels: float = 24.0
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    device: str = "cpu"
    repeats: int = 2
    say: Callable[[str], None] = lambda text: None

    def run(self) -> dict[str, Any]:
        """Measure everything and return it, ready for JSON."""
        stages = sorted(discover().stages)
        return {
            "machine": machine(self.threads, self.device),
            "start": {
                "import oldfix": self._start("import oldfix"),
                "oldfix --help": self._start(_HELP, "--help"),
                "oldfix stages": self._start(_HELP, "stages"),
            },
            "megapixels": self.megapixels,
            "stages": {name: self._ask(kind="stage", stage=name) for name in stages},
            "chain": self._ask(kind="chain"),
            "scan_megapixels": self.scan_megapixels,
            "scan": self._scan(),
            "faces": self._faces(),
        }

    def _scan(self) -> dict[str, Any]:
        if not self.scan_megapixels:
            return {"error": "not asked for"}
        return self._ask(kind="chain", megapixels=self.scan_megapixels, repeats=0)

    def _faces(self) -> dict[str, Any]:
        if not self.scan_megapixels:
            return {"error": "not asked for"}
        return self._ask(kind="faces", megapixels=self.scan_megapixels, repeats=_PASTES)

    def _ask(self, **request: Any) -> dict[str, Any]:
        """Let a worker answer a request; what it lacks comes back under "error"."""
        asked = {
            "megapixels": self.megapixels,
            "threads": self.threads,
            "device": self.device,
            "repeats": self.repeats,
            **request,
        }
        self.say(" ".join(f"{name}={value}" for name, value in request.items()))
        command = [sys.executable, "-m", "oldfix.evaluation.bench_worker", json.dumps(asked)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return {"error": f"exit code {done.returncode}: {last}"}
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def _start(self, code: str, *arguments: str) -> float:
        """Median seconds of five fresh interpreters."""
        self.say(" ".join(("start:", code, *arguments)))
        times = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", code, *arguments], capture_output=True, check=True
            )
            times.append(time.perf_counter() - start)
        return statistics.median(times)


def bench(
    out: Path,
    megapixels: float = 1.0,
    threads: int | None = None,
    *,
    scan_megapixels: float = 24.0,
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Measure, and write ``benchmarks.json`` and ``benchmarks.md`` into a folder.

    Args:
        out: folder to write into.
        megapixels: size of the portrait that stages and chain are timed on.
        threads: threads of the networks; all processors if None.
        scan_megapixels: size of the scan whose memory is measured; 0 leaves it out.
        device: where networks run.
        say: told in words what is being measured.

    Returns:
        The Markdown page.
    """
    make_folder(out)
    measuring = Bench(megapixels, scan_megapixels, threads or os.cpu_count() or 1, device, say=say)
    results = measuring.run()
    text = json.dumps(results, indent=1) + "\n"
    write_text(out / "benchmarks.json", text, overwrite=True)
    return write_text(out / "benchmarks.md", to_markdown(results), overwrite=True)


def machine(threads: int, device: str) -> dict[str, Any]:
    """The machine, the versions and the commit that figures belong to."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory GiB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB, 1),
        "threads": threads,
        "device": device,
        "python": platform.python_version(),
        **{name: version(name) for name in ("oldfix", "torch", "numpy", "opencv-python")},
    }


def _processor() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
