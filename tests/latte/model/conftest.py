"""Networks whose weights let every part speak: initially some are zero, and so is the output."""

from dataclasses import replace

import pytest
import torch

from latte.config import LatteConfig
from latte.model import Latte

CONFIG = LatteConfig(
    input_size=8,
    patch_size=2,
    in_channels=4,
    hidden_size=32,
    depth=4,
    num_heads=4,
    num_frames=4,
)


def fill(module):
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            values = torch.randn(weight.shape, generator=source)
            if weight.ndim > 1:
                weight.copy_(values / weight[0].numel() ** 0.5)
            else:
                weight.copy_(0.2 * values + ("norm" in name and name.endswith("weight")))
    return module.eval()


@pytest.fixture(scope="session")
def randomise():
    """`fill` itself: gives a module such weights, always the same."""
    return fill


@pytest.fixture(scope="session")
def make():
    """Maker of such a network of 4 frames of 4×8×8, with changes of its configuration."""
    return lambda config=CONFIG, **changes: fill(Latte(replace(config, **changes)))


@pytest.fixture(scope="session")
def run():
    """What a network makes of the same noise, whatever its configuration."""

    def predict(model):
        config = model.config
        shape = (2, config.num_frames, config.in_channels, config.input_size, config.input_size)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        y = None if config.num_classes is None else torch.tensor([1, config.num_classes])
        with torch.no_grad():
            return model(x, torch.tensor([17, 801]), y)

    return predict


@pytest.fixture(scope="session")
def small(make):
    """Weights of a network of hidden size 32, with 2 heads; treat them as read-only."""
    return make(LatteConfig(8, 2, 4, 32, 2, 2, 4)).state_dict()
