"""What is expected of a sound metric and of a sound model, held against the measured numbers."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from benchmarks.shapes.generated import BUNDLED, GIVEN
from benchmarks.shapes.measuring import FVD, Accuracy
from benchmarks.shapes.stand_ins import DISTORTED, GENERATORS, HELD_OUT

WANTED_ACCURACY = 0.9


class Expectation(NamedTuple):
    """A sentence, whether it holds here, and the numbers that say so."""

    claim: str
    holds: bool
    seen: str


def expectations(fvd: Mapping[str, float], recognised: Mapping[str, Accuracy]) -> list[Expectation]:
    """Every expectation.

    Args:
        fvd: FVD-shapes by set.
        recognised: clips in their class by set, where classes are known.
    """
    families = {
        family: [generator.label for generator in GENERATORS if generator.family == family]
        for family in ("blur", "noise", "time")
    }
    nearest = min(DISTORTED, key=fvd.__getitem__)
    nearest_in_time = min(families["time"], key=fvd.__getitem__)
    checks = [
        Expectation(
            f"{HELD_OUT} are nearer by far than any distorted ones",
            fvd[HELD_OUT] * 2 < fvd[nearest],
            f"{FVD} {fvd[HELD_OUT]:.3g}, the nearest distorted videos {fvd[nearest]:.3g} "
            f"({nearest})",
        )
    ]
    for family in ("blur", "noise"):
        strengths = [fvd[label] for label in families[family]]
        checks.append(
            Expectation(
                f"{FVD} grows with the strength of {family}",
                all(low < high for low, high in pairwise(strengths)),
                " < ".join(f"{number:.3g}" for number in strengths),
            )
        )
    for model in (BUNDLED, GIVEN):
        if model in fvd:
            checks.append(
                Expectation(
                    f"{model} is nearer to the real videos than any that are corrupted in time",
                    fvd[model] < fvd[nearest_in_time],
                    f"{FVD} {fvd[model]:.3g}, the nearest corrupted videos "
                    f"{fvd[nearest_in_time]:.3g} ({nearest_in_time})",
                )
            )
        if model in recognised:
            own, real = recognised[model], recognised[HELD_OUT]
            checks.append(
                Expectation(
                    f"nine of ten samples of {model} are of the requested class",
                    own.right / own.total >= WANTED_ACCURACY,
                    f"{own.right} of {own.total} by the embedded network, of {HELD_OUT} "
                    f"{real.right}",
                )
            )
    return checks
