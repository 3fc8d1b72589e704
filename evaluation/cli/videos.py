"""`latte-eval clips | prepare | datasets`: videos before they are measured."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evaluation.cli.options import (
    AsJson,
    DataRoot,
    ProtocolOptions,
    Quiet,
    SetOptions,
    SkipBroken,
    Workers,
    with_bundles,
    workers_or_default,
)
from latte.data.errors import InputError, escaped, some_of

if TYPE_CHECKING:
    from evaluation.protocol.fields import Side
    from latte.data.datasets import DatasetStatus
    from latte.data.sources import VideoSet

logger = logging.getLogger(__name__)


@with_bundles
def clips(
    sets: SetOptions,
    protocol: ProtocolOptions,
    as_json: AsJson = False,
    workers: Workers = None,
    skip_broken: SkipBroken = False,
) -> None:
    """Print which frames of which videos would be measured.

    Decodes nothing.
    """
    from evaluation.features.extraction import ExtractionOptions
    from evaluation.features.sets import plan_set

    asked = protocol.protocol_for(sets)
    options = ExtractionOptions(workers=workers_or_default(workers), skip_broken=skip_broken)
    videos: dict[Side, VideoSet | Path] = {}
    if sets.dataset or sets.real:
        videos["real"] = sets.real_videos(asked)
    if sets.fake:
        videos["fake"] = sets.fake_videos()
    if not videos:
        raise InputError("no videos: give --dataset NAME, --real PATH or --fake PATH")
    rows: list[dict[str, Any]] = []
    left_out: dict[str, list[str]] = {}
    for side, opened in videos.items():
        if isinstance(opened, Path):
            raise InputError(f"{opened} is a statistics file: it has no clips to plan")
        plan = plan_set(opened, asked, side, options, protocol.num_videos or 1).plan
        rows += [
            {"set": side, "index": index, "video": clip.video.name, "frames": list(clip.frames)}
            for index, clip in enumerate(plan.clips)
        ]
        left_out[side] = [*plan.too_short, *plan.broken]
        if left_out[side]:
            logger.warning("%s videos left out: %s", side, some_of(left_out[side]))
    if as_json:
        facts = {"fingerprint": asked.fingerprint, "clips": rows, "left_out": left_out}
        typer.echo(json.dumps(facts))
    else:
        for row in rows:
            video = escaped(row["video"])
            typer.echo(f"{row['set']}\t{row['index']}\t{video}\t{_span(row['frames'])}")


def _span(frames: Sequence[int]) -> str:
    stride = frames[1] - frames[0] if len(frames) > 1 else 1
    return f"{frames[0]}…{frames[-1]} by {stride}"


def prepare(
    source: Annotated[Path, typer.Argument(help="Folder of videos.")],
    target: Annotated[Path, typer.Argument(help="Folder to write: TARGET/<video>/000000.jpg.")],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="stylegan-v: resize the short side, then crop; latte: crop, then resize.",
        ),
    ],
    size: Annotated[
        int, typer.Option(min=1, metavar="N", help="Side of the square frames, in pixels.")
    ] = 256,
    image_format: Annotated[
        str,
        typer.Option(
            "--format", metavar="NAME", help="jpg (quality 75, as the official tools) or png."
        ),
    ] = "jpg",
    workers: Workers = None,
    skip_broken: SkipBroken = False,
    quiet: Quiet = False,
) -> None:
    """Turn videos into folders of square frames, as StyleGAN-V or Latte do.

    Run it again to resume after an interruption.
    """
    from latte.data.prepare import prepare_folder

    report = prepare_folder(
        source,
        target,
        recipe=recipe,
        size=size,
        image_format=image_format,
        workers=workers_or_default(workers),
        skip_broken=skip_broken,
        progress=not quiet,
    )
    summary = f"{report.target}: {report.made} videos prepared"
    if report.kept:
        summary += f", {report.kept} already there"
    if report.broken:
        summary += f", {len(report.broken)} broken ones skipped:"
    typer.echo("\n  ".join([summary, *report.broken]))


def datasets(data_root: DataRoot = None, as_json: AsJson = False) -> None:
    """Show each data set: where it was found, or how to get it."""
    from dataclasses import asdict

    from latte.data.datasets import dataset_status, default_data_root

    statuses = dataset_status(data_root or default_data_root())
    if as_json:
        typer.echo(json.dumps([asdict(status) for status in statuses], default=str))
        return
    typer.echo("\n\n".join(map(_status_text, statuses)))


def _status_text(status: "DatasetStatus") -> str:
    lines = [f"{status.name}: {status.title}"]
    if status.found:
        lines.append(f"  found   {status.found}")
    else:
        lines.append(f"  not found, looked for {', '.join(status.looked)}")
    for split, count in status.counts.items():
        known = status.expected[split] in (None, count)
        published = "" if known else f" (published: {status.expected[split]})"
        lines.append(f"  {split:<22} {count} videos{published}")
    if status.problem:
        lines.append(f"  problem {status.problem}")
    if not status.found or status.problem:
        lines += [f"  layout  {status.layouts}", f"  get it  {status.how_to_get}"]
    return "\n".join(lines)
