"""What the encoder gives for every frame of a set of videos, kept on disk.

Training then decodes and encodes nothing. Frames are kept, not clips: the VAE sees each frame by
itself, so every clip at every offset is made of the same few.

    FOLDER/<key>.safetensors    one video, as it is or mirrored
        moments    (F, 2C, h, w): mean and standard deviation of each frame's latents
        checksums  (F,) int64: CRC-32 of each frame's moments

The key is a hash over the video's content, its preparation, the encoder and the type that is
stored: what was made otherwise has another key and is never taken. So caches of several
autoencoders may share a folder. Files are written whole; a run that is stopped goes on with the
next video.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from latte.data.files import write_atomically
from latte.data.loading import Preparation, clip_identity, load_clip
from latte.data.sources import Video, VideoSet
from latte.data.video import VideoInfo
from latte.data.workers import map_in_order

FORM = 1  # of the files; raised when an older program would misread them
CHUNK_FRAMES = 64  # decoded at a time: bounds memory, changes no result
StoredType = Literal["float16", "float32"]
_DTYPES: Mapping[str, torch.dtype] = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True, kw_only=True)
class CachedLatents:
    """The moments of the frames of a set; small, and fit to travel to another process."""

    files: Mapping[tuple[str, bool], Path]  # by the video's name and whether it is mirrored

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


def open_cache(
    folder: Path,
    videos: VideoSet,
    preparation: Preparation,
    autoencoder: Autoencoder,
    mirror: bool = False,
    progress: bool = True,
    *,
    stored: StoredType = "float16",
    workers: int = 0,
    timeout: float = 120.0,
) -> CachedLatents:
    """The latents of every frame of these videos; those not yet in the folder are made first.

    Several processes may share a folder: let each open the cache for a part of the videos, wait
    for the others, then open it for all.

    Args:
        folder: where the files are, or will be.
        videos: each of them is read to its end; leave out before what will not be trained on.
        preparation: what happens to the frames of video files.
        autoencoder: whose latents.
        mirror: the frames flipped left to right as well (the encoder does not commute with that).
        progress: show a bar while frames are encoded.
        stored: type of the numbers on disk; float32 gives exactly what encoding gives.
        workers: processes that decode; 0 decodes here. Changes no result.
        timeout: seconds that decoding `CHUNK_FRAMES` frames may take.

    Raises:
        InputError: an autoencoder that needs no cache, a preparation in which frames depend on
            their neighbours, or a file in the folder that is damaged or another's.
        BrokenVideoError: a video cannot be read.
    """
    _check_request(folder, videos, preparation, autoencoder)
    maker = _Maker(
        folder=folder,
        preparation=preparation,
        autoencoder=autoencoder,
        orientations=(False, True) if mirror else (False,),
        stored=stored,
        workers=workers,
        timeout=timeout,
    )
    files, missing = maker.look(videos)
    if missing:
        maker.make(missing, progress)
    return CachedLatents(files=files)


@dataclass(frozen=True, kw_only=True)
class _Target:
    """One file of the cache."""

    folder: Path
    mirrored: bool
    made_from: str  # canonical JSON of all that decides its content

    @property
    def path(self) -> Path:
        key = hashlib.sha256(self.made_from.encode()).hexdigest()
        return self.folder / f"{key}.safetensors"

    def is_there(self, num_frames: int) -> bool:
        """Whether the file exists; one that is not what it should be is refused."""
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

    def write(self, moments: Tensor) -> None:
        checksums = torch.tensor([_checksum(row) for row in moments], dtype=torch.int64)
        data = save({"moments": moments, "checksums": checksums}, {"made_from": self.made_from})
        write_atomically(self.path, data, durable=True)


@dataclass(frozen=True, kw_only=True)
class _Missing:
    """A video of which files are to be made."""

    video: Video
    info: VideoInfo
    targets: tuple[_Target, ...]

    def clips(self) -> list[Clip]:
        """Its frames, as many at a time as are decoded at a time."""
        every = range(self.info.num_frames)
        return [
            Clip(
                video=self.video, info=self.info, frames=tuple(every[start : start + CHUNK_FRAMES])
            )
            for start in every[::CHUNK_FRAMES]
        ]


@dataclass(frozen=True, kw_only=True)
class _Maker:
    """How the files of a cache are made."""

    folder: Path
    preparation: Preparation
    autoencoder: Autoencoder
    orientations: tuple[bool, ...]  # whether mirrored
    stored: StoredType
    workers: int
    timeout: float

    def look(self, videos: VideoSet) -> tuple[dict[tuple[str, bool], Path], list[_Missing]]:
        """The files of these videos by name and orientation, and what there is to be made."""
        made_by = {"form": FORM, "autoencoder": self.autoencoder.identity, "stored": self.stored}
        described = map_in_order(
            _describe,
            [(video, self.preparation, self.orientations) for video in videos.videos],
            workers=self.workers,
            timeout=self.timeout,
            label=lambda task: task[0].name,
        )
        files: dict[tuple[str, bool], Path] = {}
        missing: list[_Missing] = []
        for video, found in zip(videos.videos, described, strict=True):
            if isinstance(found, BrokenVideoError):
                raise found
            info, identities = found
            targets = [
                _Target(folder=self.folder, mirrored=mirrored, made_from=_canonical(each | made_by))
                for mirrored, each in zip(self.orientations, identities, strict=True)
            ]
            files |= {(video.name, target.mirrored): target.path for target in targets}
            absent = tuple(target for target in targets if not target.is_there(info.num_frames))
            if absent:
                missing.append(_Missing(video=video, info=info, targets=absent))
        return files, missing

    def make(self, missing: Sequence[_Missing], progress: bool) -> None:
        """Decode, encode and write, video after video."""
        with named(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        total = sum(each.info.num_frames for each in missing)
        name = f"{self.folder}: latents"
        with tqdm(total=total, desc=name, unit="frame", disable=not progress) as bar:
            for each, chunks in self._decoded(missing):
                self._encode(each, chunks, bar)

    def _decoded(self, missing: Sequence[_Missing]) -> Iterator[tuple[_Missing, Iterator[Any]]]:
        """Each video with its prepared frames, uint8 (T, H, W, 3) at a time."""
        clips = [each.clips() for each in missing]
        loaded = map_in_order(
            load_clip,
            [(clip, self.preparation) for parts in clips for clip in parts],
            workers=self.workers,
            timeout=self.timeout,
            label=lambda task: task[0].video.name,
        )
        try:
            for each, parts in zip(missing, clips, strict=True):
                yield each, (next(loaded) for _ in parts)
        finally:
            loaded.close()

    def _encode(self, missing: _Missing, chunks: Iterator[Any], bar: "tqdm[Any]") -> None:
        parts: list[list[Tensor]] = [[] for _ in missing.targets]
        for frames in chunks:
            if isinstance(frames, BrokenVideoError):
                raise frames
            for part, target in zip(parts, missing.targets, strict=True):
                seen = frames[:, :, ::-1] if target.mirrored else frames
                moments = self.autoencoder.encode_moments(from_uint8(seen)[None])[0]
                part.append(moments.to("cpu", _DTYPES[self.stored]))
            bar.update(len(frames))
        for part, target in zip(parts, missing.targets, strict=True):
            moments = torch.cat(part)
            if not moments.isfinite().all():
                raise InputError(
                    f"{missing.video.name}: its latents are not finite; let the autoencoder "
                    "compute in float32, and store float32"
                )
            target.write(moments)


def _describe(
    task: tuple[Video, Preparation, tuple[bool, ...]],
) -> tuple[VideoInfo, list[dict[str, Any]]]:
    """Size of a video, and what decides the pixels of its frames in each orientation."""
    video, preparation, orientations = task
    info = video.probe()
    whole = Clip(video=video, info=info, frames=tuple(range(info.num_frames)))
    identity = clip_identity(whole, preparation) | {"frames": info.num_frames}
    return info, [identity | {"mirrored": mirrored} for mirrored in orientations]


def _check_request(
    folder: Path, videos: VideoSet, preparation: Preparation, autoencoder: Autoencoder
) -> None:
    if not autoencoder.cacheable:
        raise InputError(
            f"{folder}: autoencoder {autoencoder.name} costs nothing, so a cache of its latents "
            "gains nothing; leave the cache out"
        )
    # H.264 predicts frames from their neighbours: a frame is another in each clip.
    if preparation.storage == "mp4" and any(not video.prepared for video in videos.videos):
        raise InputError(
            f"{folder}: with storage mp4 a frame depends on the clip that it is in, so it cannot "
            "be cached; choose storage lossless or jpeg-95"
        )


def _canonical(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def _checksum(row: Tensor) -> int:
    return zlib.crc32(row.contiguous().numpy())


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path}: cached latents that cannot be used ({reason}); delete the file: it is made again"
    )
