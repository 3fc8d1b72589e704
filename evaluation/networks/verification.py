"""Whether a file of weights on this machine gives the published outputs.

Only such answers show that a file, this package and this machine together reproduce published
numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tabulate import tabulate

from evaluation.networks.equivalence import TOLERANCE
from evaluation.networks.extractor import Extractor
from evaluation.networks.known_answers import ANSWERS, REMARKS, KnownAnswer
from evaluation.networks.registry import build
from evaluation.networks.spec import SHA256
from evaluation.networks.weights import content_hashes, is_torchscript


@dataclass(frozen=True, kw_only=True)
class Check:
    """The outcome of one check; `passed` is None where it cannot be made, and `note` says why."""

    what: str
    expected: float | str | None = None
    got: float | str | None = None
    difference: float | None = None  # relative to the expected number
    tolerance: float | None = None
    passed: bool | None = None
    source: str = ""
    note: str = ""


def verify(
    name: str,
    weights: Path | str | None = None,
    device: str | torch.device = "cpu",
    *,
    quick: bool = False,
    data: Path | str | None = None,
    answers: Sequence[KnownAnswer] = ANSWERS,
    trust_weights: bool = False,
) -> list[Check]:
    """Check whether a network's file of weights reproduces published numbers on this machine.

    Args:
        weights: its file; by default the one that any command would use.
        quick: leave out checks that take minutes on a CPU.
        data: folder of files that some answers need (docs/networks.md).
        trust_weights: run TorchScript even if its hash is not published.

    Raises:
        InputError: an unknown network, a file that cannot be read, or data that do not fit.
    """
    known = [answer for answer in answers if answer.network == name]
    extractor = build(
        name,
        weights,
        device,
        resize=known[0].resize if known else None,
        trust_weights=trust_weights,
    )
    extractor.open(afresh=True)  # the answer that is remembered is no check
    folder = None if data is None else Path(data).expanduser()
    checks = [integrity(extractor)]
    difference = extractor.probe_difference
    if difference is not None:
        faster = Check(
            what="the faster implementation agrees on probe clips",
            expected=0.0,
            got=difference,
            difference=difference,
            tolerance=TOLERANCE,
            # Otherwise the reference one runs, and the number is right all the same.
            passed=True if difference <= TOLERANCE else None,
            note=f"runs as {extractor.implementation}",
        )
        checks.append(faster)
    checks += [_answered(answer, extractor, quick, folder) for answer in known]
    if name in REMARKS or not known:
        what = "another published comparison" if known else "published outputs"
        note = REMARKS.get(name, "nothing is published for this network")
        checks.append(Check(what=what, note=note))
    return checks


def all_passed(checks: Sequence[Check]) -> bool:
    """No check failed; checks that cannot be made do not count."""
    return all(check.passed is not False for check in checks)


def checks_table(checks: Sequence[Check]) -> str:
    """The checks as text: what, expected, got, difference, at most, verdict; then the sources."""
    rows = [
        (
            check.what,
            _shown(check.expected),
            _shown(check.got),
            _shown(check.difference, ".1e"),
            _shown(check.tolerance, ".0e"),
            {True: "passed", False: "FAILED", None: "not checked"}[check.passed],
            check.note,
        )
        for check in checks
    ]
    headers = ["what", "expected", "got", "difference", "at most", "verdict", "note"]
    widths = [44, None, None, None, None, None, 40]
    lines = [tabulate(rows, headers, disable_numparse=True, maxcolwidths=widths)]
    sources = sorted({check.source for check in checks if check.source})
    if sources:
        lines += ["", "published by:", *(f"  {source}" for source in sources)]
    return "\n".join(lines)


def _shown(value: float | str | None, style: str = ".7g") -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value if len(value) <= 26 else f"{value[:25]}…"  # a hash; JSON has all of it
    return format(value, style)


def integrity(extractor: Extractor) -> Check:
    """Whether the file is a published one, by its content."""
    spec, path = extractor.spec, extractor.weights.path
    own = content_hashes(path)
    what = f"content of {path.name}"
    hashed = [file for file in spec.weight_files if file.hash]
    candidates = [file for file in hashed if file.is_same(own)]
    candidates += [file for file in hashed if file.file_name == path.name]
    if candidates and candidates[0].hash:
        kind, published = candidates[0].hash
        return Check(
            what=what,
            expected=f"{kind} {published}",
            got=f"{kind} {own[kind][: len(published)]}",
            passed=candidates[0].is_same(own),
            source=candidates[0].url,
        )
    if spec.bundled is not None:
        note = "bundled with latte-eval"
    elif hashed:
        note = f"other than that of {' and '.join(file.file_name for file in hashed)}"
    else:
        note = "no hash is published"
    return Check(what=what, got=f"SHA-256 {own[SHA256]}", note=note)


def _answered(answer: KnownAnswer, extractor: Extractor, quick: bool, data: Path | None) -> Check:
    got = difference = passed = None
    note = ""
    if answer.torchscript_only and not is_torchscript(extractor.weights.path):
        note = "published for the TorchScript file"
    elif answer.needs_classes and not extractor.has_classes:
        note = "this file has no classifier: give torch-fidelity's"
    elif answer.files and data is None:
        note = f"give --data FOLDER with {' and '.join(answer.files)}"
    elif answer.slow and quick:
        note = "skipped by --quick"
    else:
        got = answer.measure(extractor, data or Path())  # answers without files ignore the folder
        difference = abs(got - answer.expected) / abs(answer.expected)
        passed = difference <= answer.tolerance  # a NaN is not
    return Check(
        what=answer.what,
        expected=answer.expected,
        got=got,
        difference=difference,
        tolerance=answer.tolerance,
        passed=passed,
        source=answer.source,
        note=note,
    )
