"""One measurement of ``oldfix bench``, in a process of its own so that its peak memory is its own.

Reads a request as JSON from the command line and prints the answer as JSON.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from oldfix.degrade import age
from oldfix.errors import OldfixError
from oldfix.jobs import preset
from oldfix.keys import DEFECTS, FACES, IMAGE, REFERENCES, Key, resolve
from oldfix.photo import Photo
from oldfix.pipeline import Pipeline
from oldfix.plan import Plan
from oldfix.registry import Registry, discover
from oldfix.runner import Runner

_PORTRAIT_PX = 512


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Run what a request asks for.

    Args:
        request: "kind" ("stage", "chain" or "faces"), "megapixels", "threads", "device",
            "repeats"; "stage" for stages.

    Returns:
        "first" and "seconds" of the first and the median later run, "peak_bytes", and "steps"
        (stage -> seconds) for chains; "rows" for faces.
    """
    _set_threads(request["threads"])
    registry = discover()
    if request["kind"] == "faces":
        return _faces(request, registry)
    with Runner(device=request["device"]) as runner:
        plan, photo = _KINDS[request["kind"]](request, registry, runner)
        first, _ = _timed(runner, plan, photo)
        later = [_timed(runner, plan, photo) for _ in range(request["repeats"])] or [(first, {})]
    seconds = statistics.median(total for total, _ in later)
    steps = {name: statistics.median(run[name] for _, run in later) for name in later[0][1]}
    peak = _peak_bytes()
    return {"first": first, "seconds": seconds, "steps": steps, "peak_bytes": peak} | _gpu_peak()


def portrait(megapixels: float) -> Photo:
    """An aged portrait enlarged to a size: scikit-image's astronaut, with its true damage."""
    from skimage import data

    side = max(16, round((megapixels * 1e6) ** 0.5))
    clean = np.asarray(data.astronaut(), np.float32) / 255
    how = cv2.INTER_AREA if side < _PORTRAIT_PX else cv2.INTER_CUBIC
    large = np.clip(cv2.resize(clean, (side, side), interpolation=how), 0, 1)
    aged = age(large, rng=np.random.default_rng(0), recipe="demo")
    photo = Photo.from_array(aged.image, source=f"portrait of {megapixels:g} megapixels")
    mask = (aged.defects >= 0.2).astype(np.float32)
    values: dict[Key[Any], Any] = {IMAGE: photo[IMAGE], DEFECTS: mask, REFERENCES: (clean,)}
    return Photo(values, meta=photo.meta)


def _stage_job(request: Mapping[str, Any], registry: Registry, runner: Runner) -> Any:
    """A stage on the portrait; keys that no benchmark photograph has are found first."""
    spec = registry.resolve(request["stage"])
    photo = portrait(request["megapixels"])
    if FACES in spec.needs | spec.uses and FACES not in spec.produces:
        finder = Pipeline.of("detect-faces").plan(registry)
        photo = photo.put(FACES, runner.run(finder, photo)[FACES])
    wanted: set[Key[Any]] = {*spec.needs, *spec.uses} - spec.produces | {IMAGE}
    photo = Photo({key: photo[key] for key in photo if key in wanted}, meta=photo.meta)
    return Pipeline.of(spec.name).plan(registry, given=tuple(photo)), photo


def _chain_job(request: Mapping[str, Any], registry: Registry, runner: Runner) -> Any:
    """The preset with faces and colour, as far as its stages and weights are installed."""
    photo = portrait(request["megapixels"]).without(DEFECTS).without(REFERENCES)
    return preset(faces=True, colorize=True).plan(registry), photo


_KINDS = {"stage": _stage_job, "chain": _chain_job}


def _faces(request: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """What pasting one face costs, measured by the plugin that refines them (its ``bench``)."""
    package = registry.resolve("refine-faces").run.partition(":")[0].rpartition(".")[0]
    try:
        rows = resolve(f"{package}.bench:measure")(request["megapixels"], request["repeats"])
    except ModuleNotFoundError:
        return {"error": f"{package} has no module 'bench'"}
    return {"rows": rows}


def _timed(runner: Runner, plan: Plan, photo: Photo) -> tuple[float, dict[str, float]]:
    """Seconds of a run, and of each of its steps."""
    start = time.perf_counter()
    after = runner.run(plan, photo)
    seconds = time.perf_counter() - start
    return seconds, {entry["stage"]: entry["seconds"] for entry in after.history}


def _set_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def _peak_bytes() -> int:
    """Largest resident memory of this process; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def _gpu_peak() -> dict[str, int]:
    import torch

    if not torch.cuda.is_initialized():
        return {}
    return {"gpu_peak_bytes": int(torch.cuda.max_memory_allocated())}


def main() -> None:
    """Answer the request on the command line."""
    try:
        answer = measure(json.loads(sys.argv[1]))
    except OldfixError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
