"""Settings of the diffusion that a network was trained with."""

from dataclasses import dataclass

from latte.data.schema import Checked, Count
from latte.diffusion.gaussian import GaussianDiffusion, Prediction
from latte.diffusion.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class DiffusionSettings(Checked):
    """[diffusion] of a configuration, and of a checkpoint's settings. The defaults are Latte's."""

    num_steps: Count = 1000
    schedule: Schedule = "linear"  # cosine is called squaredcos_cap_v2 elsewhere
    prediction: Prediction = "noise"  # or "velocity"; see docs/diffusion.md

    def open(self, respacing: str | int | None = None) -> GaussianDiffusion:
        """The diffusion, at the steps that are kept.

        Raises:
            InputError: a value that cannot be.
        """
        return GaussianDiffusion(self.num_steps, self.schedule, respacing, self.prediction)
