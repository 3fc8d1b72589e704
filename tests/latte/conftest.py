"""The official network, small, with weights made by a formula: what the golden arrays are of."""

from pathlib import Path

import numpy as np
import pytest
import torch

from latte.autoencoder.patches import fit_patches, save_patches
from latte.config import LatteConfig
from latte.model import Latte

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """What torchrun sets is not here, whoever runs the tests."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "LATTE_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def golden_latte():
    """Outputs of the official network, and its position tables, by name."""
    with np.load(GOLDEN / "latte.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def golden_diffusion():
    """What the official diffusion makes of that network, by name."""
    with np.load(GOLDEN / "diffusion.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def formula_state_dict(weight, golden_latte):
    """Maker of an official state dict: latents of 4×8×8 and 4 frames, hidden size 96."""

    def make(num_classes=None):
        config = LatteConfig(8, 2, 4, 96, 4, 4, 4, num_classes=num_classes)
        tables = {name: golden_latte[name] for name in ("pos_embed", "temp_embed")}
        state = {}
        for name, tensor in Latte(config).state_dict().items():
            if name in tables:
                state[name] = torch.from_numpy(tables[name])
            else:
                state[name] = weight(name, tuple(tensor.shape)) * (0.5 if tensor.ndim > 1 else 1.0)
        return state

    return make


@pytest.fixture(scope="session")
def formula_latte(formula_state_dict):
    """Maker of the network with those weights; treat what it makes as read-only."""

    def make(num_classes=None):
        config = LatteConfig(8, 2, 4, 96, 4, 4, 4, num_classes=num_classes)
        model = Latte(config).eval()
        model.load_state_dict(formula_state_dict(num_classes))
        return model

    return make


@pytest.fixture(scope="session")
def latents(uniform):
    """Maker of the golden arrays' latents (N, F, 4, 8, 8), by name."""

    def make(name, num_samples, num_frames):
        values = uniform(name, (num_samples, num_frames, 4, 8, 8)) * 1.7
        return torch.from_numpy(values.astype(np.float32))

    return make


@pytest.fixture
def patches(make_clips, tmp_path):
    """Maker of autoencoders of 4×4 patches, in a file of this name in `tmp_path`; their digest."""

    def make(name, seed=0):
        fitted = fit_patches(make_clips(1, 4, 8, 8, seed), patch_size=4, channels=3)
        save_patches(tmp_path / name, fitted, "a formula")
        return fitted.digest

    return make
