"""Gaussian diffusion: schedules, training losses and samplers."""

from latte.diffusion.gaussian import GaussianDiffusion

__all__ = ["GaussianDiffusion"]
