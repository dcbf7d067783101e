"""``oldfix eval``: run every row of a set and write its table and contact sheet."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from oldfix.checkout import commit
from oldfix.errors import EnvironmentProblem, OldfixError, UsageError
from oldfix.evaluation.facecounts import landmark_shift
from oldfix.evaluation.measuring import Outcome, run_row, write_best_and_worst
from oldfix.evaluation.rivals import Rivals, open_judge, rival_rows
from oldfix.evaluation.rows import CLASSICAL, Row, Skipped
from oldfix.evaluation.samples import Sample, samples
from oldfix.evaluation.sets import EvaluationSet, choose_sets
from oldfix.evaluation.stages import OFFICIAL_DETECTOR, Host, official_detector_file, stage_rows
from oldfix.evaluation.tables import Table, write_table
from oldfix.files import make_folder, write_text
from oldfix.keys import Face
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.weights.store import Store

_HEAD = (
    "# Results\n\nWritten by `oldfix eval {name}`: every set, and the rows that could be made. "
    "Numbers in brackets are 95 % bootstrap intervals; a gain whose interval holds zero is none.\n"
)
#: The metric that a published face detector measures.
_JUDGED = "landmark_shift"
_NO_JUDGE = (
    f"needs a published face detector, {OFFICIAL_DETECTOR}, and none is installed; see 'oldfix "
    "weights list', then 'oldfix weights pull' or 'oldfix weights import', or name its folder by "
    "--rivals"
)
_VERSIONS = ("oldfix", "numpy", "opencv-python", "scikit-image", "torch")


class Unmeasured(OldfixError):
    """Some of several sets could not be measured; the others are, and their tables are written.

    Attributes:
        page: the common Markdown page, which says why of each.
        exit_code: that of the first reason.
    """

    def __init__(
        self, name: str, failed: Mapping[str, OldfixError], count: int, page: Path
    ) -> None:
        self.page = page
        self.exit_code = next(iter(failed.values())).exit_code
        super().__init__(
            f"eval {name}: {len(failed)} of {count} sets could not be measured "
            f"({', '.join(failed)}); {page} says why"
        )


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one or several sets.

    Attributes:
        data: folder of pictures.
        out: folder that tables and sheets are written into.
        seed: decides crops, damage and resampling.
        limit: at most so many pictures a set, or None.
        host: what stages are run with.
        say: told in words what is being measured.
        rivals: where published networks are looked for.
    """

    data: Path
    out: Path
    seed: int
    limit: int | None
    host: Host
    say: Callable[[str], None] = lambda text: None
    rivals: Rivals = field(default_factory=Rivals)

    def run(self, name: str) -> Path:
        """Measure what a name means, one set or several, and return the Markdown page.

        Raises:
            UsageError: no such set, no pictures, or a folder that cannot be written into.
            EnvironmentProblem: the set needs something that is not installed.
            FileError: a picture cannot be read.
            Unmeasured: this holds for some of several sets; the others are measured and written.
        """
        chosen = choose_sets(name)
        make_folder(self.out)
        return self._run_one(chosen[0]) if chosen[0].name == name else self._run_many(name, chosen)

    def measure(
        self, chosen: EvaluationSet, questions: Sequence[Sample] | None = None
    ) -> tuple[Table, list[Outcome], list[Sample]]:
        """Run every row of a set, on its own samples or on the questions given instead."""
        facts = self._facts(chosen)
        asked = self._samples(chosen) if questions is None else list(questions)
        kind = chosen.kind_of_rows
        rows = [
            *CLASSICAL[kind],
            *rival_rows(kind, self.rivals, self.host.runner.device),
            *stage_rows(chosen, self.host),
        ]
        outcomes = []
        for row in rows:
            if isinstance(row, Row):
                self.say(f"{chosen.name}: {row.name}")
                outcomes.append(run_row(row, chosen.metrics, asked))
        table = Table(
            name=chosen.name,
            summary=chosen.summary,
            metrics=chosen.metrics,
            samples=tuple(sample.name for sample in asked),
            results=tuple(outcome.result for outcome in outcomes),
            skipped={row.name: row.why for row in rows if isinstance(row, Skipped)}
            | self._missing_columns(chosen),
            facts=facts,
            note=chosen.note,
            published=chosen.published,
        )
        return table, outcomes, asked

    def _run_one(self, chosen: EvaluationSet) -> Path:
        table, outcomes, asked = self.measure(chosen)
        page = write_table(table, self.out)
        write_best_and_worst(page.with_suffix(".png"), table, outcomes, asked)
        return page

    def _run_many(self, name: str, sets: Sequence[EvaluationSet]) -> Path:
        """Measure several sets; those that cannot be are named on the common page."""
        parts, measured = [_HEAD.format(name=name)], []
        failed: dict[str, OldfixError] = {}
        for chosen in sets:
            try:
                page = self._run_one(chosen)
                parts.append(page.read_text("utf-8"))
                measured.append(page.with_suffix(".json"))
            except OldfixError as error:
                self.say(f"{chosen.name}: not measured: {error}")
                parts.append(f"## {chosen.name}\n\nNot measured: {error}\n")
                failed[chosen.name] = error
        if not measured:
            raise next(iter(failed.values()))
        tables = [json.loads(path.read_text("utf-8")) for path in measured]
        text = json.dumps(tables, ensure_ascii=False) + "\n"
        write_text(self.out / f"{name}.json", text, overwrite=True)
        page = write_text(self.out / f"{name}.md", "\n".join(parts), overwrite=True)
        if failed:
            raise Unmeasured(name, failed, len(sets), page)
        return page

    def _samples(self, chosen: EvaluationSet) -> list[Sample]:
        asked = samples(chosen, self.data, self.seed, self.limit)
        if chosen.family == "detection":
            return self._with_faces(asked)
        if _JUDGED in chosen.metrics and (file := self._judge_file()) is not None:
            judge = open_judge(file, self.host.runner.device)
            return [replace(s, landmark_shift=_shift_from(judge, s.truth)) for s in asked]
        return list(asked)

    def _with_faces(self, asked: Iterable[Sample]) -> list[Sample]:
        """Samples whose truth is what the published detector finds."""
        file = self._judge_file()
        if file is None:
            raise EnvironmentProblem(f"eval detection: {_NO_JUDGE}")
        judge = open_judge(file, self.host.runner.device)
        answered = [replace(sample, truth=judge(sample.image)) for sample in asked]
        if not any(sample.truth for sample in answered):
            raise UsageError(f"{self.data}: no face was found in any picture; give portraits")
        return answered

    def _missing_columns(self, chosen: EvaluationSet) -> dict[str, str]:
        missing = _JUDGED in chosen.metrics and self._judge_file() is None
        return {f"column {_JUDGED}": _NO_JUDGE} if missing else {}

    def _judge_file(self) -> Path | None:
        """The official detector, from the rivals' folder or among the installed weights."""
        return self.rivals.find(OFFICIAL_DETECTOR) or official_detector_file(self.host)

    def _facts(self, chosen: EvaluationSet) -> dict[str, Any]:
        import torch

        from oldfix.engine.models import choose_device

        facts = {
            "seed": self.seed,
            "recipe": chosen.recipe,
            "without": ", ".join(chosen.without),
            "sigma": f"{chosen.sigma:g}" if chosen.sigma else "",
            "crop": chosen.crop or "none",
            "device": str(choose_device(self.host.runner.device)),
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
            "commit": commit(),
        }
        return facts | {name: version(name) for name in _VERSIONS}


def _shift_from(judge: Callable[[Any], tuple[Face, ...]], truth: Any) -> Callable[[Any], float]:
    """How far the landmarks of a picture are from those of its truth, by a detector."""
    faces = judge(truth)
    return lambda picture: landmark_shift(judge(picture), faces)


def open_host(*, device: str = "auto", seed: int = 0) -> Host:
    """Everything installed, with a runner on a device."""
    return Host(discover(), Store(), Runner(device=device, seed=seed))


def evaluate(
    name: str,
    data: Path,
    seed: int,
    out: Path,
    limit: int | None = None,
    host: Host | None = None,
) -> Path:
    """Measure what a name means: writes tables (JSON, Markdown) and contact sheets into ``out``.

    Returns:
        The Markdown page.

    Raises:
        OldfixError: as `Evaluation.run` does.
    """
    return Evaluation(data, out, seed, limit, host or open_host(seed=seed)).run(name)
