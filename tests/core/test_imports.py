"""Who may import whom, and what starting up may not import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import oldfix

ROOT = Path(__file__).resolve().parents[2]
HOST = ROOT / "oldfix"
#: The floors of the house; a module imports from its own floor or from those before it.
FLOORS = (
    {"errors", "checkout"},
    {"options", "events", "keys", "resizing", "photo", "colour"},
    {"stage", "weights", "blending", "contract", "hookspecs"},
    {"registry", "files"},
    {"pipeline", "plan"},
    {"engine"},
    {"runner"},
    {"jobs"},
    {"line"},
    {"degrade", "training", "evaluation", "testing", "compat"},
    {"cli"},
    {"__main__"},
)
PLUGINS_MAY = {"testing", "compat", "training", "degrade", "evaluation", "colour"}


def floor_of(name: str) -> int:
    return next(index for index, floor in enumerate(FLOORS) if name in floor)


def imports(path: Path) -> set[str]:
    """Modules imported anywhere in a file, but for type checking."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def top_level_imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def host_files() -> list[Path]:
    return [path for path in HOST.rglob("*.py") if path.parent != HOST or path.stem != "__init__"]


@pytest.mark.parametrize("path", host_files(), ids=lambda path: str(path.relative_to(HOST)))
def test_imports_go_down_the_house(path: Path) -> None:
    room = path.relative_to(HOST).parts[0].removesuffix(".py")
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "oldfix" and len(parts) > 1 and (HOST / parts[1]).exists():
            assert floor_of(parts[1]) <= floor_of(room), f"{room} imports {name}"
        if parts[0] == "oldfix" and len(parts) > 1 and (HOST / f"{parts[1]}.py").exists():
            assert floor_of(parts[1]) <= floor_of(room), f"{room} imports {name}"
        assert not name.startswith("oldfix_"), f"the host knows a plugin: {name}"


@pytest.mark.parametrize("path", host_files(), ids=lambda path: str(path.relative_to(HOST)))
def test_torch_and_the_given_packages_stay_in_their_rooms(path: Path) -> None:
    room = path.relative_to(HOST).parts[0].removesuffix(".py")
    if room not in {"engine", "training"}:
        assert "torch" not in top_level_imports(path)
    if room != "compat":
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"basicsr", "facexlib", "gfpgan"}
    if room in {"cli", "runner", "registry", "engine"}:
        assert "oldfix.compat" not in imports(path)


@pytest.mark.parametrize(
    "plugin", sorted((ROOT / "plugins").glob("oldfix_*")), ids=lambda p: p.name
)
def test_plugins_use_the_public_surface_alone(plugin: Path) -> None:
    for path in plugin.rglob("*.py"):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "oldfix" and len(parts) > 1:
                public = parts[1] in oldfix.__all__ or parts[1] in PLUGINS_MAY
                assert public, f"{path.name} imports {name}"
            if parts[0].startswith("oldfix_"):
                assert parts[0] == plugin.name, f"{path.name} imports another plugin: {name}"
            assert parts[0] not in {"basicsr", "facexlib", "gfpgan"}, f"{path.name}: {name}"


@pytest.mark.parametrize("code", ["import oldfix", "import oldfix.registry as r; r.discover()"])
def test_starting_up_leaves_torch_alone(code: str) -> None:
    check = f"import sys; {code}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_every_public_name_can_be_imported() -> None:
    for name in oldfix.__all__:
        assert getattr(oldfix, name) is not None
    assert set(oldfix.__all__) <= set(dir(oldfix))


def test_what_type_checkers_see_is_what_is_there() -> None:
    tree = ast.parse((HOST / "__init__.py").read_text("utf-8"))
    seen = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("oldfix.")
        for alias in node.names
    }
    assert seen == set(oldfix.__all__)
