"""A tiny pixel model with weights made by a formula, and files of it."""

import pytest

from latte.config import LatteConfig
from latte.model import Latte
from latte.model.checkpoints import save_checkpoint

NAMES = ["ape", "bee", "cat"]
SETTINGS = {
    "dataset": "shapes",
    "fps": 8.0,
    "autoencoder": {"name": "identity"},
    "sampling": {"steps": 3},
}


@pytest.fixture(scope="session")
def tiny_latte(weight):
    """Maker of the network: 4 frames of 8×8 pixels; treat what it makes as read-only."""

    def make(num_classes=None):
        config = LatteConfig(8, 4, 3, 32, 2, 2, 4, num_classes=num_classes)
        model = Latte(config).eval()
        for name, parameter in model.named_parameters():
            parameter.data = weight(name, tuple(parameter.shape)) * 0.3
        return model

    return make


@pytest.fixture
def checkpoint_file(tiny_latte, tmp_path):
    """Maker of our own checkpoint files; with classes, these have names unless told otherwise."""

    def make(num_classes=None, name="tiny.safetensors", **settings):
        model = tiny_latte(num_classes)
        named = {"classes": NAMES} if num_classes == len(NAMES) else {}
        stated = {**SETTINGS, **named, **settings}
        stated = {key: value for key, value in stated.items() if value is not None}
        save_checkpoint(tmp_path / name, model.config, model.state_dict(), stated)
        return tmp_path / name

    return make
