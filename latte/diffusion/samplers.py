"""From noise to data: DDPM's ancestral sampling and DDIM."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from latte.data.errors import InputError, nearest
from latte.diffusion.tensors import Denoiser, RandomNumbers, at, widened

if TYPE_CHECKING:
    from latte.diffusion.gaussian import GaussianDiffusion

METHODS = ("ddpm", "ddim")


@torch.no_grad()
def sample(
    diffusion: "GaussianDiffusion",
    model: Denoiser,
    noise: Tensor,
    *,
    method: str = "ddpm",
    eta: float = 0.0,
    randn: RandomNumbers | None = None,
    progress: bool = False,
    **model_inputs: Any,
) -> Tensor:
    """Walk through the kept steps from the last to the first. Nothing is clipped on the way.

    Args:
        noise: x at the last step, (N, F, C, H, W).
        method: "ddpm", or "ddim" (Song et al., 2021).
        eta: of DDIM, how much of DDPM's noise each step adds again; 0 is deterministic.
        randn: `randn(shape)` gives the noise of each step in turn, the last step's (not used)
            included; by default torch's global random numbers.
        progress: show a bar.

    Returns:
        x_0, shaped and typed as `noise`.

    Raises:
        InputError: there is no such method, or eta is out of range.
    """
    if method not in METHODS:
        raise InputError(f"no sampling method {method!r}: {nearest(method, METHODS)}")
    if not 0 <= eta <= 1:
        raise InputError(f"eta = {eta}: give 0 (no new noise) … 1 (as much as DDPM)")
    draws = method == "ddpm" or eta > 0
    x = widened(noise)
    steps = range(len(diffusion.timesteps) - 1, -1, -1)
    for step in tqdm(steps, desc=method, unit="step", disable=not progress, leave=False):
        t = torch.full((len(x),), step, dtype=torch.long, device=x.device)
        mean, log_variance, pred_x0 = diffusion.p_mean_variance(model, x, t, **model_inputs)
        fresh = _draw(randn, x) if draws else None
        if method == "ddpm":
            spread = torch.exp(0.5 * log_variance)
        else:
            mean, spread = _ddim_step(diffusion, x, t, pred_x0, eta)
        x = mean if fresh is None or step == 0 else mean + spread * fresh
    return x.to(noise.dtype)


def _ddim_step(
    diffusion: "GaussianDiffusion", x: Tensor, t: Tensor, pred_x0: Tensor, eta: float
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of x_{t−1}, DDIM eq. 12 and 16."""
    before, now = diffusion.alpha_bar_prev, diffusion.alpha_bar
    sigma = eta * np.sqrt((1 - before) / (1 - now) * (1 - now / before))
    direction = np.sqrt(1 - before - sigma**2)
    noise = diffusion.noise_from_x0(x, t, pred_x0)
    mean = at(np.sqrt(before), t, x) * pred_x0 + at(direction, t, x) * noise
    return mean, at(sigma, t, x)


def _draw(randn: RandomNumbers | None, x: Tensor) -> Tensor:
    if randn is None:
        return torch.randn_like(x)
    fresh = randn(tuple(x.shape))
    if fresh.shape != x.shape:
        raise ValueError(f"randn gave {tuple(fresh.shape)}, wanted is {tuple(x.shape)}")
    return fresh.to(device=x.device, dtype=x.dtype)
