"""A small Latte away from its initial state, in which every block would be the identity."""

import pytest
import torch

from latte.config import LatteConfig
from latte.data.shapes import shapes_clips
from latte.diffusion import GaussianDiffusion
from latte.model import Latte
from latte.model.blocks import Modulation


@pytest.fixture(scope="session")
def small_latte():
    """Maker of a Latte on the latents of `shapes`, (F, 24, 4, 4); treat it as read-only."""

    def make(variant, *, num_frames=6, **changes):
        sizes = {"depth": 4, "num_heads": 4, "num_frames": num_frames, "variant": variant}
        config = LatteConfig(
            **{"input_size": 4, "patch_size": 2, "in_channels": 24},
            hidden_size=16,
            **sizes,
            **changes,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Latte(config).eval()
            for module in model.modules():
                if isinstance(module, Modulation):
                    torch.nn.init.normal_(module[1].weight, std=0.3)
        return model

    return make


@pytest.fixture(scope="session")
def diffusion():
    return GaussianDiffusion()


@pytest.fixture(scope="session")
def short_clips():
    """uint8 (7, 6, 32, 32, 3)."""
    return shapes_clips("test", range(7), num_frames=6)
