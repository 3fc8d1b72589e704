"""`latte-bench report`: what the runners left, as one report. Measures nothing, loads no torch."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cells.scale import SCALES, Scale, name_at
from benchmarks.reproduce.files import COPIED, write_files
from latte.data.errors import InputError
from reports.cells import Cell, Column, Row
from reports.document import STORED, Paragraph, Report, TableBlock
from reports.joined_report import (
    CONTENTS,
    Section,
    claims_report,
    joined_report,
    provenance_of,
    tables_of,
    without_provenance,
)
from reports.provenance import Provenance
from reports.table import Table

# In the order of the paper's third version.
OF_THE_PAPER = {
    "table1": "Table 1: Variants",
    "table2": "Table 2: Sizes",
    "table3": "Table 3: FVD",
    "table4": "Table 4: VBench",
    "figure5a": "Figure 5a: Patch embedding",
    "figure5b": "Figure 5b: Timestep and class",
    "figure5c": "Figure 5c: Positions in time",
    "figure5d": "Figure 5d: Initialisation",
    "figure5e": "Figure 5e: Sampling interval",
    "figure5f": "Figure 5f: Variants",
    "figure6": "Figure 6: Frames after spatial blocks",
    "figure7": "Figure 7: Model sizes",
    "figure8": "Figure 8: Frames after both attentions",
    "table5": "Table 5: IS and FID",
    "intext": "In the text: masks of joint training",
}
OF_THE_MEASURES = {
    "protocols": "How far a choice of the protocol moves FVD",
    "sensitivity": "Which metric sees what",
    "demo": "Demo",
    "speed": "Speed and memory",
    "speed-generator": "Speed of the generator",
    "coverage": "Coverage of intervals",
}
KNOWN = {**OF_THE_PAPER, **OF_THE_MEASURES}
AT_ANY_SCALE = ("table1", "table2", *OF_THE_MEASURES)  # the same at all of them
MEASURED_IF_ASKED = ("table3", "table4", "table5")  # they measure nothing without --scale
CLAIMS, NOT_RUN = "claims", "not-run"  # sections of this report's own
NAME = re.compile(r"[A-Za-z0-9][\w-]*")
HARDWARE = ("system", "processor", "memory_gib", "cores", "device", "device_name")


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A report that a runner left."""

    name: str
    path: Path
    report: Report

    @property
    def has_values(self) -> bool:
        """Whether anything in it was made here: a table may hold published figures alone."""
        tables = tables_of(self.report.blocks)
        cells = [cell for table in tables for row in table.rows for cell in row.cells.values()]
        is_published = any(cell.mark == "published" for cell in cells)
        return not is_published or any(
            cell.mark == "measured" and cell.value is not None for cell in cells
        )


def run(*, results: Path, scale: Scale, out: Path) -> None:
    """Write `report.md`, `report.html`, pictures, and every runner's `.csv` and `.tex` into `out`.

    Everything is read and made before the first file is touched. Pictures and tables that an
    earlier report left there go, where this one has none of their names.

    Raises:
        InputError: no stored report of that scale, one that is broken, two for one name, some that
            make no report together, or a folder that cannot be written.
    """
    found = stored_reports(results, scale)
    try:
        report = whole_report(found, scale, results)
        contents = {
            "report.md": report.markdown().encode(),
            "report.html": report.html().encode(),
            **report.pictures(),
            **copies(found, out),
        }
    except ValueError as error:
        what = " ".join(str(error).split())[:300]  # names may hold line breaks, and be long
        raise InputError(
            f"{results}: the reports in it cannot be joined ({what}); make the one that it is "
            "about again with its command, or remove it"
        ) from None
    write_files(out, contents)
    print(report.lead)
    print("\n".join(f"wrote {out / name}" for name in list(contents)[:2]))
    print(f"and {len(contents) - 2} pictures and tables beside them")


def stored_reports(results: Path, scale: Scale) -> list[Stored]:
    """The reports of a scale, in the order of the paper; of those without a scale, their own.

    Raises:
        InputError: there is none, one is broken, or two are called the same.
    """
    if not results.is_dir():
        raise InputError(f"{results}: no such folder of results; `latte-bench table1` makes one")
    paths = sorted(results.glob(f"*/*{STORED}"))
    own = [path for path in paths if scale_of(path.parent) == scale]
    names = {_name(path) for path in own}
    shared = [
        path
        for path in paths
        if scale_of(path.parent) == "tiny"
        and _name(path) not in names
        and (_name(path) in AT_ANY_SCALE or _name(path) not in KNOWN)
    ]
    chosen = [*own, *(shared if scale != "tiny" else [])]
    found: dict[str, Stored] = {}
    for each in (Stored(name=_name(path), path=path, report=_read(path)) for path in chosen):
        other = found.get(each.name)
        found[each.name] = each if other is None else _newer(other, each)
    if not found:
        raise InputError(
            f"{results}: no folder in it holds a report of scale {scale}; "
            f"`latte-bench table1 --scale {scale}` makes one"
        )
    return [found[name] for name in sorted(found, key=_place)]


def _newer(one: Stored, other: Stored) -> Stored:
    """Of two reports of one name that say the same the one of the later run.

    Raises:
        InputError: they differ in more than how they came about.
    """
    if without_provenance(one.report) != without_provenance(other.report):
        raise InputError(
            f"{one.path} and {other.path} are two results of one name that differ: remove one of "
            "them"
        )
    return max(one, other, key=lambda each: _dates(provenance_of(each.report))[-1:])


def _place(name: str) -> tuple[float, str]:
    """Where a report stands: "figure5", all panels, before "figure5a"; unknown ones last."""
    order = list(KNOWN)
    parts = [place for place, known in enumerate(order) if known.startswith(name)]
    place = order.index(name) if name in KNOWN else min(parts, default=len(order)) - 0.5
    return place, name


def scale_of(folder: Path) -> Scale:
    """The scale whose results a folder holds, by its name: "figure7-small"."""
    return next((scale for scale in SCALES if folder.name.endswith(f"-{scale}")), "tiny")


def whole_report(found: Sequence[Stored], scale: Scale, results: Path) -> Report:
    """All sections, after what they say of the paper, and before what was not run."""
    sections = [Section(name=each.name, report=each.report) for each in found]
    claims = claims_report(sections)
    have = {each.name for each in found}
    alone = {each.name for each in found if not each.has_values}
    measured = have - alone
    of_paper, of_measures = (measured & kind.keys() for kind in (OF_THE_PAPER, OF_THE_MEASURES))
    lead = (
        f"{len(of_paper)} of {len(OF_THE_PAPER)} tables and figures of the paper, and "
        f"{len(of_measures)} of {len(OF_THE_MEASURES)} reports on the measures themselves, with "
        f"numbers that were made here, at scale {scale}. {claims.lead}"
    )
    lacking = {name: name in alone for name in KNOWN if name not in measured}
    not_run = [Section(name=NOT_RUN, report=_not_run(lacking, scale, results))] if lacking else []
    return joined_report(
        title="Latte-Eval: tables and figures of the paper",
        lead=lead,
        about=tuple(Paragraph(text=line) for line in origin(found)),
        sections=[Section(name=CLAIMS, report=claims), *sections, *not_run],
    )


def origin(found: Iterable[Stored]) -> list[str]:
    """When, from which commits and on which machines the reports were made: sentences."""
    records = [record for each in found for record in provenance_of(each.report)]
    days = [date[: len("2026-01-31")] for date in _dates(records)]
    commits = dict.fromkeys(record.commit for record in records if record.commit)
    hosts = dict.fromkeys(
        ", ".join(f"{name} {record.host[name]}" for name in HARDWARE if name in record.host)
        for record in records
        if record.host
    )
    said = []
    if days:
        until = "" if days[-1] == days[0] else f" to {days[-1]}"
        source = f", from commit{'s' * (len(commits) > 1)} {', '.join(commits)}" if commits else ""
        said.append(f"Made {days[0]}{until}{source}.")
    if hosts:
        said.append(f"Hardware: {'; '.join(hosts)}.")
    return said


def copies(found: Iterable[Stored], out: Path) -> dict[str, bytes]:
    """The tables as `.csv` and `.tex` that lie beside the reports, by their names.

    Those of a report begin with its name: other files in its folder are somebody else's. What lies
    in `out` itself is a runner's, and no copy.
    """
    return {
        path.name: path.read_bytes()
        for each in found
        if each.path.parent.resolve() != out.resolve()
        for path in sorted(each.path.parent.iterdir())
        if path.suffix in COPIED and path.is_file() and _belongs(path.stem, each.name)
    }


def _belongs(stem: str, name: str) -> bool:
    return stem == name or stem.startswith(f"{name}-")


def _dates(records: Iterable[Provenance]) -> list[str]:
    """When the documents were made, the earliest first."""
    return sorted(record.date for record in records if record.date and not record.subject)


def _not_run(lacking: Mapping[str, bool], scale: Scale, results: Path) -> Report:
    """What the folder of results lacks, with the commands that make it.

    Args:
        lacking: by name whether there are published figures of it.
    """
    none = Cell(reason=f"{results} holds no report of it at scale {scale}.")
    published = Cell(text="published figures alone")
    table = Table(
        title="What is not in this report",
        label_heading="Table or figure",
        columns=(Column(key="here", title="here"), Column(key="command", title="made by")),
        rows=tuple(
            Row(
                label=KNOWN[name],
                cells={
                    "here": published if is_published else none,
                    "command": Cell(text=f"`{_command(name, scale, results)}`"),
                },
            )
            for name, is_published in lacking.items()
        ),
    )
    return Report(title="Not run", blocks=(TableBlock(table=table),))


def _command(name: str, scale: Scale, results: Path) -> str:
    shown: Scale = "tiny" if name in AT_ANY_SCALE else scale
    command = f"latte-bench {name.replace('-', ' ')}"  # speed-generator is `speed generator`
    if shown != "tiny" or name in MEASURED_IF_ASKED:
        command += f" --scale {scale}"
    if results != Path("results"):
        command += f" --out {results / name_at(name, shown)}"
    return command


def _read(path: Path) -> Report:
    if not NAME.fullmatch(_name(path)) or _name(path) in (CLAIMS, NOT_RUN, CONTENTS):
        raise InputError(f"{path} is not called as a command would call it: remove it")
    try:
        return Report.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}; make it again with its command, or remove it") from None


def _name(path: Path) -> str:
    return path.name.removesuffix(STORED)
