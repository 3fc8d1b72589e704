"""Which diffusion a network was trained with."""

from dataclasses import dataclass, field
from typing import Literal

from latte.diffusion.gaussian import GaussianDiffusion, Prediction


@dataclass(frozen=True, kw_only=True)
class DiffusionSettings:
    """[diffusion] of a configuration, and of a checkpoint's settings. The defaults are Latte's."""

    num_steps: int = 1000
    schedule: Literal["linear", "cosine"] = field(
        default="linear", metadata={"note": "cosine is elsewhere called squaredcos_cap_v2"}
    )
    prediction: Prediction = "noise"  # or "velocity"; see docs/diffusion.md

    def open(self, respacing: str | int | None = None) -> GaussianDiffusion:
        """The diffusion, at the steps that are kept.

        Raises:
            InputError: a value that cannot be.
        """
        return GaussianDiffusion(self.num_steps, self.schedule, respacing, self.prediction)
