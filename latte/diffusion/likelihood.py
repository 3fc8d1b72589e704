"""Divergences and likelihoods of each dimension, which the loss of the variance is made of."""

import math

import torch
from torch import Tensor


def per_sample(values: Tensor) -> Tensor:
    """Mean over everything but the samples, (N,)."""
    return values.flatten(1).mean(dim=1)


def normal_kl(mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor) -> Tensor:
    """KL(N₁ ‖ N₂) of each dimension, nats."""
    return 0.5 * (
        log_variance2
        - log_variance1
        - 1.0
        + torch.exp(log_variance1 - log_variance2)
        + (mean1 - mean2) ** 2 * torch.exp(-log_variance2)
    )


def discretized_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log P of the one of 256 levels in [−1, 1] that x lies on, under N(mean, scale²), nats.

    The outermost levels reach to infinity (DDPM eq. 13). Φ is the tanh approximation, and
    probabilities are at least 1e-12, as in the official code.
    """
    centred, inverse = x - mean, torch.exp(-log_scale)
    below_upper = _normal_cdf(inverse * (centred + 1 / 255))
    below_lower = _normal_cdf(inverse * (centred - 1 / 255))
    inside = torch.log((below_upper - below_lower).clamp(min=1e-12))
    lowest = torch.log(below_upper.clamp(min=1e-12))
    highest = torch.log((1 - below_lower).clamp(min=1e-12))
    return torch.where(x < -0.999, lowest, torch.where(x > 0.999, highest, inside))


def _normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
