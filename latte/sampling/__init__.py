"""Sampling: videos from a trained model, each with a random stream of its own."""

from latte.sampling.generate import Sampler, SamplingOptions

__all__ = ["Sampler", "SamplingOptions"]
