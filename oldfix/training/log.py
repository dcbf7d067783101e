"""The run's log: one CSV line every few steps, readable while it grows."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from oldfix.errors import EnvironmentProblem


class CsvLog:
    """Appends rows to a CSV file whose columns the first row fixes."""

    def __init__(self, path: Path, *, keep_until: int = 0) -> None:
        """Open a log.

        Args:
            path: the file.
            keep_until: keep the rows up to this step (a resumed run); 0 starts afresh.
        """
        self.path = path
        self._columns: list[str] = []
        self._last = ""
        rows = list(csv.DictReader(io.StringIO(path.read_text()))) if path.is_file() else []
        path.unlink(missing_ok=True)
        for row in rows:
            # The last line of a run that was killed may be half of one.
            if None not in row.values() and int(row["step"]) <= keep_until:
                self.add(int(row.pop("step")), row)

    def add(self, step: int, values: Mapping[str, float | str]) -> None:
        """Append a row; values are rounded to six digits. A step that is the last already is left.

        Raises:
            EnvironmentProblem: the file cannot be written (a full disk, say).
        """
        row = {"step": str(step)} | {
            name: value if isinstance(value, str) else f"{float(value):.6g}"
            for name, value in values.items()
        }
        if row["step"] == self._last:
            return  # of a run that is gone on with where it was validated last
        new = not self._columns
        self._columns = self._columns or list(row)
        try:
            with self.path.open("a", newline="") as file:
                writer = csv.DictWriter(file, self._columns, restval="", extrasaction="ignore")
                if new:
                    writer.writeheader()
                writer.writerow(row)
            self._last = row["step"]
        except OSError as error:
            raise EnvironmentProblem(
                f"{self.path}: cannot be written ({error.strerror or error}); free some space, "
                "then go on with --resume"
            ) from error
