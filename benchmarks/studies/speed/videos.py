"""The folders of videos that are measured: cut from the user's, or made of moving shapes."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np

from latte.data.errors import InputError
from latte.data.shapes import ShapesVideo
from latte.data.sources import Video, open_video_set

FRAMES, RATE = 64, 25  # of each video
SETS = ("real", "fake", "second")  # the last is another model's


def make_sets(source: Path | None, folder: Path, count: int, size: int) -> str:
    """Write the sets, H.264 in mp4, and say what they are.

    Args:
        source: folder of videos that are cut into clips, which overlap where there are few.
        size: side of the videos in pixels, without a source.

    Raises:
        InputError: the source holds too few frames.
    """
    wanted = count * len(SETS)
    clips = _drawn(wanted, size) if source is None else _cut(source, wanted)
    number = -1
    for number, clip in enumerate(clips):
        # Neighbouring pieces of a video go to different sets.
        target = folder / SETS[number % len(SETS)] / f"{number // len(SETS):05}.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(target, clip)
    if number + 1 < wanted:
        raise InputError(f"{source}: has no {wanted} different pieces of {FRAMES} frames")
    if source is None:
        return f"{count} drawn videos in each set, {size}×{size}, {FRAMES} frames, H.264"
    return f"{count} pieces of {source.name} in each set, {FRAMES} frames, H.264"


def _drawn(count: int, size: int) -> Iterator[np.ndarray]:
    for index in range(count):
        video = ShapesVideo(index=index, split="test", size=size, num_frames=FRAMES)
        yield video.read(range(FRAMES))


def _cut(source: Path, count: int) -> Iterator[np.ndarray]:
    """Pieces of all videos, as far apart as their number allows."""
    lengths = {video: video.probe().num_frames for video in open_video_set(source).videos}
    room = {video: length - FRAMES + 1 for video, length in lengths.items() if length >= FRAMES}
    apart = max(sum(room.values()) // count, 1)
    pieces = (piece for video in room for piece in _pieces(video, apart))
    yield from islice(pieces, count)


def _pieces(video: Video, apart: int) -> Iterator[np.ndarray]:
    frames = video.read(range(video.probe().num_frames))
    height, width = (side // 2 * 2 for side in frames.shape[1:3])  # H.264 needs even sides
    for start in range(0, len(frames) - FRAMES + 1, apart):
        yield frames[start : start + FRAMES, :height, :width]


def _write(path: Path, clip: np.ndarray) -> None:
    """H.264 by x264's assembler, which `latte.data.video.write_video` does without: quickly."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
