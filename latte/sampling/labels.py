"""The class of each sample: a function of its number alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from latte.data.errors import InputError, nearest
from latte.data.hashing import hash64

BALANCED, RANDOM = "balanced", "random"


@dataclass(frozen=True, kw_only=True)
class LabelRule:
    """The class of sample i, independent of other samples.

    "balanced": i modulo the number of classes. "random": a hash of the seed and i. Labels that were
    given are taken in turn, from the first again after the last.
    """

    rule: str | tuple[int, ...]
    num_classes: int
    seed: int = 0

    def label(self, index: int) -> int:
        """0 … num_classes − 1."""
        if self.rule == BALANCED:
            return index % self.num_classes
        if self.rule == RANDOM:
            return hash64(f"latte sample label {self.seed} {index}") % self.num_classes
        return int(self.rule[index % len(self.rule)])


def read_labels(
    text: str | None, num_classes: int | None, classes: Sequence[str] | None, *, seed: int
) -> LabelRule | None:
    """The rule for the value of `--labels`; None for a model without classes.

    Args:
        text: "balanced" (as None), "random", or labels between commas: numbers, or names of
            `classes`.

    Raises:
        InputError: labels for a model without classes, an unknown name, or a number out of range.
    """
    if num_classes is None:
        if text is not None:
            raise InputError(f"--labels {text}: the model has no classes, so leave the option out")
        return None
    rule: str | tuple[int, ...] = text or BALANCED
    if rule not in (BALANCED, RANDOM):
        # A name may hold a comma.
        parts = [text] if text in (classes or ()) else str(text).split(",")
        rule = tuple(_label(str(part).strip(), num_classes, classes) for part in parts)
    return LabelRule(rule=rule, num_classes=num_classes, seed=seed)


def _label(word: str, num_classes: int, classes: Sequence[str] | None) -> int:
    if classes is not None and word in classes:
        return list(classes).index(word)
    try:
        number = int(word)
    except ValueError:
        if classes is None:
            raise InputError(
                f"--labels: {word!r} is not a number, and the checkpoint has no names of classes: "
                f"give balanced, random, or numbers in 0 … {num_classes - 1}"
            ) from None
        raise InputError(f"--labels: no class {word!r}: {nearest(word, list(classes))}") from None
    if not 0 <= number < num_classes:
        raise InputError(f"--labels: no class {number}, as there are 0 … {num_classes - 1}")
    return number
