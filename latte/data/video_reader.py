"""Chosen frames of one video file, several times over, with one open file."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from latte.data.containers import Stream, nearly_all, scan
from latte.data.errors import SKIP, BrokenVideoError, check_frames
from latte.data.ffmpeg import Media, Painter, decode_all, opened, reading
from latte.data.limits import check_clip_size

_DAMAGED = f"copy it again, or {SKIP}"


class VideoReader:
    """An open video file; reading on from where the last reading ended decodes nothing twice.

    What is read does not depend on what was read before. A context manager, which closes the file.

    Raises:
        BrokenVideoError: (here and in its methods) not a video, cut short, damaged, of changing
            size, or without one of the frames.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: Stream = scan(path)
        self._files = ExitStack()
        self._media: Media | None = None
        self._painter = Painter()
        self._pictures: Iterator[tuple[int, Any]] = iter(())
        self._unneeded: set[int] = set()  # presentation times of frames between those asked for
        self._last: int | None = None  # index of the last decoded frame; None where none is open

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; reading opens it again."""
        self._pictures, self._last = iter(()), None
        self._files.close()

    def read(self, frames: Sequence[int]) -> np.ndarray:
        """Chosen frames in the order asked for: uint8 (T, H, W, 3), RGB, upright."""
        stream = self._stream
        if stream.length is not None:
            check_frames(frames, stream.length, str(self._path))
        check_clip_size(len(frames), stream.height, stream.width, str(self._path))
        places: dict[int, list[int]] = {}
        for place, index in enumerate(frames):
            places.setdefault(index, []).append(place)
        indices = sorted(places)
        self._check_sound(indices[-1])
        # Frames after the last one are decoded on the way, and may be asked for next.
        self._unneeded.clear()
        self._unneeded.update(stream.times[: indices[-1]])
        self._unneeded.difference_update(stream.times[index] for index in indices if stream.times)
        clip = np.empty(0, np.uint8)
        try:
            with reading(self._path):
                for index in indices:
                    frame = self._painter.paint(self._picture(index))
                    if not clip.size:
                        clip = np.empty((len(frames), *frame.shape), np.uint8)
                    self._check_size(frame, clip[0])
                    clip[places[index]] = frame
        except BaseException:
            self.close()  # a decoder that has failed is in no state to go on from
            raise
        return clip

    def __iter__(self) -> Iterator[np.ndarray]:
        """All frames in turn, each uint8 (H, W, 3): one at a time in memory."""
        stream, count = self._stream, 0
        self._check_sound(stream.num_packets - 1)
        self._unneeded.clear()
        try:
            with reading(self._path):
                self._begin(0)
                for _, picture in self._pictures:
                    yield self._painter.paint(picture).copy()
                    count += 1
        finally:
            self.close()
        # Only AVI has a length but no times: its writers miscount.
        length = stream.length if stream.length is not None else count
        if count == 0 or (count < length and (stream.times or not nearly_all(count, length))):
            raise self._undecodable(count)

    def _picture(self, index: int) -> Any:
        """The decoded picture of a frame: by decoding on, or from the nearest safe place."""
        entry = self._stream.entry(index)
        if self._last is None or not entry <= self._last + 1 <= index:
            self._begin(entry)
        for position, picture in self._pictures:
            self._last = position
            if position == index:
                return picture
        raise self._undecodable(index)

    def _begin(self, entry: int) -> None:
        """Go to a frame where decoding may begin: the first, or an entry of the stream."""
        if self._last is None or not entry:
            self.close()
            self._media = self._files.enter_context(opened(self._path))
        media = self._media
        assert media is not None
        pictures = decode_all(media, self._unneeded)
        if entry:
            time = self._stream.times[entry]
            media.container.seek(time, stream=media.stream, backward=True)
            first = next((picture for picture in pictures if picture.pts >= time), None)
            # Containers index by decoding time, so that a jump may land too late.
            if first is None or first.pts != time:
                self._begin(0)
                return
            pictures = chain([first], pictures)
        self._pictures = self._numbered(pictures, entry)
        self._last = entry - 1

    def _numbered(self, pictures: Iterable[Any], entry: int) -> Iterator[tuple[int, Any]]:
        """The pictures from `entry` on with their numbers; none that is needed may be missing."""
        times = self._stream.times
        index = entry
        for picture in pictures:
            while times and picture.pts != times[index]:
                if times[index] not in self._unneeded or index + 1 == len(times):
                    raise self._undecodable(index)
                index += 1
            yield index, picture
            index += 1
            if index == len(times):
                return

    def _check_sound(self, last: int) -> None:
        damaged_from = self._stream.damaged_from
        if damaged_from is not None and last >= damaged_from:
            raise self._undecodable(damaged_from)

    def _check_size(self, frame: np.ndarray, first: np.ndarray) -> None:
        if frame.shape != first.shape:
            sizes = [f"{image.shape[1]}×{image.shape[0]}" for image in (first, frame)]
            raise BrokenVideoError(
                f"{self._path}: its frames change from {' to '.join(sizes)}",
                f"make them one size, or {SKIP}",
            )

    def _undecodable(self, index: int) -> BrokenVideoError:
        return BrokenVideoError(
            f"{self._path}: frame {index} of {self._stream.num_packets} cannot be decoded, as the "
            "file is damaged",
            _DAMAGED,
        )
