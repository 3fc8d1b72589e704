"""The folder of samples: which exist, how they were made, and writing one more."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latte.data.errors import InputError
from latte.data.export import write_clip
from latte.data.files import read_bytes, write_atomically, writing_in
from latte.data.frames import FRAME_SUFFIXES, FrameFolder
from latte.data.schema import decode_json
from latte.data.sources import FileVideo, Video
from latte.data.video import VIDEO_SUFFIXES

RECORD = ".sampling.json"  # hidden: passed over where the folder is measured
_ADVICE = "choose an empty or new folder with --out"


@dataclass(frozen=True, kw_only=True)
class SampleRecord:
    """How the samples of a folder were made."""

    settings: dict[str, Any]  # all that decides the samples
    made_by: dict[str, Any]  # informs the reader; is not compared


@dataclass(frozen=True, kw_only=True)
class SampleFolder:
    """`root/<class>/<number>.mkv`, or `root/<number>.mkv` where classes have no names.

    A sample that has its name is complete: going on after an interruption rests on this alone.
    """

    root: Path
    file_format: str  # mkv, png (a folder of frames for each sample) or mp4
    fps: float
    classes: tuple[str, ...] | None  # names, in the order of the labels
    label: Callable[[int], int | None]  # class of a sample

    def path(self, index: int) -> Path:
        """Path of sample `index`."""
        suffix = "" if self.file_format == "png" else f".{self.file_format}"
        label, folder = self.label(index), self.root
        if label is not None and self.classes is not None:
            folder = self.root / folder_name(self.classes[label])
        return folder / f"{index:06d}{suffix}"

    def check(self, settings: Mapping[str, Any]) -> bool:
        """See that what is in the folder, if there is one, was made with the same settings.

        Args:
            settings: all that decides the samples (JSON).

        Returns:
            Whether the folder has no settings yet.

        Raises:
            InputError: other settings, or a folder that something else was put into.
        """
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root}: is a file, but a folder is to be written: {_ADVICE}")
        path = self.root / RECORD
        if not path.exists():
            if entries := _visible(self.root):
                raise InputError(
                    f"{self.root}: holds {entries[0].name}, and no {RECORD} says how it was made: "
                    f"{_ADVICE}"
                )
            return True
        record = decode_json(read_bytes(path, "settings of samples"), SampleRecord, str(path))
        before = record.settings
        now = json.loads(json.dumps(settings))
        if differences := [
            f"{name} {_shown(before.get(name))} (not {_shown(now.get(name))})"
            for name in {**now, **before}
            if before.get(name) != now.get(name)
        ]:
            raise InputError(
                f"{self.root}: its samples were made with {' and '.join(differences)}: give the "
                "same options to resume, or another folder with --out"
            )
        return False

    @contextmanager
    def claimed(
        self, settings: Mapping[str, Any], made_by: Mapping[str, Any], *, alone: bool = True
    ) -> Iterator[None]:
        """Make the folder, with its settings, for the samples that are written meanwhile.

        A failure before the first sample leaves nothing behind: the next ones may be others. What
        killed processes have left half written is removed.

        Args:
            settings: as for `check`; they are kept in the folder.
            made_by: kept beside them, and not compared.
            alone: no other process writes into the folder.

        Raises:
            InputError: as `check`.
        """
        new_folder, new_settings = not self.root.exists(), self.check(settings)
        if new_settings:
            record = SampleRecord(settings=dict(settings), made_by=dict(made_by))
            write_atomically(self.root / RECORD, json.dumps(asdict(record), indent=2) + "\n")
        try:
            with writing_in(self.root):
                yield
        except BaseException:
            if new_settings and alone and not self.present():
                (self.root / RECORD).unlink(missing_ok=True)
                if new_folder:
                    with suppress(OSError):  # something else is in it
                        self.root.rmdir()
            raise

    def present(self) -> set[int]:
        """The numbers of the samples that are there.

        Raises:
            InputError: something is none of them, and would be measured with them.
        """
        entries = _visible(self.root)
        if self.classes is not None:
            folders = {self.root / folder_name(name) for name in self.classes}
            entries = [entry for entry in entries if entry not in folders]
            entries += [entry for folder in sorted(folders) for entry in _visible(folder)]
        numbers = set()
        for entry in entries:
            number = re.match(r"\d{6,}", entry.name)
            if number is None or entry != self.path(int(number[0])):
                raise InputError(
                    f"{self.root}: holds {entry.relative_to(self.root)}, which is none of its "
                    f"samples: take it away, or {_ADVICE}"
                )
            numbers.add(int(number[0]))
        return numbers

    def write(self, index: int, clip: np.ndarray) -> None:
        """Sample `index`, uint8 (F, H, W, 3)."""
        write_clip(self.path(index), clip, file_format=self.file_format, fps=self.fps)

    def read(self, index: int) -> np.ndarray:
        """Sample `index` as it is on the disk, uint8 (F, H, W, 3)."""
        path = self.path(index)
        video: Video = FileVideo(name=path.stem, path=path)
        if self.file_format == "png":
            video = FrameFolder(name=path.name, path=path)
        return video.read(range(video.probe().num_frames))


def folder_name(class_name: str) -> str:
    """A class's name as that of a folder: no path can be made of it, and it is not hidden.

    >>> folder_name("circle bouncing"), folder_name("../up")
    ('circle bouncing', '_._up')
    """
    plain = re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", class_name)
    return re.sub(r"^(\.|$)", "_", plain)


def _visible(folder: Path) -> list[Path]:
    """Entries of a folder that would be measured: videos, images, folders."""
    if not folder.exists():
        return []
    kinds = VIDEO_SUFFIXES | FRAME_SUFFIXES
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and (entry.suffix.lower() in kinds or entry.is_dir())
    )


def _shown(value: object) -> str:
    text = "none" if value is None else str(value)
    return text[:8] if re.fullmatch("[0-9a-f]{64}", text) else text
