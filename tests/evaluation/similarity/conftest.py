"""A small Latte, away from its initial state where blocks are the identity, and the command."""

import pytest
import torch

from latte.config import LatteConfig
from latte.data.shapes import CLASS_NAMES, shapes_clips
from latte.diffusion import GaussianDiffusion
from latte.model import Latte
from latte.model.blocks import Modulation
from latte.model.checkpoints import save_checkpoint


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


@pytest.fixture
def similarity(sets, latte_eval, tmp_path):
    """On the module's sets, or inside a checkpoint."""

    def run(*arguments, out=tmp_path / "r.jsonl"):
        common = ("--out", out, "--workers", 0, "--quiet", "--device", "cpu")
        store = ("--store", tmp_path / "store")
        return latte_eval("similarity", *common, *store, *arguments, cwd=sets)

    return run


@pytest.fixture
def checkpoint(small_latte, tmp_path):
    """Maker of files of a small network on `shapes`."""

    def make(variant, *, data=None, name=None, **changes):
        model = small_latte(variant, **changes)
        classes = list(CLASS_NAMES) if model.config.num_classes else []
        settings = {"dataset": "shapes", "autoencoder": {"name": "patches"}}
        settings |= {"classes": classes} if classes else {}
        settings |= {"training": {"data": data}} if data else {}
        path = tmp_path / f"{name or f'variant{variant}'}.safetensors"
        save_checkpoint(path, model.config, model.state_dict(), settings)
        return path

    return make


@pytest.fixture
def figures_in():
    """The names of the figures in a folder, each of which is there as .svg, .png and .csv."""

    def names(folder):
        found = {path.stem for path in folder.iterdir()}
        files = {f"{name}.{ending}" for name in found for ending in ("svg", "png", "csv")}
        assert {path.name for path in folder.iterdir()} == files
        return found

    return names
