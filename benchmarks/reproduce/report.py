"""`latte-bench report`: what the runners left, as one report. Measures nothing, loads no torch."""

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.scale import Scale, name_at
from benchmarks.reproduce.files import COPIED, write_files
from benchmarks.runners import PANELS, RUNNERS, SECTIONS, Runner
from latte.data.errors import InputError
from latte.data.files import read_text
from reports.blocks import Paragraph, TableBlock, all_blocks
from reports.cells import Cell
from reports.document import STORED, Report
from reports.joined_report import (
    Section,
    claims_report,
    joined_report,
    provenance_of,
    without_provenance,
)
from reports.provenance import Provenance
from reports.render.documents import CONTENTS
from reports.table import simple_table

logger = logging.getLogger(__name__)

PAPER_TABLES, PAPER_FIGURES = 5, 10  # counts in the paper's third version
WITHOUT_RUNNER = (
    "No runner makes the paper's figures 1 and 9, which show samples, or 2, 3, 4 and 10, which are "
    "diagrams."
)
CLAIMS, NOT_RUN = "claims", "not-run"  # sections of this report's own
NAME = re.compile(r"[A-Za-z0-9][\w-]*")
HARDWARE = ("system", "processor", "memory_gib", "cores", "device", "device_name")


@dataclass(frozen=True, kw_only=True)
class RunnerReport(Section):
    """A report that a runner left."""

    path: Path

    @property
    def has_values(self) -> bool:
        """Whether anything in it was measured: a table may hold published figures alone."""
        cells = [
            cell
            for block in all_blocks(self.report.blocks)
            if isinstance(block, TableBlock)
            for row in block.table.rows
            for cell in row.cells.values()
        ]
        is_published = any(cell.mark == "published" for cell in cells)
        return not is_published or any(
            cell.mark == "measured" and cell.value is not None for cell in cells
        )


def run(*, results: Path, scale: Scale, out: Path) -> None:
    """Write `report.md`, `report.html`, pictures, and every runner's `.csv` and `.tex` into `out`.

    Everything is read and made before the first file is written. Pictures and tables of an earlier
    report that this one does not have are removed.

    Raises:
        InputError: no stored report of that scale, a broken one, two of one name that differ, some
            that cannot be joined, or a folder that cannot be written.
    """
    stored = stored_reports(results, scale)
    try:
        report = whole_report(stored, scale, results)
        contents = {
            "report.md": report.markdown().encode(),
            "report.html": report.html().encode(),
            **report.pictures(),
            **copies(stored, out),
        }
    except ValueError as error:
        what = " ".join(str(error).split())[:300]  # names may hold line breaks, and be long
        raise InputError(
            f"{results}: the reports in it cannot be joined ({what}): run the command of the one "
            "that is named again, or remove it"
        ) from None
    write_files(out, contents)
    print(report.lead)
    for name in ("report.md", "report.html"):
        logger.info("wrote %s", out / name)
    logger.info("wrote %d pictures and tables beside them", len(contents) - 2)


def stored_reports(results: Path, scale: Scale) -> list[RunnerReport]:
    """The reports of a scale, with those of runners without scales, in the order of the registry.

    Raises:
        InputError: there is none, one is broken, or two of one name differ.
    """
    if not results.is_dir():
        raise InputError(f"{results}: no such folder of results: `latte-bench table1` makes one")
    reports = [_read(path) for path in sorted(results.glob(f"*/*{STORED}"))]
    own = [one for one in reports if (one.report.scale or "tiny") == scale]
    names = {one.name for one in own}
    without_scales = {name for name, runner in RUNNERS.items() if not runner.scales}
    shared = [
        one
        for one in reports
        if not one.report.scale
        and one.name not in names
        and (one.name in without_scales or one.name not in RUNNERS)
    ]
    stored: dict[str, RunnerReport] = {}
    for one in [*own, *shared]:
        other = stored.setdefault(one.name, one)
        if without_provenance(one.report) != without_provenance(other.report):
            raise InputError(
                f"{other.path} and {one.path} differ and have one name: remove one of them"
            )
        stored[one.name] = max(other, one, key=lambda each: _dates(provenance_of(each.report))[-1:])
    if not stored:
        raise InputError(
            f"{results}: no folder in it holds a report of scale {scale}: "
            f"`latte-bench table1 --scale {scale}` makes one"
        )
    places = {name: place for place, name in enumerate(RUNNERS)}
    return sorted(stored.values(), key=lambda one: (places.get(one.name, len(places)), one.name))


def whole_report(stored: Sequence[RunnerReport], scale: Scale, results: Path) -> Report:
    """All sections, after what they say of the paper, and before what was not run."""
    claims = claims_report(stored)
    published = {section.name for section in stored if not section.has_values}
    measured = {section.name for section in stored} - published
    lacking = [runner for runner in SECTIONS if runner.name not in measured]
    not_run = Section(name=NOT_RUN, report=_not_run(lacking, published, scale, results))
    return joined_report(
        title="Latte-Eval: tables and figures of the paper",
        lead=f"Measured here at scale {scale}: {parts_of_paper(measured)}. {claims.lead}",
        about=tuple(Paragraph(text=line) for line in (*origin(stored), WITHOUT_RUNNER)),
        sections=[Section(name=CLAIMS, report=claims), *stored, *([not_run] if lacking else [])],
    )


def parts_of_paper(names: Collection[str]) -> str:
    """How many of the paper's tables and figures some runners show, and how many studies there are.

    >>> parts_of_paper(["table3", "figure5a", "figure7", "demo"])
    '1 of 5 tables and 2 of 10 figures of the paper (1 of 6 panels of Figure 5), 1 of 8 studies'
    """
    runners = [RUNNERS[name] for name in names if name in RUNNERS and name != "intext"]
    tables, figures = (
        len({runner.shows for runner in runners if runner.shows and runner.kind == kind})
        for kind in ("table", "figure")
    )
    panels = sum(panel.name in names for panel in PANELS)
    partly = f" ({panels} of {len(PANELS)} panels of Figure 5)" if panels in range(1, 6) else ""
    text = ", the masks in its text" if "intext" in names else ""
    studies = [runner.name for runner in SECTIONS if not runner.shows]
    return (
        f"{tables} of {PAPER_TABLES} tables and {figures} of {PAPER_FIGURES} figures of the "
        f"paper{partly}{text}, {sum(name in names for name in studies)} of {len(studies)} studies"
    )


def origin(stored: Iterable[RunnerReport]) -> list[str]:
    """Sentences on when, from which commits and on which machines the reports were made."""
    records = [record for section in stored for record in provenance_of(section.report)]
    days = [date[: len("2026-01-31")] for date in _dates(records)]
    commits = dict.fromkeys(record.commit for record in records if record.commit)
    hosts = dict.fromkeys(
        ", ".join(f"{name} {record.host[name]}" for name in HARDWARE if name in record.host)
        for record in records
        if record.host
    )
    sentences = []
    if days:
        until = "" if days[-1] == days[0] else f" to {days[-1]}"
        source = f", from commit{'s' * (len(commits) > 1)} {', '.join(commits)}" if commits else ""
        sentences.append(f"Made {days[0]}{until}{source}.")
    if hosts:
        sentences.append(f"Hardware: {'; '.join(hosts)}.")
    return sentences


def copies(stored: Iterable[RunnerReport], out: Path) -> dict[str, bytes]:
    """The `.csv` and `.tex` files beside the reports, by name, unless they are in `out` already.

    Files of a report begin with its name; others in its folder are not its own.
    """
    return {
        path.name: path.read_bytes()
        for report in stored
        if report.path.parent.resolve() != out.resolve()
        for path in sorted(report.path.parent.iterdir())
        if path.suffix in COPIED and path.is_file()
        if path.stem == report.name or path.stem.startswith(f"{report.name}-")
    }


def _dates(records: Iterable[Provenance]) -> list[str]:
    """When the documents were made, the earliest first."""
    return sorted(record.date for record in records if record.date and not record.subject)


def _not_run(
    lacking: Iterable[Runner], published: Collection[str], scale: Scale, results: Path
) -> Report:
    """What the folder of results lacks, with the commands that make it.

    Args:
        published: names of runners that left published figures alone.
    """
    none = Cell(reason=f"{results} holds no report of it at scale {scale}.")
    table = simple_table(
        "What is not in this report",
        {"here": "here", "command": "made by"},
        (
            (
                runner.title,
                (
                    "published figures alone" if runner.name in published else none,
                    f"`{_command(runner, scale, results)}`",
                ),
            )
            for runner in lacking
        ),
        label_heading="Table or figure",
    )
    return Report(title="Not run", blocks=(TableBlock(table=table),))


def _command(runner: Runner, scale: Scale, results: Path) -> str:
    stored_scale: Scale = scale if runner.scales else "tiny"
    command = f"latte-bench {runner.name}"
    if stored_scale != "tiny" or runner.measures_only_if_asked:
        command += f" --scale {scale}"
    if results != Path("results"):
        command += f" --out {results / name_at(runner.name, stored_scale)}"
    return command


def _read(path: Path) -> RunnerReport:
    name = path.name.removesuffix(STORED)
    if not NAME.fullmatch(name) or name in (CLAIMS, NOT_RUN, CONTENTS):
        raise InputError(f"{path} is not named as a command names its report: remove it")
    text = read_text(path, "a stored report", "run its command again, or remove it")
    try:
        report = Report.from_json(text)
    except ValueError as error:
        raise InputError(f"{path}: {error}, so run its command again, or remove it") from None
    return RunnerReport(name=name, path=path, report=report)
