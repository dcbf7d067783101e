"""``oldfix doctor``."""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata

from oldfix.cli.commands import leave
from oldfix.cli.console import say, say_json
from oldfix.cli.options import AsJson
from oldfix.errors import EnvironmentProblem, WeightsError, first_line

_LIBRARIES = ("numpy", "scipy", "PIL", "imagecodecs", "tifffile", "skimage", "safetensors")
_GIVEN = ("basicsr", "facexlib", "gfpgan")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        sound: it works.
        detail: version or state, or what is wrong.
        cure: what to do if it does not work.
    """

    what: str
    sound: bool
    detail: str
    cure: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check libraries, GPU, weights and plugins.

    Leaves with code 3 if something is wrong.
    """
    findings = [finding for check in CHECKS for finding in check()]
    if as_json:
        say_json([asdict(finding) for finding in findings])
    for finding in findings if not as_json else ():
        mark = "ok   " if finding.sound else "WRONG"
        cure = f"; {finding.cure}" if finding.cure and not finding.sound else ""
        say(f"{mark} {finding.what}: {finding.detail}{cure}")
    if not all(finding.sound for finding in findings):
        leave(EnvironmentProblem.exit_code)


def check_python() -> Iterator[Finding]:
    """Python and the machine."""
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    supported = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding("Python", supported, detail, "use Python 3.11 or 3.12")


def check_torch() -> Iterator[Finding]:
    """Torch and torchvision: that both load, and fit each other."""
    try:
        torch = importlib.import_module("torch")
        vision = importlib.import_module("torchvision")
        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        vision.ops.nms(boxes, torch.ones(1), 0.5)
    except Exception as error:  # a mismatched pair fails in many ways
        cure = "install a pair: pip install --upgrade torch torchvision"
        yield Finding("torch and torchvision", False, first_line(error), cure)
        return
    detail = f"{torch.__version__} and {vision.__version__}, {torch.get_num_threads()} threads"
    yield Finding("torch and torchvision", True, detail)
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Finding("GPU", True, ", ".join(names))
    else:
        yield Finding("GPU", True, "none, the CPU is used")


def check_opencv() -> Iterator[Finding]:
    """OpenCV, whose wheels need libraries that servers often lack."""
    try:
        version = importlib.import_module("cv2").__version__
    except ImportError as error:
        cure = (
            "install the system library it names (Debian, Ubuntu: apt-get install libgl1 "
            "libglib2.0-0), or use opencv-python-headless instead of opencv-python"
        )
        yield Finding("OpenCV", False, first_line(error), cure)
        return
    yield Finding("OpenCV", True, version)


def check_libraries() -> Iterator[Finding]:
    """The other libraries."""
    for name in _LIBRARIES:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            yield Finding(name, False, first_line(error), "reinstall oldfix")
        else:
            yield Finding(name, True, str(getattr(module, "__version__", "present")))


def check_given() -> Iterator[Finding]:
    """basicsr, facexlib and gfpgan: that they are installed; plugins load them when they run."""
    for name in _GIVEN:
        try:
            yield Finding(name, True, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, False, "not installed", f"install it: pip install {name}")


def check_plugins() -> Iterator[Finding]:
    """Every plugin."""
    from oldfix.cli.plugins import rows_of_plugins

    for row in rows_of_plugins():
        detail = row["error"] or f"{len(row['stages'])} stages"
        cure = "update or uninstall it, or leave it out with OLDFIX_BLOCK"
        yield Finding(f"plugin {row['name']}", row["error"] is None, detail, cure)


def check_weights() -> Iterator[Finding]:
    """Installed weights by digest, and roles that have none."""
    from oldfix.registry import discover
    from oldfix.weights.store import Store

    registry, store = discover(), Store()
    for card in registry.cards.values():
        if store.find(card) is None:
            continue
        try:
            yield Finding(f"weights {card.id}", True, str(store.verify(card)))
        except WeightsError as error:
            yield Finding(f"weights {card.id}", False, str(error))
    cards = registry.cards.values()
    roles = {role for spec in registry.stages.values() for role in spec.weights.values()}
    for role in sorted(roles):
        if store.best(cards, role) is None:
            # Where every network is one to fetch, having none is a user's choice.
            shipped = any(card.role == role and not card.url for card in cards)
            detail = "none installed" if shipped else "none installed, and none comes with oldfix"
            cure = "see 'oldfix weights list'"
            yield Finding(f"weights for {role}", not shipped, detail, cure)


Check = Callable[[], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    check_python,
    check_torch,
    check_opencv,
    check_libraries,
    check_given,
    check_plugins,
    check_weights,
)
