"""What an entry of the catalogue says of a metric. Imports nothing heavy."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from evaluation.networks.spec import NetworkSpec
from evaluation.results.caveats import Caveat
from evaluation.results.record import Result

if TYPE_CHECKING:
    from evaluation.catalogue.inputs import MetricInput
    from evaluation.uncertainty.interval import Interval

InputKind = Literal["clips", "frames", "classes"]  # features of clips, of frames, or probabilities

MIN_CLIPS_FOR_INTERVAL = 4  # clips of each set
TOO_FEW_CLIPS = {"reason": "too_few_clips", "min_clips": MIN_CLIPS_FOR_INTERVAL}


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number of a metric, and what results call it.

    >>> fid = Number(title="FID", per="position")
    >>> fid.plain
    'FID per position'
    """

    title: str
    per: str = ""  # the mean is over these: "class", "position"
    higher_is_better: bool | None = False  # None: neither higher nor lower is better
    names_network: bool = False  # the plain title belongs to a network that is not among ours

    @property
    def plain(self) -> str:
        """The title with the network of the reference."""
        return self._with("")

    def called(self, spec: NetworkSpec) -> str:
        """The title with a network: another network or layer makes another metric of it."""
        suffix = spec.metric_suffix
        if self.names_network and not suffix:
            suffix = f"-{spec.name}"
        if spec.output != next(iter(spec.outputs)):
            suffix += f"-{spec.output}"
        return self._with(suffix)

    def _with(self, suffix: str) -> str:
        return f"{self.title}{suffix}{f' per {self.per}' if self.per else ''}"


@dataclass(frozen=True, kw_only=True)
class Value:
    """The value of a metric's number."""

    value: float
    interval: "Interval | None" = None
    details: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)  # besides those of the metric


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric: one command, one or two numbers, one function that computes them."""

    name: str  # name of the command, and in a protocol's `metrics`
    numbers: tuple[Number, ...]
    help: str  # text of the command
    input_kind: InputKind
    compute: "Callable[[MetricInput], list[Value]]"  # a value of each number
    min_clips: int = 1  # clips of each set
    min_value: float = -math.inf  # a smaller value is a fault
    needs_real: bool = True
    permutes: bool = False  # a difference of two models is tested by permuting their features
    parameters: Mapping[str, Any] = field(default_factory=dict)  # the reference's defaults
    # function of `evaluation.metrics` that gives the numbers from rows of real and of generated
    # videos, or from class probabilities; None: they need more than that
    function: str | None = None
    # gives what a careful reader must know before quoting a result
    caveats: Callable[[Result, NetworkSpec], Iterator[Caveat]] = lambda result, spec: iter(())

    @property
    def titles(self) -> tuple[str, ...]:
        """What results call its numbers, with the network of the reference."""
        return tuple(number.plain for number in self.numbers)

    def number(self, title: str) -> Number:
        """One of its numbers by its plain title."""
        return next(number for number in self.numbers if number.plain == title)
