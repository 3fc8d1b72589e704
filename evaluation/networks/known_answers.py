"""Published outputs of the public weight files, and whether a file on this machine gives them.

Only such answers show that a file, this package and this machine together reproduce published
numbers. Each states its inputs, the published value, its source and its tolerance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tabulate import tabulate

from evaluation.networks import files
from evaluation.networks.downloads import Digest, digest
from evaluation.networks.extractor import Extractor
from evaluation.networks.known_inputs import (
    BlackAgainstWhite,
    CdFvdExample,
    CifarImages,
    Inputs,
    NoiseAgainstNoise,
)
from evaluation.networks.probes import TOLERANCE
from evaluation.networks.registry import build
from evaluation.networks.spec import NetworkSpec, PublishedFile


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """A published number and how it was made."""

    network: str
    resize: str
    what: str
    inputs: Inputs
    expected: float
    tolerance: float  # relative
    source: str
    slow: bool = False
    torchscript_only: bool = False  # published for the file with its own code


@dataclass(frozen=True, kw_only=True)
class Check:
    """The outcome of one check; `passed` is None where it cannot be made, and `note` says why."""

    what: str
    expected: float | str | None
    got: float | str | None
    difference: float | None = None  # relative to the expected number
    tolerance: float | None = None
    passed: bool | None
    source: str
    note: str = ""


COMMON_METRICS = "JunyaoHu/common_metrics_on_video_quality, README, method styleganv"
TORCH_FIDELITY = "torch-fidelity, tests/tf1/numerical_precision"
BLACK_AGAINST_WHITE = (  # for the first 10 to 30 frames
    *(569.2296, 486.3584, 551.9611, 146.3664, 172.8545, 133.7031, 152.9175),
    *(357.7403, 382.4669, 306.7384, 338.4152, 78.17256, 82.33447, 64.58860),
    *(66.06281, 314.4804, 316.6871, 288.9720, 287.7805, 152.1525, 151.25648496845326),
)
ANSWERS: tuple[KnownAnswer, ...] = (
    *(
        KnownAnswer(
            network="i3d",
            resize="crop",
            what=f"Fréchet, black clips from white ones, {num_frames} frames",
            inputs=BlackAgainstWhite(num_frames=num_frames),
            expected=expected,
            # Its README says that versions of torch move the last one by about 1 of 151. The
            # TensorFlow original gave 151.39244 there.
            tolerance=7e-3,
            source=COMMON_METRICS,
            torchscript_only=True,
        )
        for num_frames, expected in enumerate(BLACK_AGAINST_WHITE, start=10)
    ),
    KnownAnswer(
        network="i3d",
        resize="crop",
        what="Fréchet, noise from other noise, 16 frames",
        inputs=NoiseAgainstNoise(),
        expected=10.138084766713924,
        tolerance=1e-3,
        source="universome/fvd-comparison, README; the TensorFlow original gave 10.13808536529541",
        slow=True,
        torchscript_only=True,
    ),
    *(
        KnownAnswer(
            network=name,
            resize="squash",
            what="Fréchet, cd-fvd's example from UCF-101",
            inputs=CdFvdExample(),
            expected=expected,
            tolerance=1e-3,
            source="songweige/content-debiased-fvd#2",
        )
        for name, expected in (("i3d-videogpt", 3383.967), ("videomae", 1064.6156))
    ),
    KnownAnswer(
        network="inception",
        resize="legacy-tensorflow",
        what="IS, 100 training images of CIFAR-10",
        inputs=CifarImages(metric="is", num_images=100),
        expected=4.51089784587268,
        tolerance=1e-3,
        source=f"{TORCH_FIDELITY}/test_metric_isc_fidelity.py",
    ),
    KnownAnswer(
        network="inception",
        resize="legacy-tensorflow",
        what="FID, 5000 training images of CIFAR-10 from 5000 test images",
        inputs=CifarImages(metric="fid", num_images=5000),
        expected=10.3233274,
        tolerance=1e-4,
        source=f"{TORCH_FIDELITY}/test_metric_fid_fidelity.py",
        slow=True,
    ),
)
REMARKS = {
    "i3d": "its logits were 0.000263 (L2) from TF-Hub's i3d-kinetics-400/1 on noise "
    "(universome/fvd-comparison), which needs TensorFlow to be computed again",
    "inception": "clean-fid's published FIDs need the images of the generators they are of",
    "c3d": "no output is published, only Inception Scores of data sets and generators",
}


def verify(
    name: str,
    weights: Path | str | None = None,
    device: str | torch.device = "cpu",
    *,
    quick: bool = False,
    data: Path | str | None = None,
    answers: Sequence[KnownAnswer] = ANSWERS,
) -> list[Check]:
    """Check whether a network's file of weights reproduces published numbers on this machine.

    Args:
        name: the network.
        weights: its file; by default the one that any command would use.
        device: where it runs.
        quick: leave out checks that take minutes on a CPU.
        data: folder of files that some answers need (docs/networks.md).
        answers: the published answers.

    Raises:
        InputError: an unknown network, a file that cannot be read, or data that do not fit.
    """
    known = [answer for answer in answers if answer.network == name]
    extractor = build(name, weights, device, resize=known[0].resize if known else None)
    folder = None if data is None else Path(data).expanduser()
    checks = [integrity(extractor), *_reproduction(extractor)]
    checks += [_answered(answer, extractor, quick, folder) for answer in known]
    return checks + _remarks(extractor.spec, known)


def all_passed(checks: Sequence[Check]) -> bool:
    """No check failed; checks that cannot be made do not count."""
    return all(check.passed is not False for check in checks)


def table(checks: Sequence[Check]) -> str:
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
    own = digest(path)
    hashed = [file for file in spec.weight_files if file.has_hash]
    candidates = [file for file in hashed if own.is_of(file)]
    candidates += [file for file in hashed if file.file_name == path.name]
    what = f"content of {path.name}"
    if candidates:
        wanted, got = _hashes(candidates[0], own)
        return Check(
            what=what,
            expected=wanted,
            got=got,
            passed=own.is_of(candidates[0]),
            source=candidates[0].url,
        )
    if spec.bundled is not None:
        note = "bundled with latte-eval"
    elif hashed:
        note = f"other than that of {' and '.join(file.file_name for file in hashed)}"
    else:
        note = "no hash is published"
    got = f"SHA-256 {own.sha256}"
    return Check(what=what, expected=None, got=got, passed=None, source="", note=note)


def _hashes(file: PublishedFile, own: Digest) -> tuple[str, str]:
    """The published hash of a file, and that of this file, of the same kind and length."""
    if file.sha256:
        return f"SHA-256 {file.sha256}", f"SHA-256 {own.sha256[: len(file.sha256)]}"
    return f"git blob {file.git_blob_sha1}", f"git blob {own.git_blob_sha1}"


def _reproduction(extractor: Extractor) -> Iterator[Check]:
    """Whether the faster implementation reproduces the reference one."""
    difference = extractor.probe_difference
    if difference is None:
        return
    yield Check(
        what="the faster implementation agrees on probe clips",
        expected=0.0,
        got=difference,
        difference=difference,
        tolerance=TOLERANCE,
        # Otherwise the reference one runs, and the number is right all the same.
        passed=True if difference <= TOLERANCE else None,
        source="",
        note=f"runs as {extractor.path_taken}",
    )


def _answered(answer: KnownAnswer, extractor: Extractor, quick: bool, data: Path | None) -> Check:
    obstacle = _obstacle(answer, extractor, quick, data)
    # Without a folder of data, only inputs that need no files come so far.
    got = None if obstacle else answer.inputs.measure(extractor, data or Path())
    difference = None if got is None else abs(got - answer.expected) / abs(answer.expected)
    return Check(
        what=answer.what,
        expected=answer.expected,
        got=got,
        difference=difference,
        tolerance=answer.tolerance,
        passed=None if difference is None else difference <= answer.tolerance,  # a NaN is not
        source=answer.source,
        note=obstacle or "",
    )


def _obstacle(
    answer: KnownAnswer, extractor: Extractor, quick: bool, data: Path | None
) -> str | None:
    """Why an answer is not checked; None if it is."""
    if answer.torchscript_only and not files.is_torchscript(extractor.weights.path):
        return "published for the TorchScript file"
    scored = isinstance(answer.inputs, CifarImages) and answer.inputs.metric == "is"
    if scored and not extractor.has_classes:
        return "this file has no classifier: give torch-fidelity's"
    needed = answer.inputs.files(answer.network)
    if needed and data is None:
        return f"give --data FOLDER with {' and '.join(needed)}"
    if answer.slow and quick:
        return "skipped by --quick"
    return None


def _remarks(spec: NetworkSpec, known: Sequence[KnownAnswer]) -> list[Check]:
    """Published numbers that cannot be reproduced here, or that there are none."""
    note = REMARKS.get(spec.name)
    if note is None and known:
        return []
    what = "another published comparison" if known else "published outputs"
    note = note or "nothing is published for this network"
    return [Check(what=what, expected=None, got=None, passed=None, source="", note=note)]
