"""The tables of figures that compare designs, and what stands under them."""

from benchmarks.cells.provenance import of_cells, this_document, this_run
from benchmarks.cells.scale import MEANINGS
from benchmarks.documents.claims import SEVERAL, Outcome
from benchmarks.figures.ablations import Ablation, Cells, Request
from benchmarks.figures.designs import BASELINE, SETUPS
from benchmarks.figures.trainings import LATENT_CLIPS
from evaluation.protocol.deviations import Deviation
from reports.cells import Cell, Column, Row
from reports.numbers import ASYMMETRIC
from reports.provenance import Provenance
from reports.table import Table

CAPTION = (
    "Lower is better. Geometric means over seeds; the bands, and what follows ±, are 95 % "
    f"intervals of the mean (Student's t on logarithms; ± is half of its width, {ASYMMETRIC}), and "
    "of one seed alone the bootstrap interval of its samples."
)
VERDICTS = (
    "“Not decided”: the 95 % interval of the ratio, taken seed by seed, holds 1. "
    "Of one seed alone: the intervals of the two measurements overlap.",
    SEVERAL,
)


def metric_of(request: Request) -> str:
    """FVD, or FVD-shapes, which compares with no figure of a paper."""
    return "FVD" if request.scale == "paper" else "FVD-shapes"


def values_table(ablation: Ablation, cells: Cells, request: Request, seen: Outcome) -> Table:
    """Designs × checkpoints."""
    rows = []
    for label, design in ablation.designs.items():
        reason = cells.reasons.get(design, "not measured: its cells failed, or were not reached")
        rows.append(
            Row(
                label=label,
                cells={
                    **{
                        str(step): _cell(label, seen, place, reason)
                        for place, step in enumerate(seen.steps)
                    },
                    "seeds": Cell(text=str(len(seen.designs[label]))),
                },
            )
        )
    columns = [
        Column(key=str(step), title=f"step {step:,}", direction="lower") for step in seen.steps
    ]
    return Table(
        title=f"{ablation.title}: {metric_of(request)} over training",
        caption=CAPTION,
        label_heading="Design",
        columns=(*columns, Column(key="seeds", title="seeds")),
        rows=tuple(rows),
        remarks=(*ablation.remarks, *deviation_remarks(ablation, cells)),
        provenance=provenance_records(ablation, cells, request),
    )


def deviation_remarks(ablation: Ablation, cells: Cells) -> tuple[str, ...]:
    """In what measurements are not as their protocol asks, and of which designs; or nothing."""
    measured = {label: cells.of(design) for label, design in ablation.designs.items()}
    found: dict[str, dict[str, None]] = {}  # phrase → labels
    for label, by_seed in measured.items():
        for cell in by_seed.values():
            for each in cell.details.get("deviations", ()):
                found.setdefault(str(Deviation(**each)), {})[label] = None
    every = [label for label, by_seed in measured.items() if by_seed]
    phrases = [
        phrase if [*labels] == every else f"{phrase} ({', '.join(labels)})"
        for phrase, labels in found.items()
    ]
    return (f"Not as the protocol asks: {'; '.join(phrases)}.",) if phrases else ()


def provenance_records(
    ablation: Ablation, cells: Cells, request: Request
) -> tuple[Provenance, ...]:
    """How the document and the measurements that it shows came about."""
    scale = {"scale": f"{request.scale}, {MEANINGS[request.scale]}"}
    found = [cell for design in ablation.designs.values() for cell in cells.of(design).values()]
    if not found:
        return (this_run(details=scale),)
    fingerprints = sorted({str(cell.details["fingerprint"]) for cell in found})
    details = {
        "cells": f"{len(found)} ({request.folder / 'cells.jsonl'})",
        "protocol fingerprints": ", ".join(fingerprints),
    }
    return this_document(scale), of_cells(found, details)


def training_commands(ablation: Ablation, request: Request) -> str:
    """Each design as a command of `latte train`."""
    setup = SETUPS[request.scale]
    lines, latents = [], []
    if setup.components:
        size = setup.config_of(BASELINE).data.size
        fit = f"--size {size} --channels {setup.components} --num-clips {LATENT_CLIPS}"
        lines = [f"latte patches latents.safetensors {fit}"]
        latents = ["autoencoder.path=latents.safetensors"]
    for label, design in ablation.designs.items():
        chosen = [*setup.settings_of(design), *latents]
        settings = " ".join(f"--set {setting}" for setting in chosen)
        lines.append(f"# {label}\nlatte train {setup.config} {settings}")
        if design.starts_from_images and request.scale != "paper":
            lines[-1] += (
                f" --set model.initialise_from=…\n# from a model of images of "
                f"benchmarks/shapes/proxy_images.py, with also: {' '.join(setup.image_settings)}"
            )
    return "\n".join(lines)


def _cell(label: str, seen: Outcome, place: int, reason: str) -> Cell:
    mean = seen.mean(label, place)
    if mean is None:
        return Cell(reason=reason)
    if mean.low is None:
        (points,) = seen.designs[label].values()
        return Cell(value=mean.value, low=points.low[place], high=points.high[place])
    return Cell(value=mean.value, low=mean.low, high=mean.high)
