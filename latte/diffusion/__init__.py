"""Gaussian diffusion: schedules, training losses and samplers."""

from latte.diffusion.gaussian import DiffusionSettings, GaussianDiffusion

__all__ = ["DiffusionSettings", "GaussianDiffusion"]
