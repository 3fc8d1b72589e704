"""Frames of a damaged video as the suite reads them, beside the undamaged ones and FFmpeg's."""

import json
from pathlib import Path
from typing import Literal

import numpy as np

MEASURED = 16  # frames of a clip of `shapes`, the first of the video
TOLERANCE = 1.0  # grey levels, on average over a frame: decoders convert to RGB with other rounding

Strict = Literal["same", "other", "refused"]


def measured_frames(folder: Path, file: str) -> np.ndarray:
    """The frames of a file that a measurement uses: uint8 (16, H, W, 3)."""
    from latte.data.sources import open_video_set

    path = folder / file
    (video,) = (one for one in open_video_set(path.parent).videos if one.name.startswith("a"))
    return video.read(range(MEASURED))


def strict_frames(path: Path) -> np.ndarray | None:
    """The same frames by FFmpeg, where it ends at the first error; None where it does."""
    import av

    try:
        with av.open(str(path), options={"err_detect": "explode"}) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"err_detect": "explode"}
            stream.thread_type = "NONE"
            frames: list[np.ndarray] = []
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    return None
                frames.append(frame.to_ndarray(format="rgb24"))
                if len(frames) == MEASURED:
                    return np.stack(frames)
    except (av.FFmpegError, ValueError, IndexError, MemoryError):
        pass
    return None


def print_comparison(file: str, original: np.ndarray) -> None:
    """What FFmpeg says of a file's frames, and whether they are the undamaged ones, as JSON."""
    ours, strict = measured_frames(Path(), file), strict_frames(Path(file))
    verdict: Strict = "refused"
    if strict is not None:
        verdict = "same" if _alike(ours, strict) else "other"
    print(json.dumps({"changed": not np.array_equal(ours, original), "strict": verdict}))


def _alike(ours: np.ndarray, theirs: np.ndarray) -> bool:
    if ours.shape != theirs.shape:
        return False
    difference = np.abs(ours.astype(np.int16) - theirs)
    return bool(difference.mean(axis=(1, 2, 3)).max() < TOLERANCE)
