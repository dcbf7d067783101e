"""``oldfix restore``."""

from __future__ import annotations

from oldfix.cli.options import OutputFlags, Photos, PlanFlags, PresetFlags, RunFlags, flat


@flat
def restore(
    photos: Photos, flags: PresetFlags, adjust: PlanFlags, out: OutputFlags, how: RunFlags
) -> None:
    """Restore photographs; faces and colour if asked.

    Takes away scratches, noise, blur and fading; with --faces and --colorize does more.
    Each result lies beside its input as NAME.restored.SUFFIX, or in the folder after -o, with a
    sidecar NAME.restored.SUFFIX.oldfix.json that says what was done. Inputs are never modified.
    """
    from oldfix.cli.batch import restore_all
    from oldfix.cli.chains import preset_chain

    restore_all(preset_chain(flags, adjust), photos, out, how)
