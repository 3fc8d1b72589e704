"""`latte shapes`: videos of the embedded data set."""

from pathlib import Path
from typing import Annotated

import typer

from latte.cli.options import Quiet


def shapes(
    target: Annotated[Path, typer.Argument(help="Folder to write, or one .npy file.")],
    split: Annotated[str, typer.Option(metavar="NAME", help="train, test or train+test.")] = "test",
    num_videos: Annotated[int, typer.Option(metavar="N", min=1, help="Videos of each split.")] = 64,
    num_frames: Annotated[int, typer.Option(metavar="N", min=1, help="Frames of each video.")] = 16,
    size: Annotated[
        int, typer.Option(metavar="N", min=8, help="Side of the square frames, in pixels.")
    ] = 32,
    start: Annotated[int, typer.Option(metavar="N", min=0, help="Number of the first video.")] = 0,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="mkv (lossless), png (a folder of frames for each video), mp4, or npy. "
            "[default: npy for a TARGET that ends in it, else mkv]",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write videos of the embedded data set: moving shapes in ten classes, the same everywhere.

    latte shapes real/ --split test --num-videos 512
    """
    from latte.data.export import export_videos
    from latte.data.shapes import FPS, shapes_video_set

    videos = shapes_video_set(
        split, size=size, num_videos=num_videos, num_frames=num_frames, start=start
    )
    written_as = file_format or ("npy" if target.suffix == ".npy" else "mkv")
    export_videos(videos, target, file_format=written_as, fps=FPS, progress=not quiet)
    typer.echo(
        f"{len(videos.videos)} videos of {num_frames} frames, {size}×{size}, {split}: {target}"
    )
