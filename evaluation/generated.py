"""`--checkpoint FILE`: sample from a model first, then measure what it made.

The one place where the suite reaches the generator, and only when asked to.
"""

import re
import sys
from pathlib import Path

from evaluation.protocol.fields import Protocol
from latte.data.errors import InputError

# Options that a sentence of `latte sample` may name to who measures.
_OURS = {"--fake", "--dataset", "--device", "--num-frames"}


def sample_first(
    checkpoint: Path,
    *,
    num_samples: int,
    out: Path | None,
    dataset: str | None,
    device: str,
    protocol: Protocol | None = None,
) -> Path:
    """Make the samples that are not there yet, lossless, as `latte sample` does.

    Args:
        out: their folder; by default samples/<dataset>.
        protocol: by which they are going to be measured, so that a model whose videos are too short
            for it is refused before any is made. Their size never is: the protocol resizes them.

    Returns:
        The folder.

    Raises:
        InputError: whatever `latte sample` refuses, or too short videos.
    """
    from latte.sampling.plan import SampleRequest
    from latte.sampling.prepare import prepare
    from latte.sampling.run import carry_out

    if num_samples < 1:
        raise InputError("--checkpoint: say how many samples with --num-videos")
    request = SampleRequest(
        checkpoint=checkpoint, dataset=dataset, out=out, num_samples=num_samples, device=device
    )
    try:
        sampling = prepare(request)
        if protocol is not None:
            _check_length(checkpoint, sampling.num_frames, protocol)
        report = carry_out(sampling)
    except InputError as error:
        raise InputError(_for_who_measures(str(error))) from error
    print(report.text(), file=sys.stderr)
    return report.out


def _check_length(checkpoint: Path, num_frames: int, protocol: Protocol) -> None:
    needed = protocol.fake_selection().min_frames
    if num_frames < needed:
        raise InputError(
            f"{checkpoint}: makes videos of {num_frames} frames, but {protocol.name} needs "
            f"{needed} of each; give a smaller --num-frames, or another checkpoint"
        )


def _for_who_measures(sentence: str) -> str:
    """A sentence of `latte sample`, whose --out is --fake here and whose other options are not."""
    sentence = re.sub(r"--out\b", "--fake", sentence)
    options = sorted(set(re.findall(r"--[a-z][a-z-]*", sentence)) - _OURS)
    if not options:
        return sentence
    return (
        f"{sentence} (`latte sample` has {' and '.join(options)}: sample with it first, then "
        "measure its folder with --fake)"
    )
