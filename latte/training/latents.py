"""Latents of every frame of a set of videos, kept on disk.

Training then decodes and encodes nothing. Frames are kept, not clips: the VAE sees each frame by
itself, so every clip at every offset is made of the same few.

    FOLDER/<key>.safetensors    one video, as it is or mirrored
        moments    (F, 2C, h, w): mean and standard deviation of each frame's latents
        checksums  (F,) int64: CRC-32 of each frame's moments

The key is a hash over the video's content, its preparation, the encoder and the stored type, so
caches of several autoencoders may share a folder. Files are written atomically: an interrupted run
resumes with the next video.
"""

import hashlib
import json
import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from tqdm import tqdm

from latte.autoencoder import Autoencoder, from_uint8
from latte.data.clips import Clip
from latte.data.errors import BrokenVideoError, InputError, named
from latte.data.files import write_atomically, writing_in
from latte.data.loading import Preparation, clip_identity, load_in_workers
from latte.data.processes.workers import map_in_order
from latte.data.sources import Video, VideoSet
from latte.data.video import VideoInfo

logger = logging.getLogger(__name__)

FORM = 1  # version of the files; raised when an older program would misread them
CHUNK_FRAMES = 64  # frames decoded at a time: bounds memory, does not affect results
StoredType = Literal["float16", "float32"]
_DTYPES: Mapping[str, torch.dtype] = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, kw_only=True)
class CachedLatents:
    """The moments of the frames of a set; small, and can be pickled."""

    files: Mapping[tuple[str, bool], Path]  # key: name of the video, whether it is mirrored
    broken: frozenset[str] = frozenset()  # names of videos that were left out

    def moments(self, video: str, frames: Sequence[int], mirrored: bool = False) -> Tensor:
        """Mean and standard deviation of the latents of chosen frames: float32 (F, 2C, h, w).

        Raises:
            InputError: the file is gone or damaged.
            ValueError: a video, a frame or an orientation that the cache was not opened for.
        """
        if (video, mirrored) not in self.files:
            raise ValueError(f"{video}{' mirrored' * mirrored} is not in the cache")
        path = self.files[video, mirrored]
        try:
            with safe_open(path, framework="pt") as file:
                stored, checksums = file.get_slice("moments"), file.get_tensor("checksums")
                if min(frames) < 0 or max(frames) >= len(checksums):
                    raise ValueError(f"{video} has {len(checksums)} frames, not {list(frames)}")
                rows = [stored[frame] for frame in frames]
        except (OSError, SafetensorError) as error:
            raise _damaged(path, str(error)) from None
        for frame, row in zip(frames, rows, strict=True):
            if _checksum(row) != int(checksums[frame]):
                raise _damaged(path, f"the checksum of frame {frame} does not hold")
        return torch.stack(rows).float()


@dataclass(frozen=True, kw_only=True)
class LatentCache:
    """A folder of latents, and how they are made.

    Several processes may share a folder: let each open the cache for a part of the videos, wait for
    the others, then open it for all.
    """

    folder: Path
    preparation: Preparation  # how frames of video files are prepared
    autoencoder: Autoencoder
    mirror: bool = False  # frames flipped left to right as well: the encoder is not symmetric
    stored: StoredType = "float16"  # type on disk; float32 gives exactly what encoding gives
    workers: int = 0  # processes that decode; does not affect results
    progress: bool = True  # show a progress bar while frames are encoded
    skip_broken: bool = False  # leave out videos that cannot be read

    def open(self, videos: VideoSet) -> CachedLatents:
        """The latents of every frame of these videos; missing ones are made first.

        Raises:
            InputError: an autoencoder that needs no cache, a preparation in which frames depend on
                their neighbours, or a file in the folder that is damaged or another's.
            BrokenVideoError: a video cannot be read.
        """
        if not self.autoencoder.cacheable:
            raise InputError(
                f"{self.folder}: encoding with the autoencoder {self.autoencoder.name} is as fast "
                "as reading a cache, so leave the cache out"
            )
        # H.264 predicts frames from their neighbours: a frame is different in each clip.
        if self.preparation.storage == "mp4" and any(not v.prepared for v in videos.videos):
            raise InputError(
                f"{self.folder}: with storage mp4 a frame depends on the clip that it is in, so it "
                "cannot be cached: choose storage lossless or jpeg-95"
            )
        files: dict[tuple[str, bool], Path] = {}
        missing: list[_Entry] = []
        broken: set[str] = set()
        for entry in self._entries(videos, broken):
            files |= {(entry.video.name, file.mirrored): file.path for file in entry.files}
            absent = [file for file in entry.files if not file.exists(entry.info.num_frames)]
            if absent:
                missing.append(replace(entry, files=absent))
        if missing:
            self._make(missing, broken)
        return CachedLatents(
            files={key: path for key, path in files.items() if key[0] not in broken},
            broken=frozenset(broken),
        )

    def _entries(self, videos: VideoSet, broken: set[str]) -> Iterator["_Entry"]:
        """Each video with its file, or two with the mirrored one; others go to `broken`."""
        made_by = {"form": FORM, "autoencoder": self.autoencoder.identity, "stored": self.stored}
        canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
        described = map_in_order(
            partial(_describe, preparation=self.preparation),
            videos.videos,
            workers=self.workers,
            label=lambda video: video.name,
            limited=True,
        )
        with closing(described):
            for video, description in zip(videos.videos, described, strict=True):
                if isinstance(description, BrokenVideoError):
                    self._keep_or_raise(description, video, broken)
                    continue
                info, identity = description
                files = []
                for mirrored in (False, True) if self.mirror else (False,):
                    made_from = canonical.encode({**identity, "mirrored": mirrored, **made_by})
                    key = hashlib.sha256(made_from.encode()).hexdigest()
                    path = self.folder / f"{key}.safetensors"
                    files.append(_File(path=path, mirrored=mirrored, made_from=made_from))
                yield _Entry(video=video, info=info, files=files)

    def _keep_or_raise(self, error: BrokenVideoError, video: Video, broken: set[str]) -> None:
        if not self.skip_broken:
            raise error
        if video.name not in broken:
            logger.warning("left out: %s", error.problem)
        broken.add(video.name)

    def _make(self, missing: Sequence["_Entry"], broken: set[str]) -> None:
        """Decode, encode and write, video after video."""
        with named(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        total = sum(entry.info.num_frames for entry in missing)
        bar = tqdm(
            total=total,
            desc=f"{self.folder}: latents",
            unit="frame",
            disable=not self.progress,
        )
        in_turn = [clip for entry in missing for clip in entry.chunks()]
        loaded = load_in_workers(in_turn, self.preparation, workers=self.workers)
        with writing_in(self.folder), bar, closing(loaded):
            for entry in missing:
                parts: list[list[Tensor]] = [[] for _ in entry.files]
                for _ in entry.chunks():
                    frames = next(loaded)
                    if isinstance(frames, BrokenVideoError):
                        self._keep_or_raise(frames, entry.video, broken)
                        continue
                    for part, file in zip(parts, entry.files, strict=True):
                        seen = frames[:, :, ::-1] if file.mirrored else frames
                        moments = self.autoencoder.encode_moments(from_uint8(seen)[None])[0]
                        part.append(moments.to("cpu", _DTYPES[self.stored]))
                    bar.update(len(frames))
                for part, file in zip(parts, entry.files, strict=True):
                    if entry.video.name not in broken:
                        file.write(torch.cat(part), entry.video.name)


@dataclass(frozen=True, kw_only=True)
class _File:
    """One file of the cache."""

    path: Path
    mirrored: bool
    made_from: str  # canonical JSON of all that decides its content; the path has its hash

    def exists(self, num_frames: int) -> bool:
        """Whether the file is there; one with other content is refused."""
        if not self.path.exists():
            return False
        try:
            with safe_open(self.path, framework="pt") as file:
                made_from = (file.metadata() or {}).get("made_from")
                shapes = [file.get_slice(name).get_shape() for name in ("moments", "checksums")]
        except (OSError, SafetensorError) as error:
            raise _damaged(self.path, str(error)) from None
        if made_from != self.made_from or any(shape[0] != num_frames for shape in shapes):
            raise _damaged(self.path, "it is of another video, preparation or autoencoder")
        return True

    def write(self, moments: Tensor, video: str) -> None:
        if not moments.isfinite().all():
            raise InputError(
                f"{video}: its latents are not finite: let the autoencoder compute in float32, and "
                "store float32"
            )
        checksums = torch.tensor([_checksum(row) for row in moments], dtype=torch.int64)
        data = save({"moments": moments, "checksums": checksums}, {"made_from": self.made_from})
        write_atomically(self.path, data, durable=True)


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A video and its files, or those that are missing."""

    video: Video
    info: VideoInfo
    files: Sequence[_File]

    def chunks(self) -> list[Clip]:
        """Its frames, in parts that are decoded one at a time."""
        count = self.info.num_frames
        return [
            Clip(
                video=self.video,
                info=self.info,
                frames=tuple(range(start, min(start + CHUNK_FRAMES, count))),
            )
            for start in range(0, count, CHUNK_FRAMES)
        ]


def _describe(video: Video, preparation: Preparation) -> tuple[VideoInfo, dict[str, Any]]:
    """Size of a video, and what decides the pixels of its frames."""
    info = video.probe()
    whole = Clip(video=video, info=info, frames=tuple(range(info.num_frames)))
    return info, clip_identity(whole, preparation) | {"frames": info.num_frames}


def _checksum(row: Tensor) -> int:
    return zlib.crc32(row.contiguous().numpy())


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path}: cached latents that cannot be used ({reason}): delete the file to encode anew"
    )
