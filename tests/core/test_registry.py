from __future__ import annotations

from pathlib import Path

import pytest

from oldfix import UsageError, discover
from oldfix.registry import Registry, read_plugin
from tests.core.plugins import card, make_registry, plugin_module, spec

_HEAD = "from oldfix import StageSpec, hookimpl\n"
_GOOD = _HEAD + (
    "@hookimpl\n"
    "def oldfix_stages():\n"
    "    return [StageSpec('from-a-file', 'does nothing', 'nowhere:nothing')]\n"
)


def broken(tmp_path: Path, source: str) -> str:
    """Why a single-file plugin is broken; one that works stands beside it."""
    (tmp_path / "bad.py").write_text(source)
    (tmp_path / "good.py").write_text(_GOOD)
    registry = discover(folder=tmp_path)
    assert "from-a-file" in registry.stages
    (row,) = [row for row in registry.broken if row.name == "bad"]
    return row.error


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import no_such_module", "ModuleNotFoundError"),
        ("syntax error", "SyntaxError"),
        (_HEAD + "@hookimpl\ndef oldfix_stages():\n    raise RuntimeError('no luck')", "no luck"),
        (_HEAD + "@hookimpl\ndef oldfix_stages():\n    yield 1/0", "ZeroDivisionError"),
        (_HEAD + "@hookimpl\ndef oldfix_stage():\n    return []", "oldfix_stage"),
        (_HEAD + "def oldfix_stages():\n    return []", "put @hookimpl above it"),
        (_HEAD + "@hookimpl\ndef oldfix_stages(photo):\n    return []", "photo"),
    ],
)
def test_a_broken_plugin_is_a_row_and_stops_nobody(tmp_path: Path, source: str, what: str) -> None:
    assert what in broken(tmp_path, source)


def test_a_name_taken_twice_is_refused_and_names_both() -> None:
    registry = make_registry()
    again = read_plugin("copycat", "", plugin_module([spec("noise"), spec("fresh", "noise")]))
    with pytest.raises(ValueError, match="stage 'noise' is already provided by plugin 'test'"):
        registry.add(again)
    assert "fresh" not in registry.stages  # whole or not at all


def test_blocked_plugins_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.py").write_text(_GOOD)
    monkeypatch.setenv("OLDFIX_PLUGINS", str(tmp_path))
    assert "from-a-file" in discover().stages
    monkeypatch.setenv("OLDFIX_BLOCK", "good,scratch")
    registry = discover()
    assert "from-a-file" not in registry.stages
    assert "scratch" not in [plugin.name for plugin in registry.plugins]


def test_unknown_stages_get_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean 'brighten'"):
        make_registry().resolve("brigthen")
    with pytest.raises(UsageError, match="run 'oldfix stages'"):
        Registry().resolve("anything")


def test_owner_and_keys() -> None:
    registry = make_registry(cards=[card()])
    assert registry.owner("noise") == registry.owner("smooth") == "test"
    assert set(registry.keys()) == {"image", "defects", "faces", "references", "library"}


def test_first_party_plugins_work() -> None:
    registry = discover()
    assert not [row for row in registry.broken if row.version]
