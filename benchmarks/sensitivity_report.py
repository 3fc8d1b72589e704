"""The documents of `latte-bench sensitivity`: who notices what from which strength on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.distortions import DISTORTIONS
from benchmarks.origin import versions_and_host
from benchmarks.sensitivity import STRENGTHS, Bench
from evaluation.result import provenance
from reports.cells import Cell, Column, Row
from reports.curves import Curve, Panel, panel_chart
from reports.figures import write_figure
from reports.styles import styles_for
from reports.tables import Table

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
    """Write `sensitivity.md`, `.tex`, `.csv`, `.svg` and `.png` into `out`.

    Returns:
        What the command prints: the tables as Markdown, and where the files are.
    """
    titles = [bench.title(each) for each in bench.measures]
    lines = _provenance(bench, seconds)
    frame = frame[~frame.distortion.isin(list(impossible))]
    table = noticed_table(frame, titles, impossible, draws=len(bench.draws), provenance=lines)
    summary = summary_table(frame, titles)
    chart = panel_chart(
        panels(frame, titles),
        title="Which metric sees what",
        axis="answer: above the band worse, below it better",
        scale="symlog",
        band=(-1, 1),
        columns=4,
        styles=styles_for(titles),
    )
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        "md": f"{table.markdown()}\n{summary.markdown()}",
        "tex": f"{table.latex()}\n{summary.latex()}",
        "csv": frame.to_csv(index=False, lineterminator="\n"),
    }
    paths = [out / f"sensitivity.{ending}" for ending in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8", newline="\n")
    paths += write_figure(chart, None, out, "sensitivity")
    wrote = [f"wrote {path}" for path in paths]
    return "\n".join([texts["md"], *wrote, f"{seconds:.0f} s in all"])


def noticed_table(
    frame: pd.DataFrame,
    titles: list[str],
    impossible: Mapping[str, str],
    *,
    draws: int,
    provenance: tuple[str, ...] = (),
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
        provenance=provenance,
    )


def summary_table(frame: pd.DataFrame, titles: list[str]) -> Table:
    """Metrics × what they notice: distortions as worse in space and in time, and how early."""
    made = [name for name in STRENGTHS if (frame.distortion == name).any()]
    rows = []
    for title in titles:
        noticed: dict[str, list[str]] = {"space": [], "time": [], "better": []}
        steps = []
        for name in made:
            own = frame[(frame.distortion == name) & (frame.metric == title)]
            smallest, worse = noticed_from(own)
            if smallest is None:
                continue
            noticed[DISTORTIONS[name].of if worse else "better"].append(name)
            if worse:
                steps.append(sorted(own.strength).index(smallest) + 1)
        totals = {of: sum(DISTORTIONS[name].of == of for name in made) for of in WHERE}
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
        title="Which metric sees what",
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


def _provenance(bench: Bench, seconds: float) -> tuple[str, ...]:
    device = next(iter(bench.networks.values())).extractor.device
    made = provenance(str(device))
    return (
        f"command: `{made['command']}`",
        f"videos: {bench.real.root}; {len(bench.real.videos)} clips of "
        f"{bench.protocol.num_frames} frames in each set",
        f"protocol {bench.protocol.name} {bench.protocol.fingerprint}",
        *versions_and_host(made["versions"], made["host"]),
        f"date: {made['date']}; {seconds:.0f} s in all",
    )
