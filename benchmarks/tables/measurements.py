"""What a published table measures besides: on shapes, or with the published weights."""

from dataclasses import replace

from benchmarks.shapes.methods import EFFORTS, OnShapes, ShapesRequest, measure_on_shapes
from benchmarks.shapes.tables import methods_table, standings_in_words
from benchmarks.tables.paper_measurements import PaperRequest, measure_at_paper_scale
from benchmarks.tables.published import PublishedTable
from benchmarks.tables.run import Made, TableRequest


def measure(table: PublishedTable, request: TableRequest) -> Made:
    """What the scale measures for a table.

    Raises:
        InputError: something that it takes is missing or unusable.
    """
    work = _at_paper_scale if request.scale == "paper" else _on_shapes
    return work(table, request)


def _at_paper_scale(table: PublishedTable, request: TableRequest) -> Made:
    results, missing, finished = measure_at_paper_scale(
        table.columns,
        PaperRequest(
            checkpoints=request.checkpoints,
            data_root=request.data_root,
            vae=request.vae,
            num_videos=request.num_videos,
            device=request.device,
            workers=request.workers,
            store=request.store,
            only_available=request.only_available,
        ),
        request.folder,
    )
    return Made(results=results, not_measured=missing, finished=finished)


def methods_on_shapes(request: TableRequest) -> OnShapes:
    """All methods on the embedded data set, by every metric that a table shows of them.

    Raises:
        InputError: see `measure_on_shapes`.
    """
    assert request.scale is not None
    effort = EFFORTS[request.scale]
    return measure_on_shapes(
        ShapesRequest(
            effort=replace(effort, num_videos=request.num_videos or effort.num_videos),
            seeds=request.seeds,
            checkpoint=request.checkpoint,
            workers=request.workers,
            device=request.device or "cpu",
            store=request.store,
        ),
        request.folder,
    )


def _on_shapes(table: PublishedTable, request: TableRequest) -> Made:
    measured = methods_on_shapes(request)
    assert request.scale is not None
    made = methods_table(measured, table.on_shapes, request.scale)
    found = standings_in_words(measured, table.on_shapes)
    return Made(tables=(made,), found=found, finished=measured.finished)
