"""What is expected of a sound metric and of a sound model, held against the measured numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from benchmarks.shapes.generated import BUNDLED, GIVEN
from benchmarks.shapes.measuring import FVD, Accuracy
from benchmarks.shapes.stand_ins import DISTORTED, GENERATORS, HELD_OUT

WANTED_ACCURACY = 0.9


@dataclass(frozen=True)
class Expectation:
    """A sentence, whether it holds here, and the numbers that say so."""

    claim: str
    holds: bool
    seen: str


def expectations(frame: pd.DataFrame, recognised: Mapping[str, Accuracy]) -> list[Expectation]:
    """Every expectation.

    Args:
        frame: one row for each number, see `benchmarks.demo.report.DemoRun.frame`.
        recognised: clips in their class by set, where classes are known.
    """
    value = frame[frame.metric == FVD].set_index("generator").value
    distorted = value[list(DISTORTED)]
    checks = [
        Expectation(
            f"{HELD_OUT} are nearer by far than any distorted ones",
            bool(value[HELD_OUT] * 2 < distorted.min()),
            f"{FVD} {value[HELD_OUT]:.3g}, {_nearest('distorted', distorted)}",
        )
    ]
    for family in ("blur", "noise"):
        strengths = [float(value[label]) for label in _family(family)]
        checks.append(
            Expectation(
                f"{FVD} grows with the strength of {family}",
                all(low < high for low, high in pairwise(strengths)),
                " < ".join(f"{number:.3g}" for number in strengths),
            )
        )
    for model in (BUNDLED, GIVEN):
        if model in value:
            corrupted = value[_family("time")]
            checks.append(
                Expectation(
                    f"{model} is nearer to the real videos than any that are corrupted in time",
                    bool(value[model] < corrupted.min()),
                    f"{FVD} {value[model]:.3g}, {_nearest('corrupted', corrupted)}",
                )
            )
        if model in recognised:
            checks.append(_recognition(model, recognised[model], recognised[HELD_OUT]))
    return checks


def _recognition(model: str, own: Accuracy, real: Accuracy) -> Expectation:
    return Expectation(
        f"nine of ten samples of {model} are of the requested class",
        own.share >= WANTED_ACCURACY,
        f"{own.right} of {own.total} by the embedded network, of {HELD_OUT} {real.right}",
    )


def _family(name: str) -> list[str]:
    return [generator.label for generator in GENERATORS if generator.family == name]


def _nearest(kind: str, values: "pd.Series[float]") -> str:
    return f"the nearest {kind} videos {values.min():.3g} ({values.idxmin()})"
