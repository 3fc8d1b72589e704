"""Lengths and sizes of videos; a file whose content is known is not opened again.

    STORE/videos/<checksum>.json    digest of a video file → its length, size and notes

A file is found by the hash of its content, which is made at every run, never guessed from a time
stamp. The name of a file of the store is a checksum of its content: what is damaged is not read.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec

from evaluation.features.distributed import Processes
from latte.data.clips import Probed
from latte.data.errors import BrokenVideoError, InputError
from latte.data.files import write_atomically
from latte.data.loading import probe_in_workers
from latte.data.processes.pool import Pool
from latte.data.schema import decode_json
from latte.data.sources import FileVideo, Video
from latte.data.video import DECODING_VERSION, VideoInfo, decoder_version

CHUNKS = (8, 16, 32, 64)  # videos that are looked at together, at first and later
HASHING_THREADS = 8  # hashing leaves Python's lock


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What one file of the store holds."""

    prober: str  # what found it out
    videos: dict[str, VideoInfo]  # by the digest of the content


class Prober:
    """Looks at the videos of a set, each once, and remembers video files in the store.

    Args:
        store: the folder of features; None remembers nothing for later runs.
        processes: those that share the videos, each of which looks at some.
    """

    def __init__(self, store: Path | None, processes: Processes | None = None) -> None:
        self._processes = processes or Processes()
        self.digests: dict[Video, str] = {}  # of the content of video files
        self._folder = store and store / "videos"
        self._probed: dict[str, Probed] = {}
        self._known: dict[str, VideoInfo] | None = None  # by digest; None until it is needed
        self._new: dict[str, VideoInfo] = {}

    def probe(
        self, videos: Iterable[Video], *, workers: int | Pool, timeout: float
    ) -> Iterator[Probed]:
        """Sizes and lengths of videos, in order and lazily: of later ones little is looked at.

        A decoder that dies costs its video alone.
        """
        left = iter(videos)
        sizes = iter(CHUNKS)
        size, world = CHUNKS[-1], self._processes.process.world
        look = self._probe if world == 1 else self._probe_together
        try:
            while part := list(islice(left, world * (size := next(sizes, size)))):
                yield from look(part, workers, timeout)
        finally:
            self._remember()

    def _probe(
        self, videos: Sequence[Video], workers: int | Pool, timeout: float
    ) -> Iterator[Probed]:
        self._recall([video for video in videos if video.name not in self._probed])
        unknown = [video for video in videos if video.name not in self._probed]
        with closing(probe_in_workers(unknown, workers=workers, timeout=timeout)) as probing:
            for video in videos:
                if video.name not in self._probed:
                    _, info = next(probing)
                    self._probed[video.name] = video, info
                    if video in self.digests and not isinstance(info, BrokenVideoError):
                        self._new[self.digests[video]] = info
                yield self._probed[video.name]

    def _probe_together(
        self, videos: Sequence[Video], workers: int | Pool, timeout: float
    ) -> Iterator[Probed]:
        def facts(share: Sequence[Video]) -> list[tuple[VideoInfo | BrokenVideoError, str | None]]:
            probed = self._probe(share, workers, timeout)
            return [(info, self.digests.get(video)) for video, info in probed]

        together = self._processes.map("videos", facts, videos, lambda video: video.name)
        for video, (info, digest) in zip(videos, together, strict=True):
            if digest is not None:
                self.digests[video] = digest
            self._probed[video.name] = video, info
            yield video, info

    def _recall(self, videos: Sequence[Video]) -> None:
        """Find what the store knows of these videos."""
        files = [video for video in videos if isinstance(video, FileVideo)]
        if self._folder is None or not files:
            return
        self.digests |= digests_of(files)
        if self._known is None:
            self._known = dict(_read(self._folder))
        for video in files:
            info = self._known.get(self.digests.get(video, ""))
            if info is not None:
                self._probed[video.name] = video, info

    def _remember(self) -> None:
        if self._folder is None or not self._new:
            return
        content = msgspec.json.encode(_Known(prober=_prober(), videos=self._new))
        # Rows of features are worth an error where they cannot be kept; this is not.
        with suppress(OSError):
            write_atomically(self._folder / f"{_checksum(content)}.json", content)
        self._new = {}


def digests_of(videos: Sequence[FileVideo]) -> dict[Video, str]:
    """The digests of the content of video files; without those that cannot be read."""

    def digest(video: FileVideo) -> str | None:
        try:
            return video.digest(())
        except BrokenVideoError:
            return None

    with ThreadPoolExecutor(HASHING_THREADS) as threads:
        digests = zip(videos, threads.map(digest, videos), strict=True)
        return {video: known for video, known in digests if known is not None}


def _read(folder: Path) -> Iterator[tuple[str, VideoInfo]]:
    for path in sorted(folder.glob("[!.]*.json")):
        with suppress(OSError, InputError):
            content = path.read_bytes()
            if path.stem == _checksum(content):
                known = decode_json(content, _Known, str(path))
                if known.prober == _prober():
                    yield from known.videos.items()


def _prober() -> str:
    return f"{decoder_version()}, decoding {DECODING_VERSION}"


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
