"""Which implementation of a network runs on this machine: remembered, so that it is tried once.

One small file for each choice (JSON, and its checksum), in the user's cache folder, named by a
hash of what it depends on: network, output, resizing, weights, device, processor, versions, and the
code of the networks. A file that is damaged, or was made under any other condition, is not looked
at, and made again.
"""

import contextlib
import math
import platform
import sys
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from evaluation.networks.spec import NetworkSpec
from latte.data.errors import InputError
from latte.data.files import cache_folder, write_atomically
from latte.data.schema import decode_json


@dataclass(frozen=True)
class Choice:
    """What was found out about a network's file of weights on this machine."""

    name: str  # the implementation that runs
    difference: float | None  # largest relative difference on the probe clips; None: not compared
    has_classifier: bool  # whether class probabilities can be made of its features
    seconds: dict[str, float]  # for the first probe clip, by implementation, if they were timed


def recall(key: str) -> Choice | None:
    """A remembered choice; None if there is none, or none that can be read."""
    try:
        path = choices_folder() / f"{key}.json"
        text, checksum = path.read_text(encoding="utf-8").splitlines()
        if checksum != _checksum(text):
            return None
        choice = decode_json(text, Choice, str(path))
    except (OSError, ValueError, InputError):
        return None
    difference = choice.difference
    return choice if difference is None or math.isfinite(difference) else None


def remember(key: str, choice: Choice) -> None:
    """Keep a choice; a folder that cannot be written keeps none."""
    path = choices_folder() / f"{key}.json"
    text = msgspec.json.encode(asdict(choice)).decode()
    with contextlib.suppress(OSError):
        write_atomically(path, f"{text}\n{_checksum(text)}\n".encode())


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def choices_folder() -> Path:
    """A folder in `$LATTE_CACHE` or the user's cache."""
    return cache_folder("implementations")


def choice_key(spec: NetworkSpec, weights_sha256: str, device: str, *, exact: bool) -> str:
    """A hash of all that a choice depends on.

    Args:
        device: "cpu", or the name of a GPU.
    """
    facts: dict[str, Any] = {
        "network": [spec.name, spec.version, spec.output, spec.resize],
        "weights": weights_sha256,
        "exact": exact,
        "device": device,
        "machine": _machine(),
        "code": _code(),
    }
    return sha256(msgspec.json.encode(facts)).hexdigest()[:32]


def _machine() -> list[str]:
    """Processor with its abilities, and the versions of what computes."""
    facts = [platform.machine(), platform.processor(), sys.version, version("torch")]
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(("model name", "flags", "Features", "CPU part")):
                facts.append(line)
            if not line.strip():  # one processor is enough
                break
    return facts


def _code() -> str:
    """Hash of the modules of this package: another release, or an edit, is tried anew."""
    digest = sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
