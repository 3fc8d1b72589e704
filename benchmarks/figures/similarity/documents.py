"""The documents of Figures 6 and 8: drawings, values, and the paper's claims."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.cells.cache import FILE, CellRecord
from benchmarks.cells.provenance import of_cells, this_document
from benchmarks.cells.scale import MEANINGS
from benchmarks.documents.claims import SEVERAL
from benchmarks.documents.figures import FigureDocument
from benchmarks.figures.designs import SETUPS, VARIANTS
from benchmarks.figures.similarity.claims import judge_at_timesteps
from benchmarks.figures.similarity.drawings import TITLES, SimilarityFigure, draw, intervals, means
from benchmarks.figures.similarity.numbers import ProbedNetworks, mean_number
from benchmarks.figures.similarity.request import SimilarityRequest
from evaluation.similarity.summary import Summary
from reports.cells import Cell, Column, Row
from reports.numbers import ASYMMETRIC
from reports.provenance import Provenance
from reports.table import Table

LACKING = {
    "inverted": "Of two parts with each other no frame is the nearer one to itself.",
    "same_frame": "A frame is like itself.",
}


def similarity_document(
    figure: SimilarityFigure, cells: Sequence[CellRecord], request: SimilarityRequest
) -> FigureDocument:
    """What a figure shows of these networks.

    Args:
        cells: one for each network.
    """
    networks = ProbedNetworks.of(cells)
    claims = judge_at_timesteps(figure.claims, networks)
    return FigureDocument(
        name=figure.name,
        title=f"Figure {figure.number}: {figure.title}",
        lead=" ".join(f"{claim.claim.text}: {claim.words}." for claim in claims),
        scale=request.scale,
        drawings=tuple(draw(figure, networks)),
        claims=tuple(line for claim in claims for line in claim.lines),
        overview=tuple(claim.overview(networks.middle) for claim in claims),
        verdicts=tuple(_meanings(figure, networks)),
        values=replace(
            values_table(figure, networks), provenance=provenance_records(cells, request)
        ),
        method=_method(networks, request),
        cells=tuple(cells),
    )


def values_table(figure: SimilarityFigure, networks: ProbedNetworks) -> Table:
    """Parts × numbers, at each timestep."""
    rows = [
        Row(
            label=label,
            section=f"t = {probed.step}",
            cells={name: _cell(summaries, name) for name in figure.numbers},
        )
        for probed in networks.at_timesteps()
        for parts in (figure.beside(probed), figure.parts(probed))
        for label, summaries in parts.items()
    ]
    return Table(
        title=f"{figure.title}: cosine similarity between frames",
        caption=_caption(networks),
        label_heading="Part",
        columns=tuple(Column(key=name, title=TITLES[name]) for name in figure.numbers),
        rows=tuple(rows),
        remarks=figure.remarks,
    )


def provenance_records(
    cells: Sequence[CellRecord], request: SimilarityRequest
) -> tuple[Provenance, ...]:
    """How the document and the measurements that it shows came about."""
    details = {
        "cells": f"{len(cells)}, timed with the trainings that were missing "
        f"({request.folder / FILE})",
        "fingerprints": ", ".join(sorted({cell.details["fingerprint"] for cell in cells})),
    }
    scale = {"scale": f"{request.scale}, {MEANINGS[request.scale]}"}
    return this_document(scale), of_cells(cells, details)


def _cell(summaries: Sequence[Summary], name: str) -> Cell:
    if name not in summaries[0].numbers:
        return Cell(reason=LACKING[name])
    return mean_number(summaries, name).cell


def _caption(networks: ProbedNetworks) -> str:
    """What the values and their intervals are."""
    of_what = intervals(networks)
    if of_what is None:
        return means(networks)
    return f"{means(networks)} ± is half of the 95 % interval {of_what}, {ASYMMETRIC}."


def _meanings(figure: SimilarityFigure, networks: ProbedNetworks) -> list[str]:
    """What the verdicts mean."""
    has_intervals = intervals(networks) is not None
    undecided = "the 95 % interval of the difference, taken within each network, holds 0"
    if not has_intervals:
        undecided = "one network with so few clips has no intervals"
    return [
        f"“Not decided”: {undecided}.",
        *([SEVERAL] if has_intervals else []),
        *(claim.meaning for claim in figure.claims if claim.meaning),
    ]


def _method(networks: ProbedNetworks, request: SimilarityRequest) -> str:
    clips, config = request.clips, networks.records[0]["config"]
    size = networks.records[0]["frame_size"]
    source = f"The network is {request.checkpoint}."
    if request.checkpoint is None:
        steps = SETUPS[request.scale].config_of(VARIANTS[config["variant"]]).training.steps
        seeds = "one seed" if networks.count == 1 else f"{networks.count} seeds"
        source = (
            f"Networks are cells of Figure 5f: averaged weights after {steps:,} steps on "
            f"{clips.dataset}, from {seeds}."
        )
        if request.scale != "paper":
            source += " They are small: what holds in them need not hold in the paper's."
    shown = "1 clip" if networks.num_clips == 1 else f"{networks.num_clips} clips"
    is_held_out = clips.dataset == "shapes"
    split = "held out from training" if is_held_out else "of the split that FVD is measured on"
    return (
        f"Variant {config['variant']} of {config['depth']} blocks, {config['hidden_size']} wide, "
        f"is shown {shown} of {clips.dataset}, {split} ({config['num_frames']} frames of "
        f"{size}×{size}, sampling interval {clips.stride}), noised to the timesteps "
        f"{', '.join(map(str, networks.timesteps))}. The cosine is taken token by token and "
        "averaged over the tokens; every number is that of a clip, averaged over the clips. "
        f"{source} The paper says neither its timestep nor its clips, so each claim is judged at "
        "three timesteps; it gives its curves without numbers."
    )
