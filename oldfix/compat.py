"""The one door to basicsr, facexlib and gfpgan.

basicsr 1.4.2 imports ``torchvision.transforms.functional_tensor``, which torchvision removed in
0.17. `load` installs a module of that name first, holding the one function basicsr takes from
it, and then imports what was asked for. Plugins, `oldfix.training` and `oldfix.evaluation` use
it; the host's run path never does.
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from typing import Any

from oldfix.errors import EnvironmentProblem

_PACKAGES = ("basicsr", "facexlib", "gfpgan")
_MISSING = "torchvision.transforms.functional_tensor"


def load(reference: str) -> Any:
    """Import ``"module"`` or ``"module:name"`` from basicsr, facexlib or gfpgan.

    Raises:
        ValueError: the module belongs to none of the three packages.
        EnvironmentProblem: the package, or something it needs, cannot be imported.
    """
    module_name, _, name = reference.partition(":")
    if module_name.split(".")[0] not in _PACKAGES:
        raise ValueError(f"{module_name}: only {', '.join(_PACKAGES)} are reached through here")
    try:
        _install_functional_tensor()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their own deprecations, which nobody here can mend
            module = importlib.import_module(module_name)
    except ImportError as error:
        raise EnvironmentProblem(
            f"{module_name}: cannot be imported ({error}); run 'oldfix doctor'"
        ) from error
    return getattr(module, name) if name else module


def _install_functional_tensor() -> None:
    """Give basicsr the module that torchvision removed, once."""
    if _MISSING in sys.modules:
        return
    from torchvision.transforms import functional

    alias = types.ModuleType(_MISSING)
    alias.rgb_to_grayscale = functional.rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[_MISSING] = alias
