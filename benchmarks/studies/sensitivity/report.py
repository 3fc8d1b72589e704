"""The documents of `latte-bench sensitivity`: who notices what from which strength on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cells.provenance import this_run
from benchmarks.documents.figures import Drawing, write_drawings
from benchmarks.documents.tables import bare, provenance_of, written
from benchmarks.shapes.distortions import DISTORTIONS
from benchmarks.studies.sensitivity.measures import MEASURES
from benchmarks.studies.sensitivity.run import STRENGTHS, Bench
from reports.cells import Cell, Column, Row
from reports.charts.curves import Curve, Panel, panel_chart
from reports.charts.style import styles_for
from reports.document import Report
from reports.provenance import Provenance
from reports.table import Table, write_texts

SEES_WHAT = "Which metric sees what"
WHERE = {"space": "In space", "time": "In time"}
UNNOTICED = "Not noticed at the greatest strength."
BETTER = "Takes the distorted videos for better ones."
LIMIT = 1000.0  # answers beyond are drawn here


def noticed_from(rows: pd.DataFrame) -> tuple[float | None, bool]:
    """The smallest strength from which on every stronger one is noticed, and whether as worse.

    Args:
        rows: of one distortion and one metric, with `strength` and `answer`.

    Returns:
        The strength, None where the strongest goes unnoticed; and True for worse, False for
        better: an answer in the wrong direction counts only where the strongest gives it.
    """
    ordered = rows.sort_values("strength", ascending=False)
    sign = 1.0 if ordered.answer.iloc[0] > 0 else -1.0
    smallest: float | None = None
    for strength, answer in zip(ordered.strength, ordered.answer, strict=True):
        if sign * answer <= 1:
            break
        smallest = float(strength)
    return smallest, sign > 0


def write_sensitivity(
    out: Path,
    bench: Bench,
    frame: pd.DataFrame,
    impossible: Mapping[str, str],
    *,
    seconds: float,
) -> str:
    """Write `sensitivity.md`, `.tex`, `.csv`, `.svg`, `.png` and `.report.json` into `out`.

    Returns:
        What the command prints: the tables as Markdown, and where the files are.
    """
    titles = [bench.title(each) for each in bench.measures]
    frame = frame[~frame.distortion.isin(list(impossible))]
    table = noticed_table(frame, titles, impossible, draws=len(bench.draws))
    table = replace(table, provenance=(_provenance(bench, seconds),))
    summary = summary_table(frame, titles)
    drawing = draw(bench, frame)
    report = Report(
        title=f"Sensitivity: {SEES_WHAT[0].lower()}{SEES_WHAT[1:]}",
        lead=_lead(frame, titles),
        blocks=(bare(summary), drawing.block, bare(table), provenance_of([table])),
    )
    texts = {
        "md": f"{table.markdown()}\n{summary.markdown()}",
        "tex": f"{table.latex()}\n{summary.latex()}",
        "csv": frame.to_csv(index=False, lineterminator="\n"),
    }
    paths = write_texts(texts, out, "sensitivity")
    paths += [*write_drawings([drawing], out), report.store(out, "sensitivity")]
    return "\n".join([texts["md"], written(paths), f"{seconds:.0f} s in all"])


def draw(bench: Bench, frame: pd.DataFrame) -> Drawing:
    """A panel for each distortion; a metric looks the same whatever others are followed."""
    styles = styles_for(each.name for each in MEASURES)
    titles = {bench.title(each): styles[each.name] for each in bench.measures}
    chart = panel_chart(
        panels(frame, list(titles)),
        title=SEES_WHAT,
        axis="answer: above the band worse, below it better",
        scale="symlog",
        band=(-1, 1),
        columns=4,
        styles=titles,
    )
    return Drawing(
        name="sensitivity",
        figure=chart,
        data=None,
        description="Answers of every metric to every distortion, over its strength.",
        caption=(
            "How far a metric leaves the range of undistorted videos (the band), in half-widths "
            "of that range, over the strength of each distortion."
        ),
    )


def noticed_table(
    frame: pd.DataFrame,
    titles: list[str],
    impossible: Mapping[str, str],
    *,
    draws: int,
) -> Table:
    """Distortions × metrics: the smallest strength from which on every one is noticed."""
    rows = []
    for name, strengths in STRENGTHS.items():
        known = DISTORTIONS[name]
        cells = {}
        for title in titles:
            if name in impossible:
                cells[title] = Cell(reason=impossible[name])
                continue
            own = frame[(frame.distortion == name) & (frame.metric == title)]
            smallest, worse = noticed_from(own)
            cells[title] = (
                Cell(reason=UNNOTICED)
                if smallest is None
                else Cell(text=f"{smallest:.3g}", notes=() if worse else (BETTER,))
            )
        label = f"{name} ({known.strength}; {strengths[0]:.3g} … {strengths[-1]:.3g})"
        rows.append(Row(label=label, section=WHERE[known.of], cells=cells))
    return Table(
        title="From which strength on a metric notices a distortion",
        caption=(
            "The smallest strength that is noticed, as is every greater one. Noticed is a value "
            "outside the range in which another set of undistorted videos would lie 19 times of "
            f"20 (mean ± t · s · √(1 + 1/{draws}) over {draws} undistorted sets)."
        ),
        label_heading="Distortion (strength; from … to)",
        columns=tuple(Column(key=title, title=title) for title in titles),
        rows=tuple(rows),
    )


def summary_table(frame: pd.DataFrame, titles: list[str]) -> Table:
    """Metrics × what they notice: distortions as worse in space and in time, and how early."""
    made = _made(frame)
    rows = []
    totals = {of: sum(DISTORTIONS[name].of == of for name in made) for of in WHERE}
    for title in titles:
        noticed, steps = noticed_by(frame, title)
        missed = [name for name in made if not any(name in found for found in noticed.values())]
        rows.append(
            Row(
                label=title,
                cells={
                    **{of: Cell(text=f"{len(noticed[of])} of {totals[of]}") for of in WHERE},
                    "step": Cell(
                        text=f"{np.mean(steps):.1f}" if steps else None,
                        reason="It notices none.",
                    ),
                    "missed": Cell(text=", ".join(missed) or "none"),
                    "better": Cell(text=", ".join(noticed["better"]) or "none"),
                },
            )
        )
    return Table(
        title=SEES_WHAT,
        caption=(
            "Distortions that a metric notices as worse. The step is that of the strength at "
            "which it does, 1 being the least that was tried, on average over those it notices."
        ),
        label_heading="Metric",
        columns=(
            Column(key="space", title="In space"),
            Column(key="time", title="In time"),
            Column(key="step", title="At step"),
            Column(key="missed", title="Not noticed"),
            Column(key="better", title="Taken for better"),
        ),
        rows=tuple(rows),
    )


def noticed_by(frame: pd.DataFrame, title: str) -> tuple[dict[str, list[str]], list[int]]:
    """What a metric notices.

    Returns:
        Distortions in "space" and in "time" that it takes for worse, and those "better"; and from
        which step of its strength on, counted from 1, it notices each that it takes for worse.
    """
    noticed: dict[str, list[str]] = {"space": [], "time": [], "better": []}
    steps = []
    for name in _made(frame):
        own = frame[(frame.distortion == name) & (frame.metric == title)]
        smallest, worse = noticed_from(own)
        if smallest is None:
            continue
        noticed[DISTORTIONS[name].of if worse else "better"].append(name)
        if worse:
            steps.append(sorted(own.strength).index(smallest) + 1)
    return noticed, steps


def panels(frame: pd.DataFrame, titles: list[str]) -> list[Panel]:
    """One panel for each distortion, from no strength on; answers within ±1000 to be drawn."""
    found = []
    undistorted = frame[(frame.distortion == "none") & (frame.strength == 0)]
    for name in STRENGTHS:
        curves = []
        for title in titles:
            own = frame[(frame.distortion == name) & (frame.metric == title)]
            if own.empty:
                continue
            start = undistorted[undistorted.metric == title].answer
            answers = np.clip([*start, *own.answer], -LIMIT, LIMIT)
            places = (DISTORTIONS[name].none, *own.strength)
            curves.append(Curve(label=title, x=tuple(map(float, places)), y=tuple(answers)))
        if curves:
            axis = DISTORTIONS[name].strength
            found.append(Panel(title=name, axis=axis, curves=tuple(curves)))
    return found


def _made(frame: pd.DataFrame) -> list[str]:
    """The distortions that could be made."""
    return [name for name in STRENGTHS if (frame.distortion == name).any()]


def _lead(frame: pd.DataFrame, titles: list[str]) -> str:
    """Who notices most in space and in time, and who least."""
    said = []
    for of, where in WHERE.items():
        total = sum(DISTORTIONS[name].of == of for name in _made(frame))
        counts = {title: len(noticed_by(frame, title)[0][of]) for title in titles}
        most, least = max(counts.values()), min(counts.values())
        by_count = {
            count: ", ".join(title for title in titles if counts[title] == count)
            for count in (most, least)
        }
        fewest = f"; {least} by {by_count[least]}" if least < most else ""
        said.append(
            f"{where} {most} of {total} distortions are noticed by {by_count[most]}{fewest}."
        )
    return " ".join(said)


def _provenance(bench: Bench, seconds: float) -> Provenance:
    device = next(iter(bench.networks.values())).extractor.device
    details = {
        "videos": f"{bench.real.root}; {len(bench.real.videos)} clips of "
        f"{bench.protocol.num_frames} frames in each set",
        "protocol": f"{bench.protocol.name} {bench.protocol.fingerprint}",
    }
    return this_run(device=str(device), seconds=seconds, details=details)
