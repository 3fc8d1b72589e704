"""One mutant after the other: damaged, given to the command, judged."""

import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cells.cache import CellValue, cell_key
from benchmarks.studies.torture.commands import (
    Ended,
    Outcome,
    in_fork,
    run_alone,
    run_forked,
)
from benchmarks.studies.torture.frames import Strict, measured_frames, print_comparison
from benchmarks.studies.torture.kinds import KINDS, Kind
from benchmarks.studies.torture.mutations import mutated

LIMIT, LIMIT_ALONE = 30, 120  # seconds: in a fork, and with an interpreter to start
ALONE_EVERY = 50  # so many mutants apart, the command is carried out by itself as well
_HASH = re.compile(r"\b[0-9a-f]{12,}\b")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What became of one mutant."""

    kind: str
    seed: int
    damage: str
    outcome: Outcome
    reason: str = ""  # the sentence, or the error
    changed: bool = False  # measured, with another value or other frames than the undamaged file
    noted: bool = False  # measured, with a note that the undamaged file does not get
    strict: Strict | None = None  # measured videos: what FFmpeg's strict decoding gives
    alone: Outcome | None = None  # outcome of a process of its own, where there was one
    seconds: float = 0.0
    megabytes: float = 0.0

    @property
    def failed(self) -> bool:
        return self.outcome in ("crashed", "hung")

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Mutants of one kind with seeds in a row: a cell."""

    kind: str
    first: int
    count: int
    source: str  # hash of the code that reads them
    failures: Path  # folder for the mutants that crash or hang

    @property
    def key(self) -> str:
        return cell_key(kind=self.kind, first=self.first, count=self.count, source=self.source)

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.first}–{self.first + self.count - 1}"


class Original:
    """Sound files of a kind, with what the command says of them."""

    def __init__(self, kind: Kind, work: Path) -> None:
        self.kind, self.work = kind, work
        self.folder = work / "original"
        self.folder.mkdir()
        kind.make(self.folder)
        self.file = str(sorted(self.folder.glob(kind.file))[0].relative_to(self.folder))
        self.data = (self.folder / self.file).read_bytes()
        self.frames = measured_frames(self.folder, self.file) if kind.is_video else None
        case = work / "sound"
        shutil.copytree(self.folder, case)
        self.ended = run_forked(kind.command, case, limit=LIMIT_ALONE)
        if self.ended.outcome != "measured":
            raise RuntimeError(f"{kind.name}: undamaged, {self.ended.reason}\n{self.ended.errors}")
        self.value = self.value_of(self.ended, case)
        shutil.rmtree(case)

    def value_of(self, ended: Ended, folder: Path) -> Any:
        """What the command says of a file, but for hashes, or what it makes of it."""
        if self.kind.product:
            return (folder / self.kind.product).read_bytes()
        with suppress(ValueError):
            content = json.loads(ended.output)
            if isinstance(content, Mapping) and "value" in content:
                return content["value"]
        return _HASH.sub("…", ended.output)

    def damaged(self, seed: int, folder: Path) -> str:
        """Write the mutant with this seed, with the sound files beside it; what was done to it."""
        mutation = mutated(self.data, f"{self.kind.name}:{seed}", self.kind.styles)
        shutil.copytree(self.folder, folder)
        (folder / self.file).write_bytes(mutation.data)
        return mutation.note


def run_batch(batch: Batch) -> CellValue:
    """Try the mutants of a batch; its value is the number of those that crash or hang."""
    with tempfile.TemporaryDirectory(prefix="latte-torture-") as folder:
        original = Original(KINDS[batch.kind], Path(folder).resolve())
        trials = []
        for seed in range(batch.first, batch.first + batch.count):
            trial = try_mutant(original, seed, keep=batch.failures)
            trials.append(asdict(trial))
    failed = sum(trial["outcome"] in ("crashed", "hung") for trial in trials)
    return CellValue(value=failed, details={"trials": trials})


def try_mutant(original: Original, seed: int, *, keep: Path | None) -> Trial:
    """Give one mutant to the command.

    A crash and a hang count where a process of its own has them too: there, videos are decoded by
    a worker process, whose end is not that of the command.

    Args:
        keep: folder for its files, if it crashes or hangs.
    """
    kind, folder = original.kind, original.work / "case"
    damage = original.damaged(seed, folder)
    try:
        ended = run_forked(kind.command, folder, limit=LIMIT)
        trial = Trial(
            kind=kind.name,
            seed=seed,
            damage=damage,
            outcome=ended.outcome,
            reason=_without_paths(ended.reason, folder),
            seconds=round(ended.seconds, 3),
            megabytes=round(ended.megabytes),
        )
        if ended.outcome == "measured":
            trial = replace(trial, **_difference(original, ended, folder))
        if trial.failed or seed % ALONE_EVERY == 0:
            trial = _tried_alone(trial, original, folder)
        if trial.failed and keep is not None:
            shutil.copytree(folder, keep / f"{kind.name}-{seed}", dirs_exist_ok=True)
    finally:
        shutil.rmtree(folder)
    return trial


def try_alone(kind: Kind, seed: int, keep: Path) -> str:
    """Write a mutant's files into a folder of `keep`, and say what the command makes of them."""
    folder = (keep / f"{kind.name}-{seed}").absolute()
    with tempfile.TemporaryDirectory(prefix="latte-torture-") as work:
        original = Original(kind, Path(work).resolve())
        shutil.rmtree(folder, ignore_errors=True)
        damage = original.damaged(seed, folder)
        ended = run_alone(kind.command, folder, limit=LIMIT_ALONE)
    return (
        f"{kind.name}:{seed}: {original.file}: {damage}\n"
        f"cd {shlex.quote(str(folder))}\n{kind.command}\n"
        f"{ended.output}{ended.errors}{ended.outcome}\n"
    )


def _tried_alone(trial: Trial, original: Original, folder: Path) -> Trial:
    """The command leaves files behind, so that the mutant is made anew."""
    shutil.rmtree(folder)
    original.damaged(trial.seed, folder)
    alone = run_alone(original.kind.command, folder, limit=LIMIT_ALONE)
    trial = replace(trial, alone=alone.outcome)
    if trial.failed or alone.outcome in ("crashed", "hung"):
        reason = _without_paths(alone.reason, folder)
        return replace(trial, outcome=alone.outcome, reason=reason)
    return trial


def _difference(original: Original, ended: Ended, folder: Path) -> dict[str, Any]:
    """Whether a measured mutant gives what the undamaged file gives."""
    result: dict[str, Any] = {
        "changed": original.value_of(ended, folder) != original.value,
        "noted": bool(ended.notes - original.ended.notes),
    }
    if original.frames is not None:
        work = partial(print_comparison, original.file, original.frames)
        compared = in_fork(work, folder, limit=LIMIT)
        if compared.code == 0:
            result |= json.loads(compared.output)
    return result


def _without_paths(text: str, folder: Path) -> str:
    return text.replace(f"{folder}/", "").replace(str(folder), ".")
