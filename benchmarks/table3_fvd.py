"""Table 3 of the paper: Fréchet video distances of methods on four data sets, and yours below.

The paper's rows and columns are in its order. Measured results follow in a section of their own,
each with its interval, and with a footnote where its protocol is not the column's.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from latte.data.errors import InputError
from reports.published import published
from reports.tables import Cell, Column, Row, Table, write_table

DATASETS: Mapping[str, str] = {
    "faceforensics": "FaceForensics",
    "skytimelapse": "SkyTimelapse",
    "ucf101": "UCF101",
    "taichi-hd": "Taichi-HD",
}
METRIC = "FVD"
NETWORK = "i3d"
SOURCE = "arXiv:2401.03048v3 Table 3"
FIRST_VERSION = "arXiv:2401.03048v1 Table 2"
NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "protocol_fields": dict,
    "deviations": list,
    "dataset": (str, type(None)),
    "model": str,
}

CAPTION = (
    "16 frames at 256×256; lower is better; ± is half of the 95 % interval of a measured value."
)
PUBLISHED_PROTOCOLS = (
    "The paper took the other methods' figures from StyleGAN-V or from their own papers: they need "
    "not follow one protocol. Measured values are held against the official Latte evaluation."
)
NOTHING_MEASURED = (
    "Published figures alone: no measured result was given. `latte-eval fvd --dataset ucf101 "
    "--fake FOLDER` makes one, `latte-bench table3 --results results.jsonl` puts it here."
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A result and where it stands."""

    where: str  # "results.jsonl, line 3"
    record: Mapping[str, Any]

    @property
    def place(self) -> tuple[str, str]:
        """The row and the column of the table."""
        return str(self.record["model"]), str(self.record["dataset"])


def run(results: Sequence[Path], out: Path) -> None:
    """Write `table3.md`, `table3.csv` and `table3.tex` into `out`; print the table and the paths.

    Args:
        results: files of results that `latte-eval` wrote; none gives the published table.

    Raises:
        InputError: a results file that cannot be read, a broken line, or two results for one cell.
            Nothing is written then.
    """
    table = fvd_table([measured for path in results for measured in read_measured(path)])
    paths = write_table(table, out, "table3")
    print(table.markdown())
    print("\n".join(f"wrote {path}" for path in paths))


def read_measured(path: Path) -> list[Measured]:
    """The results of a file, each with its line.

    Raises:
        InputError: no such file, or a line that is not a result, by its number.
    """
    from evaluation.result import numbered_results

    found = []
    for number, record in numbered_results(path):
        where = f"{path}, line {number}"
        if record["metric"] == METRIC:
            _check(where, record)
        found.append(Measured(where=where, record=record))
    return found


def fvd_table(measured: Sequence[Measured]) -> Table:
    """The paper's table with the measured results below it.

    Raises:
        InputError: two different results for one cell.
    """
    entered, left_out = _select(measured)
    cells = _one_per_cell(entered)
    remarks = [PUBLISHED_PROTOCOLS]
    if not cells:
        remarks.append(NOTHING_MEASURED)
    if left_out:
        remarks.append(_left_out_sentence(left_out))
    return Table(
        title="Fréchet video distance (FVD) of video generators",
        caption=CAPTION,
        columns=tuple(
            Column(key=key, title=title, direction="lower") for key, title in DATASETS.items()
        ),
        rows=(*published_rows(), *measured_rows(cells)),
        remarks=tuple(remarks),
        provenance=(f"published: {SOURCE}", *(_provenance(x) for x in cells.values())),
    )


def published_rows() -> list[Row]:
    """The paper's methods in its order; where its first version differs, a footnote says so."""
    frame = published("fvd")
    current = _by_cell(frame[frame.source == SOURCE])
    first = _by_cell(frame[frame.source == FIRST_VERSION])
    methods = dict.fromkeys(method for method, _ in current)
    return [
        Row(
            label=method,
            cells={
                dataset: _published_cell(
                    current.get((method, dataset)), first.get((method, dataset))
                )
                for dataset in DATASETS
            },
        )
        for method in methods
    ]


def measured_rows(cells: Mapping[tuple[str, str], Measured]) -> list[Row]:
    """One row for each model, in the order of the results."""
    missing = Cell(reason="Not measured.")
    return [
        Row(
            label=model,
            section="Measured here",
            cells={
                dataset: _measured_cell(cells[model, dataset], dataset)
                if (model, dataset) in cells
                else missing
                for dataset in DATASETS
            },
        )
        for model in dict.fromkeys(model for model, _ in cells)
    ]


def _check(where: str, record: Mapping[str, Any]) -> None:
    """Refuse a distance without what the table has to say about it."""
    wrong = [key for key, kind in NEEDED.items() if not isinstance(record.get(key, ...), kind)]
    if wrong:
        raise InputError(
            f"{where}: this result has no usable {', '.join(wrong)}; remove that line, or measure "
            "again"
        )
    value, ends = record["value"], record.get("interval") or []
    try:
        sound = all(math.isfinite(number) for number in (value, *ends))
        sound = sound and (not ends or ends[0] <= ends[1]) and len(ends) in (0, 2)
    except (TypeError, IndexError):
        sound = False
    if not sound:
        raise InputError(
            f"{where}: value {json.dumps(value)} with interval {json.dumps(ends)} is not a finite "
            "number with its interval; remove that line, or measure again"
        )


def _select(measured: Iterable[Measured]) -> tuple[list[Measured], Counter[str]]:
    """What belongs into the table, and a count of the rest by reason."""
    entered: list[Measured] = []
    left_out: Counter[str] = Counter()
    for item in measured:
        record = item.record
        if record["metric"] != METRIC:
            left_out[f"{record['metric']} is another metric"] += 1
        elif record["network"] != NETWORK:
            left_out[f"{METRIC} by the network {record['network']} instead of {NETWORK}"] += 1
        elif record["dataset"] is None:
            left_out["its data set is not named: measure with --dataset"] += 1
        elif record["dataset"] not in DATASETS:
            left_out[f"the paper has no data set {record['dataset']}"] += 1
        else:
            entered.append(item)
    return entered, left_out


def _left_out_sentence(left_out: Counter[str]) -> str:
    count = sum(left_out.values())
    reasons = "; ".join(f"{number} × {reason}" for reason, number in left_out.items())
    return f"Left out: {count} {'result' if count == 1 else 'results'} ({reasons})."


def _one_per_cell(measured: Iterable[Measured]) -> dict[tuple[str, str], Measured]:
    """One result for each cell; repetitions of one run are one.

    Raises:
        InputError: two results that differ in their value or in their protocol.
    """
    cells: dict[tuple[str, str], Measured] = {}
    for item in measured:
        before = cells.setdefault(item.place, item)
        same = all(before.record[key] == item.record[key] for key in ("fingerprint", "value"))
        if not same:
            model, dataset = item.place
            raise InputError(
                f"{before.where} and {item.where}: two results for {model} on {dataset} "
                f"({before.record['value']:.6g} and {item.record['value']:.6g}); remove one of "
                "the lines, or measure with another --name"
            )
    return cells


def _measured_cell(item: Measured, dataset: str) -> Cell:
    """The value and its interval; ranked with the published ones only if made as they were."""
    differing = differing_fields(item.record, dataset)
    note = f"Protocol differs from the published column's: {'; '.join(differing)}."
    low, high = item.record.get("interval") or (None, None)
    return Cell(
        value=float(item.record["value"]),
        low=low,
        high=high,
        notes=(note,) if differing else (),
        # The official tools draw without a seed: no figure of theirs belongs to one.
        comparable=all(phrase.startswith("seed ") for phrase in differing),
    )


def differing_fields(record: Mapping[str, Any], dataset: str) -> list[str]:
    """A phrase for everything in which a result was not made as the published column's were."""
    from evaluation.presets import published_protocol
    from evaluation.protocol import LABELS, differences

    reference = published_protocol(dataset).moving_fields()
    fields = {key: value for key, value in record["protocol_fields"].items() if key not in LABELS}
    found = differences(fields, reference)
    # Deviations from the result's own preset name fields too: those are in the list already.
    found += [phrase for phrase in record["deviations"] if phrase.split(" ")[0] not in fields]
    return found


def _published_cell(value: str | None, first: str | None) -> Cell:
    if value is None:
        return Cell(reason="Not reported in the paper.", mark="published")
    changed = first is not None and first != value
    notes = (f"{first} in the paper's first version ({FIRST_VERSION}).",) if changed else ()
    return Cell(value=float(value), text=value, mark="published", notes=notes)


def _by_cell(frame: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {
        (str(method), str(dataset)): str(value)
        for method, dataset, value in zip(frame.method, frame.dataset, frame.fvd, strict=True)
    }


def _provenance(item: Measured) -> str:
    """How one value came about, in one line."""
    record = item.record
    model, dataset = item.place
    versions, host = record.get("versions") or {}, record.get("host") or {}
    seconds = record.get("seconds")
    parts = [
        f"{model} on {dataset}: protocol {record['protocol']} {record['fingerprint']}",
        f"{record['num_real']} real and {record['num_fake']} generated clips",
        f"weights {str(record.get('weights_sha256') or 'not stated')[:12]}",
        ", ".join(
            f"{name} {versions[name]}"
            for name in ("latte-eval", "torch", "decoder")
            if name in versions
        ),
        str(host.get("device_name") or host.get("device") or ""),
        str(record.get("date") or ""),
        "" if seconds is None else f"{seconds:.0f} s",
        f"`{record['command']}`" if record.get("command") else "",
    ]
    return "; ".join(part for part in parts if part)
