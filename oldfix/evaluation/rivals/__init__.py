"""Published networks to stand beside ours, where their files are at hand.

Files are looked for by name below a folder (``--rivals`` or ``$OLDFIX_RIVALS``). Nothing of it is
copied or shipped; a network whose file is absent is named in the table's notes.
"""

from .rows import Rivals, open_judge, rival_rows

__all__ = ["Rivals", "open_judge", "rival_rows"]
