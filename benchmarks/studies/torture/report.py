"""What a torture run found: a row for each kind of file, and the mutants that crash or hang."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from benchmarks.studies.torture.kinds import KINDS
from benchmarks.studies.torture.trials import Trial
from reports.blocks import Block, Code, Heading, ProvenanceBlock, TableBlock
from reports.cells import Cell, Column, Row
from reports.document import Report
from reports.provenance import Provenance
from reports.table import Table

TITLES = {
    "mutants": "Mutants",
    "refused": "Refused",
    "measured": "Measured",
    "same": "as undamaged",
    "noted": "otherwise, with a note",
    "silent": "otherwise, without",
    "strict": "of these, FFmpeg refuses",
    "crashed": "Crashed",
    "hung": "Hung",
}
NOT_A_VIDEO = Cell(reason="These files are not videos.")


def table_of_trials(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row for each mutant."""
    return pd.DataFrame([asdict(trial) for trial in trials])


def counts(trials: Sequence[Trial]) -> dict[str, int]:
    """How many mutants ended in each way."""
    measured = [trial for trial in trials if trial.outcome == "measured"]
    changed = [trial for trial in measured if trial.changed]
    silent = [trial for trial in changed if not trial.noted]
    return {
        "mutants": len(trials),
        "refused": sum(trial.outcome == "refused" for trial in trials),
        "measured": len(measured),
        "same": len(measured) - len(changed),
        "noted": len(changed) - len(silent),
        "silent": len(silent),
        "strict": sum(trial.strict == "refused" for trial in silent),
        "crashed": sum(trial.outcome == "crashed" for trial in trials),
        "hung": sum(trial.outcome == "hung" for trial in trials),
    }


def torture_report(trials: Sequence[Trial], provenance: Provenance) -> Report:
    """The counts, and every mutant that crashed or hung with the command that makes it again."""
    total = counts(trials)
    lead = (
        f"{total['mutants']:,} damaged files: {total['measured']:,} measured, "
        f"{total['refused']:,} refused with one sentence and exit code 2, {total['crashed']} "
        f"crashed, {total['hung']} hung."
    )
    blocks: list[Block] = [TableBlock(table=torture_table(trials))]
    if failed := [trial for trial in trials if trial.failed]:
        lines = [f"latte-bench torture --only {x.name}  # {x.outcome}: {x.reason}" for x in failed]
        blocks += [Heading(text="Mutants that crash or hang"), Code(text="\n".join(lines))]
    blocks.append(ProvenanceBlock(records=(provenance,)))
    return Report(title="Damaged files", lead=lead, blocks=tuple(blocks))


def torture_table(trials: Sequence[Trial]) -> Table:
    """One row for each kind of file."""
    rows = []
    for name, kind in KINDS.items():
        of_kind = [trial for trial in trials if trial.kind == name]
        if of_kind:
            cells = {key: Cell.fixed(count, 0) for key, count in counts(of_kind).items()}
            if not kind.is_video:
                cells["strict"] = NOT_A_VIDEO
            rows.append(Row(label=name, cells=cells, section=kind.group))
    alone = [trial for trial in trials if trial.alone is not None]
    videos = [trial for trial in trials if trial.strict is not None]
    other = sum(trial.strict == "other" for trial in videos)
    same = sum(trial.strict == "same" for trial in videos)
    return Table(
        title="Damaged files by kind",
        caption="What the command that reads such files makes of them.",
        label_heading="File",
        columns=tuple(Column(key=key, title=title) for key, title in TITLES.items()),
        rows=tuple(rows),
        remarks=(
            "Measured: the command ends with 0. As undamaged: with the frames, the value or the "
            "text that it gives of the undamaged file.",
            f"Of {len(videos)} measured videos, FFmpeg, told to end at the first error "
            f"(err_detect=explode), gives the same frames of {same}, other frames of {other}, and "
            f"refuses {len(videos) - same - other}. Only the frames that are measured count.",
            f"{len(alone)} of the commands were carried out by an interpreter of their own as "
            "well, among them all that crashed or hung, where the outcome of that one counts.",
        ),
    )
