"""Sampling: videos from a trained model, each with a random stream of its own."""

from latte.sampling.generate import SamplingOptions, generate_clips

__all__ = ["SamplingOptions", "generate_clips"]
