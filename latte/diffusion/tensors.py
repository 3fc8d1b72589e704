"""What losses and samplers share: the networks they call, and constants beside data of any type."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Denoiser = Callable[..., Tensor]  # (x, t, **model_inputs) → prediction
RandomNumbers = Callable[[tuple[int, ...]], Tensor]


def at(values: np.ndarray, t: Tensor, like: Tensor) -> Tensor:
    """values[t], of the type of `like` and shaped (N, 1, …) to multiply with it."""
    chosen = torch.from_numpy(values).to(like.device, like.dtype)[t]
    return chosen.view(-1, *[1] * (like.ndim - 1))


def widened(x: Tensor) -> Tensor:
    """In float32 at least: the levels of noise need more digits than float16 and bfloat16 have."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
