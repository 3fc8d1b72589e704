"""Videos → folders of square frames, as the published preparations make them.

What is written reads back to the very bytes that the recipe gives in memory: `jpg` to
`jpeg_round_trip(recipe(clip))`, `png` to `recipe(clip)`.
"""

import json
import os
import platform
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from latte.data.errors import BrokenVideoError, InputError, named, nearest
from latte.data.files import write_atomically
from latte.data.processes.workers import map_in_order
from latte.data.sources import SETTINGS_FILE, FileVideo, PreparedRecord, Video, open_video_set
from latte.data.transforms import RECIPES, apply_recipe, encode_image
from latte.data.video import decoder_version, iterate_file

FORMATS = ("jpg", "png")
PARTIAL_PREFIX = f".partial-{platform.node()}-"  # the process id follows: runs may share a target
_FRAMES_AT_ONCE = 16  # read from frame folders and arrays
_TIMEOUT = 6 * 3600.0  # seconds for one video, which may be hours long


@dataclass(frozen=True, kw_only=True)
class PrepareReport:
    """Result of a preparation."""

    target: str
    made: int  # videos prepared now
    kept: int  # videos that an earlier run had finished
    broken: tuple[str, ...]  # problem of each skipped video


def prepare_folder(
    source: Path,
    target: Path,
    *,
    recipe: str,
    size: int,
    image_format: str,
    workers: int,
    progress: bool = True,
    skip_broken: bool = False,
) -> PrepareReport:
    """Write every frame of every video in `source` as `target/<video>/000000.jpg` and so on.

    A video's folder appears when it is complete, so that a run that was stopped goes on with the
    videos it has not finished. Classes stay folders; `#` in names becomes `_`, as in the official
    tools. Neither `workers` nor a restart can change a byte.

    Args:
        recipe: a name of latte.data.transforms.RECIPES; it resizes with its reference's filter.
        size: side of the square frames, pixels.
        image_format: "jpg" (quality 75, 4:2:0) or "png".
        skip_broken: leave out and report what cannot be decoded, instead of stopping there.

    Raises:
        InputError: bad arguments, no videos, or a target that holds something else.
        BrokenVideoError: a video cannot be decoded; those finished before it are kept.
    """
    record = _record(recipe, size, image_format)
    videos = open_video_set(source).videos
    folders = _folders(source, target, videos)
    _check_target(target, record)
    existed = target.exists()
    _remove_left_over(target)
    half_made = target / f"{PARTIAL_PREFIX}{os.getpid()}"
    tasks = [task for task in zip(videos, folders, strict=True) if not task[1].exists()]
    outcomes = map_in_order(
        partial(_prepare, target=target, record=record, half_made=half_made),
        tasks,
        workers=workers,
        timeout=_TIMEOUT,
        label=lambda task: task[0].name,
        limited=True,
    )
    bar = tqdm(outcomes, total=len(tasks), unit="video", desc="prepare", disable=not progress)
    broken = []
    try:
        with closing(outcomes), bar:
            for outcome in bar:
                if isinstance(outcome, BrokenVideoError):
                    if not skip_broken:
                        raise outcome
                    broken.append(outcome.problem)
    finally:
        shutil.rmtree(half_made, ignore_errors=True)
        if not existed:
            with suppress(OSError):  # it is not empty
                target.rmdir()
    return PrepareReport(
        target=str(target),
        made=len(tasks) - len(broken),
        kept=len(videos) - len(tasks),
        broken=tuple(broken),
    )


def _prepare(
    task: tuple[Video, Path], *, target: Path, record: PreparedRecord, half_made: Path
) -> None:
    """Prepare one video into a folder, one frame in memory at a time."""
    video, folder = task
    temporary = half_made / uuid.uuid4().hex
    try:
        temporary.mkdir(parents=True)
        for index, frame in enumerate(_all_frames(video)):
            (square,) = apply_recipe(frame[None], record.recipe, record.size, name=video.name)
            file = temporary / f"{index:06d}.{record.format}"
            with named(file):
                file.write_bytes(encode_image(square, record.format))
        _mark(target, record)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
            # Another run into this target was quicker, and made the same.
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _all_frames(video: Video) -> Iterator[np.ndarray]:
    if isinstance(video, FileVideo):
        yield from iterate_file(video.path)
        return
    num_frames = video.probe().num_frames
    for start in range(0, num_frames, _FRAMES_AT_ONCE):
        yield from video.read(range(start, min(start + _FRAMES_AT_ONCE, num_frames)))


def _record(recipe: str, size: int, image_format: str) -> PreparedRecord:
    if recipe not in RECIPES:
        raise InputError(f'no recipe "{recipe}": {nearest(recipe, list(RECIPES))}')
    if image_format not in FORMATS:
        raise InputError(f'no format "{image_format}": choose {" or ".join(FORMATS)}')
    if size < 1:
        raise InputError(f"size {size}: frames have at least one pixel")
    return PreparedRecord(recipe=recipe, size=size, format=image_format, decoder=decoder_version())


def _folders(source: Path, target: Path, videos: tuple[Video, ...]) -> list[Path]:
    """The folder of each video, after making sure that no two share one."""
    if target.resolve() == source.resolve():
        raise InputError(f"{target}: the source and the target are the same folder: choose another")
    names = [video.name.replace("#", "_") for video in videos]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(
            f"{source}: two videos would both become {twice[0]} (# is written as _): rename one"
        )
    return [target / name for name in names]


def _check_target(target: Path, record: PreparedRecord) -> None:
    """Refuse a target that was made with other settings, or holds something else."""
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file: choose a folder to prepare into")
    before = PreparedRecord.read(target)
    if before is not None:
        for name, value in asdict(record).items():
            if getattr(before, name) != value:
                raise InputError(
                    f"{target}: was begun with {name} {getattr(before, name)}, not {value}: choose "
                    "another folder, or delete this one"
                )
    elif target.exists() and any(not entry.name.startswith(".") for entry in target.iterdir()):
        raise InputError(
            f"{target}: is not empty and was not begun by `prepare`: choose another folder"
        )


def _remove_left_over(target: Path) -> None:
    """Remove what runs on this machine that were killed have left half made."""
    for folder in target.glob(f"{PARTIAL_PREFIX}*"):
        number = folder.name.removeprefix(PARTIAL_PREFIX)
        if number.isdecimal() and not _runs_elsewhere(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs_elsewhere(process: int) -> bool:
    """Whether another process has this id; taken for granted where asking would end it."""
    try:
        if os.name == "posix":
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return process != os.getpid()


def _mark(target: Path, record: PreparedRecord) -> None:
    """Write the record once a video is finished: a failed run claims nothing."""
    if (target / SETTINGS_FILE).exists():
        _check_target(target, record)  # another run may have begun it since
    else:
        write_atomically(target / SETTINGS_FILE, json.dumps(asdict(record), indent=2) + "\n")
