"""How many parameters a file of weights holds, without loading them."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

from oldfix.errors import UsageError

#: No header is longer, in bytes; what claims so is something else.
_LONGEST_HEADER = 100_000_000


def parameters(file: Path) -> int:
    """Count the numbers in a safetensors file, buffers included, by its header.

    Raises:
        UsageError: the file is something else.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, _LONGEST_HEADER)))
        return sum(math.prod(item["shape"]) for n, item in header.items() if n != "__metadata__")
    except (OSError, struct.error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{file}: is no safetensors file ({error}); import the weights again"
        ) from None
