"""`--checkpoint FILE`: sample from a model first, then measure what it made.

The one place where the suite reaches the generator, and only when asked to.
"""

import sys
from pathlib import Path

from latte.data.errors import InputError


def sample_first(
    checkpoint: Path, *, num_samples: int, out: Path | None, dataset: str | None, device: str
) -> Path:
    """Make the samples that are not there yet, lossless, as `latte sample` does.

    Args:
        out: their folder; by default samples/<dataset>.

    Returns:
        The folder.

    Raises:
        InputError: whatever `latte sample` refuses.
    """
    from latte.sampling.plan import SampleRequest
    from latte.sampling.run import sample

    if num_samples < 1:
        raise InputError("--checkpoint: say how many samples with --num-videos")
    report = sample(
        SampleRequest(
            checkpoint=checkpoint,
            dataset=dataset,
            out=out,
            num_samples=num_samples,
            device=device,
        )
    )
    print(report.text(), file=sys.stderr)
    return report.out
