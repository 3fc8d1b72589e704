"""A set of videos to disk: lossless or H.264 files, frame folders, or one array."""

from glob import escape
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from latte.data.errors import InputError
from latte.data.files import atomic_path, writing_in
from latte.data.sources import Video, VideoSet
from latte.data.video import write_video

FORMATS = ("mkv", "png", "npy", "mp4")


def export_videos(
    videos: VideoSet, target: Path, *, file_format: str, fps: float, progress: bool = True
) -> None:
    """Write every frame of every video; as npy, of videos of one shape.

    mkv (FFV1) and png (a folder of frames for each video) keep every bit, mp4 (H.264) does not:
    `target` is a folder, in which "test/000003" becomes test_000003. npy: `target` is one file,
    uint8 (N, T, H, W, 3). What has its final name is complete; writing again gives the same files.

    Raises:
        InputError: an unknown format, a target that does not fit it, or a folder that holds
            something else.
    """
    if file_format not in FORMATS:
        raise InputError(f'no format "{file_format}": choose {", ".join(FORMATS)}')
    if (file_format == "npy") != (target.suffix == ".npy"):
        raise InputError(
            f"{target}: npy writes one file that ends in .npy, other formats write a folder"
        )
    suffix = "" if file_format == "png" else f".{file_format}"
    names = [video.name.replace("/", "_") + suffix for video in videos.videos]
    if file_format != "npy":
        _prepare_folder(target, names)
    elif target.is_dir():
        raise InputError(f"{target}: is a folder, but npy writes one file: choose another name")
    bar = tqdm(videos.videos, desc=str(target), unit="video", disable=not progress)
    if file_format == "npy":
        target.parent.mkdir(parents=True, exist_ok=True)
        with writing_in(target.parent, [f".partial-*-{escape(target.name)}"]), bar:
            _write_array(bar, len(names), target)
        return
    with writing_in(target), bar:
        for video, name in zip(bar, names, strict=True):
            write_clip(target / name, _read_all(video), file_format=file_format, fps=fps)


def write_clip(final: Path, clip: np.ndarray, *, file_format: str, fps: float) -> None:
    """One video, uint8 (T, H, W, 3), as mkv, png or mp4; it has its name once it is complete.

    `final` is a file with the format's suffix, or for png a folder.
    """
    with atomic_path(final) as partial:
        if file_format != "png":
            write_video(partial, clip, fps=fps, lossless=file_format == "mkv")
            return
        partial.mkdir()
        for index, frame in enumerate(clip):
            Image.fromarray(frame).save(partial / f"{index:06d}.png")


def _write_array(videos: "tqdm[Video]", count: int, target: Path) -> None:
    """A row at a time, so that memory does not grow with the number of videos."""
    # Written, not mapped: a map kills the process when the disk is full.
    with atomic_path(target) as partial, partial.open("wb") as file:
        shape: tuple[int, ...] = ()
        for video in videos:
            clip = _read_all(video)
            if not shape:
                shape = clip.shape
                header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
                np.lib.format.write_array_header_1_0(file, header)
            assert clip.shape == shape
            file.write(np.ascontiguousarray(clip).data)


def _prepare_folder(target: Path, names: list[str]) -> None:
    """Make the folder; refuse one in which other videos would be measured with these."""
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file, but a folder is to be written: choose another name")
    target.mkdir(parents=True, exist_ok=True)
    entries = {entry.name for entry in target.iterdir() if not entry.name.startswith(".")}
    foreign = sorted(entries - set(names))
    if foreign:
        raise InputError(
            f"{target}: already holds {foreign[0]}, which is none of these videos: choose an empty "
            "or new folder"
        )


def _read_all(video: Video) -> np.ndarray:
    return video.read(range(video.probe().num_frames))
