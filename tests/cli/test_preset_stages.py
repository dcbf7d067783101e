"""Which stages the preset means, with everything that comes with oldfix installed."""

from __future__ import annotations

from oldfix import discover, preset


def test_the_preset_means_the_stages_that_it_was_tuned_with() -> None:
    plan = preset(faces=True, colorize=True).plan(discover())
    assert [planned.spec.name for planned in plan.steps] == [
        "detect-scratches",
        "restore-diffusion",
        "restore-tone",
        "detect-faces",
        "refine-faces",
        "colorize-reference",
    ]
