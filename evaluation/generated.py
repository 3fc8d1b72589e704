"""`--checkpoint FILE`: sample from a model first, then measure the samples.

With `evaluation/similarity/hidden_states/checkpoint.py` the only place that imports the generator,
and only when it is asked to.
"""

import logging
from pathlib import Path

from evaluation.protocol.fields import Protocol
from latte.data.errors import InputError

logger = logging.getLogger(__name__)


def sample_first(
    checkpoint: Path,
    protocol: Protocol,
    *,
    out: Path | None = None,
    dataset: str | None = None,
    device: str = "cpu",
) -> Path:
    """Make the samples that are not there yet, lossless, as `latte sample` does; their folder.

    Args:
        protocol: says how many samples are measured, and how long they must be.
        out: their folder; by default samples/<dataset>.
        dataset: what the model was trained on.

    Raises:
        InputError: what `latte sample` refuses, or a model whose videos are too short, before any
            is made.
    """
    from latte.sampling.plan import SampleRequest
    from latte.sampling.run import carry_out, prepare

    if protocol.num_fake < 1:
        raise InputError("--checkpoint: say how many samples with --num-videos")
    request = SampleRequest(
        checkpoint=checkpoint,
        dataset=dataset,
        out=out,
        num_samples=protocol.num_fake,
        device=device,
    )
    try:
        sampling = prepare(request)
    except InputError as error:
        raise InputError(
            f"{error} (options are those of `latte sample`, whose --out is --fake here)"
        ) from error
    needed = protocol.selection("fake").min_frames
    if sampling.num_frames < needed:
        raise InputError(
            f"{checkpoint}: makes videos of {sampling.num_frames} frames, but {protocol.name} "
            f"needs {needed} of each: give a smaller --num-frames, or another checkpoint"
        )
    report = carry_out(sampling)
    logger.info("%d samples: %s; preview: %s", report.present, report.out, report.preview)
    return report.out
