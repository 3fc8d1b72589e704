"""Gaussian diffusion: schedules, training losses and samplers."""

from latte.diffusion.gaussian import GaussianDiffusion
from latte.diffusion.settings import DiffusionSettings

__all__ = ["DiffusionSettings", "GaussianDiffusion"]
