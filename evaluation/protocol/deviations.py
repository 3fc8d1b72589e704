"""Differences from a protocol: data, printed as phrases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOT_STATED = "not stated"
# What a value that is a code reads as, by the field it is of.
PHRASES: Mapping[tuple[str, str], str] = {
    ("origin", "unknown"): "not known",
    ("origin", "stated"): "declared by the importer",
    ("number of clips", "unknown"): "not known",
    ("clips", "in_memory"): "given in memory",
}
TAKES_EVERY = ("num_real", "num_fake")  # fields in which 0 asks for as many clips as there are


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One difference from what was asked for.

    >>> print(Deviation(field="real_stride", value=1, wanted=3))
    real_stride 1 instead of 3
    >>> print(Deviation(field="frames", value="32×32", wanted="256×256", subject="samples"))
    frames of samples 32×32 instead of 256×256
    >>> print(Deviation(field="number of clips", value="unknown", subject="mu.npz"))
    number of clips of mu.npz not known
    """

    field: str  # a field of the protocol or a parameter of the metric, or what else differs
    value: Any  # None: not stated; "unknown", "stated", "in_memory": see `PHRASES`
    wanted: Any = ""  # None: not stated; "": nothing can be said of it
    subject: str = ""  # the set that it is about; "": the whole measurement

    def __str__(self) -> str:
        of_subject = f" of {self.subject}" if self.subject else ""
        instead = "" if self.wanted == "" else f" instead of {_shown(self.wanted)}"
        value = PHRASES.get((self.field, str(self.value)), _shown(self.value))
        return f"{self.field}{of_subject} {value}{instead}"


def differences(
    fields: Mapping[str, Any], reference: Mapping[str, Any], subject: str = ""
) -> list[Deviation]:
    """Every field in which a protocol, or a metric's parameters, differ from a reference.

    A reference that takes every clip there is (0) is met by any number of them.

    >>> differences({"num_real": 704, "seed": 0}, {"num_real": 0, "seed": 0})
    []
    """
    return [
        Deviation(field=key, value=fields.get(key), wanted=reference.get(key), subject=subject)
        for key in {**reference, **fields}
        if fields.get(key) != reference.get(key)
        and not (key in TAKES_EVERY and reference.get(key) == 0 and key in fields)
    ]


def _shown(value: object) -> object:
    return NOT_STATED if value is None else value
