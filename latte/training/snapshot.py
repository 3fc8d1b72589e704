"""The averaged network at one step, and the user's function that measures it."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name

import numpy as np
import torch

from latte.autoencoder import Autoencoder
from latte.data.errors import InputError
from latte.model import Latte
from latte.sampling.generate import Sampler, SamplingOptions, open_diffusion
from latte.training.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Weights to sample from, before they are on disk."""

    step: int
    model: Latte  # the averages, in eval mode
    autoencoder: Autoencoder
    config: TrainConfig
    classes: tuple[str, ...]  # names by label; empty for unconditional models
    device: torch.device

    def labels(self, count: int) -> list[int] | None:
        """Every class in turn; None without classes."""
        num_classes = self.model.config.num_classes
        return None if num_classes is None else [i % num_classes for i in range(count)]

    def clips(self, count: int, options: SamplingOptions | None = None) -> Generator[np.ndarray]:
        """Samples 0 … count − 1, uint8 (F, H, W, 3): the same noise at every step of training.

        By default DDIM, with the steps and the guidance of the [output] table.
        """
        output, diffusion = self.config.output, self.config.diffusion
        sampling = options or SamplingOptions(
            method="ddim",
            steps=min(output.sample_steps, diffusion.num_steps),
            guidance_scale=output.guidance_scale if self.model.config.num_classes else 1.0,
            seed=self.config.training.seed,
        )
        sampler = Sampler(
            model=self.model,
            diffusion=open_diffusion(sampling, diffusion),
            autoencoder=self.autoencoder,
            options=sampling,
            precision=self.config.training.precision,
        )
        return sampler.clips(range(count), self.labels(count))


# Called with the averaged network every `evaluate_every` steps; gives numbers for the log, by name,
# or one number, which gets the function's name.
Evaluate = Callable[[Snapshot], Mapping[str, float] | float]


def numbers_by_name(value: Mapping[str, float] | float, evaluate: Evaluate) -> dict[str, float]:
    """What an evaluation gave, as a row of the log; NumPy's and torch's numbers become Python's.

    Raises:
        InputError: it is neither a number nor numbers by name.
    """
    name = getattr(evaluate, "__name__", "value")
    row = value if isinstance(value, Mapping) else {name: value}
    try:
        return {
            str(key): each if isinstance(each, int) else float(each) for key, each in row.items()
        }
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"--evaluate: {name} gave {type(value).__name__} ({str(value)[:60]}): return a number, "
            "or a dictionary of numbers by name"
        ) from None


def open_callback(name: str | None, config: TrainConfig) -> Evaluate | None:
    """The function MODULE:FUNCTION; None without a name.

    Raises:
        InputError: there is none, or the configuration never calls it.
    """
    if name is None:
        return None
    if config.output.evaluate_every < 1:
        raise InputError(
            f"--evaluate {name}: output.evaluate_every is 0, so it would never be called: set it"
        )
    if ":" not in name:
        raise InputError(f"--evaluate {name}: write MODULE:FUNCTION")
    try:
        measure = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"--evaluate {name}: cannot be imported ({error}): a module in the current folder is "
            "found by `python -m latte train`"
        ) from error
    if not callable(measure):
        raise InputError(f"--evaluate {name}: is not a function")
    return measure
