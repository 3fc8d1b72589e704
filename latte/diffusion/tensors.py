"""Types and tensor helpers that losses and samplers share."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Denoiser = Callable[..., Tensor]  # (x, t, **model_inputs) → prediction
RandomNumbers = Callable[[tuple[int, ...]], Tensor]


def at(values: np.ndarray, t: Tensor, like: Tensor) -> Tensor:
    """values[t], of the type of `like` and shaped (N, 1, …) to multiply with it."""
    rows = torch.from_numpy(values).to(like.device, like.dtype)[t]
    return rows.view(-1, *[1] * (like.ndim - 1))


def widened(x: Tensor) -> Tensor:
    """x in float32 at least: noise levels need more digits than float16 and bfloat16 have."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
