"""A number with all that made it, as one line of a JSON Lines file."""

import errno
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latte.data.errors import InputError
from reports.numbers import format_value

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("metric", "value", "num_real", "num_fake", "network", "fingerprint", "protocol")
FRAME_COLUMNS = (
    *("model", "dataset", "metric", "value", "low", "high", "level", "higher_is_better"),
    *("num_real", "num_fake", "num_frames", "protocol", "network", "fingerprint"),
)
INVERSION_RATE = "inversion-rate"
# Numbers of which neither more nor less is better; here, where nothing heavy is imported.
UNDIRECTED = (INVERSION_RATE,)
MOST_DIGITS = 300  # of a whole number; a float holds no more than 308


@dataclass(frozen=True, kw_only=True)
class SetRecord:
    """One of the two sets that were measured."""

    path: str  # as the user gave it, or the data set's name
    digest: str  # hash over the content, frames and preparation of every clip
    order: str = ""  # the same in the order in which the clips were taken
    names: str = ""  # hash over the names of their videos in that order
    num_listed: int | None  # videos found
    num_clips: int | None  # clips measured; None: a statistics file that does not say
    height: int  # of the frames that the network got
    width: int
    storage: str  # "jpeg-75" or "lossless" as prepared here; "jpg", "png", "array" or
    # "statistics" as it came
    recipe: str | None = None  # of their crop and resize; None: they came without saying
    too_short: tuple[str, ...] = ()  # left out as the protocol asks
    broken: tuple[str, ...] = ()  # left out because --skip-broken allowed it


@dataclass(frozen=True, kw_only=True)
class Result:
    """A measured value, its interval, its protocol and its provenance."""

    metric: str  # "FVD", "FVD-shapes", …: networks that do not compare have names of their own
    value: float
    interval: tuple[float, float] | None
    level: float  # of the interval
    higher_is_better: bool | None  # None: neither; results of it are not ranked
    num_real: int | None  # None: not known; 0: the metric looks at the generated set alone
    num_fake: int | None  # 0: it looks at real ones alone
    num_frames: int
    network: str
    weights_sha256: str
    weights_published: bool
    fingerprint: str
    protocol: str
    protocol_fields: Mapping[str, Any]
    deviations: tuple[str, ...]  # from the protocol as published, a phrase each
    dataset: str | None
    model: str  # what was measured
    real: SetRecord | None  # None: the metric looks at the generated set alone
    fake: SetRecord | None  # None: it looks at the real one alone
    seconds: float
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of the metric: its kernel, k, …
    details: Mapping[str, Any] = field(default_factory=dict)
    date: str = ""
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of JSON, ASCII alone: names may hold bytes that no encoding knows."""
        return json.dumps(asdict(self), allow_nan=False)

    def to_frame(self) -> "pd.DataFrame":
        """One row: what was measured, the value, and the ends of its interval (NaN for none)."""
        return results_frame([self])

    def __str__(self) -> str:
        """The line that a person reads.

        For example `FVD 123.4 ± 5.6 (95 %), 2048 clips × 16 frames, stylegan-v, i3d 1a2b3c4d…`.
        """
        changed = f" with {len(self.deviations)} deviations" if len(self.deviations) > 1 else ""
        changed = " with 1 deviation" if len(self.deviations) == 1 else changed
        return (
            f"{self.metric} {format_value(self.value, self.interval)}"
            f"{f' ({self.level:.0%})'.replace('%', ' %') if self.interval else ''}, "
            f"{self._samples()}, {self.protocol}{changed}, "
            f"{self.network}{f' {self.weights_sha256[:8]}…' if self.weights_sha256 else ''}"
        )

    def _samples(self) -> str:
        """How many clips or, where every frame was taken, frames there were."""
        real, fake = ("?" if n is None else n for n in (self.num_real, self.num_fake))
        if self.protocol_fields.get("fake_offset") == "every":
            frames = [self.protocol_fields.get(key, "?") for key in ("num_real", "num_fake")]
            return f"{frames[0]} real and {frames[1]} generated frames"
        if self.num_fake == 0:
            return f"{real} real clips × {self.num_frames} frames"
        same = self.num_real in (0, self.num_fake)
        clips = f"{fake} clips" if same else f"{real} real and {fake} generated clips"
        return f"{clips} × {self.num_frames} frames"


def results_frame(results: "Iterable[Result]") -> "pd.DataFrame":
    """One row for each result, with the columns of `FRAME_COLUMNS`."""
    import pandas as pd

    rows = [
        [
            *(getattr(result, name) for name in FRAME_COLUMNS[:4]),
            *(result.interval or (float("nan"), float("nan"))),
            *(getattr(result, name) for name in FRAME_COLUMNS[6:]),
        ]
        for result in results
    ]
    return pd.DataFrame(rows, columns=list(FRAME_COLUMNS))


def append_result(path: Path, result: Result) -> None:
    """Add a line to a results file, whole or not at all; what is there stays, whatever happens.

    Raises:
        InputError: the file cannot be written.
    """
    text = result.to_json().encode()
    try:
        with path.open("a+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 1, 0))
            unfinished = file.read(1) not in (b"", b"\n")  # an editor may have left it so
            line = b"\n" * unfinished + text + b"\n"
            try:
                if file.write(line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
    except OSError as error:
        raise InputError(
            f"{path}: the result cannot be written ({error.strerror}); choose another file with "
            "--out. The features are kept: the same command takes seconds"
        ) from None


def check_writable(path: Path) -> None:
    """Refuse a results file that cannot be written before hours of work, not after.

    Raises:
        InputError: it is no plain file, or not a file of results, or it may not be written.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder: --out takes a file such as results.jsonl")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a plain file: --out takes one such as results.jsonl")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(path if path.exists() else path.parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise InputError(f"{path} cannot be written: choose another file with --out")
    if path.exists():
        read_results(path)


def read_results(path: Path) -> list[dict[str, Any]]:
    """The records of a results file, in its order.

    Raises:
        InputError: no such file, or a line that is not a result, by its number.
    """
    return [record for _, record in numbered_results(path)]


def numbered_results(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """`read_results`, each record with the number of its line."""
    try:
        # Not splitlines(): a name may hold a separator that only that function knows.
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise InputError(f"{path}: no such results file; `latte-eval fvd` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a results file ({error})") from None
    return [
        (number, _record(f"{path}, line {number}", line))
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def json_value(text: str) -> Any:
    """What a JSON text holds, all of whose numbers a float can hold.

    >>> json_value('{"value": 1}')
    {'value': 1}

    Raises:
        ValueError: it is no such text; the message says why, in a few words.
    """
    try:
        return json.loads(text, parse_int=_whole_number)
    except RecursionError:
        raise ValueError("parts within parts without end") from None


def _whole_number(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _record(where: str, line: str) -> dict[str, Any]:
    try:
        record = json_value(line)
    except ValueError as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else error
        raise InputError(f"{where}: not JSON ({why}); remove or mend that line") from None
    lacking = [key for key in REQUIRED if not isinstance(record, dict) or key not in record]
    wrong = f"it lacks {', '.join(lacking)}" if lacking else ""
    if not lacking and not isinstance(record["metric"], str):
        wrong = "its metric is no text"
    if wrong:
        raise InputError(f"{where}: not a result of latte-eval ({wrong}); remove or mend that line")
    return dict(record)


def provenance(device: str) -> dict[str, Any]:
    """`date`, `command`, `versions` and `host` of this run."""
    import torch

    from latte.data.video import decoder_version

    packages = ["latte-eval", "torch", "torchvision", "numpy", "scipy", "pillow"]
    versions = {name: _version(name) for name in packages}
    versions |= {"python": platform.python_version(), "decoder": decoder_version()}
    host: dict[str, Any] = {
        **machine(),
        "torch_threads": torch.get_num_threads(),
        "device": device,
    }
    if device.startswith("cuda"):
        host["device_name"] = torch.cuda.get_device_name(device)
    program = Path(sys.argv[0])
    # `python -m evaluation` runs evaluation/__main__.py.
    command = (
        ["python", "-m", program.parent.name] if program.stem == "__main__" else [program.name]
    )
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join([*command, *sys.argv[1:]]),
        "versions": versions,
        "host": host,
    }


@cache
def machine() -> Mapping[str, Any]:
    """The hardware and system that numbers are made on: what moves them or their speed.

    Nothing that tells one such machine from another: results are published.
    """
    return {
        "system": f"{platform.system()} {platform.machine()}".strip(),
        "processor": _processor(),
        "memory_gib": _memory_gib(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    """The model of the CPU, as Linux names it; elsewhere what Python knows of it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    parts = (line.partition(":") for line in lines)
    models = (value.strip() for key, _, value in parts if key.strip() == "model name")
    return next(models, "") or platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    """Of the whole machine; None where the system does not say."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
    return round(size / 2**30, 1) if size > 0 else None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
