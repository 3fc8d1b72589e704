"""A tiny model of shapes, whose samples are noise, and a reader of what commands leave."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from latte.config import LatteConfig
from latte.data.shapes import CLASS_NAMES, shapes_video_set
from latte.model import Latte
from latte.model.checkpoints import save_checkpoint
from reports.document import Report


@pytest.fixture(scope="session")
def tiny_checkpoint():
    """Maker of a checkpoint file: 16 frames of 8×8 pixels, ten classes unless told otherwise."""

    def make(path, *, seed=0, num_classes=10, num_frames=16, **settings):
        config = LatteConfig(8, 4, 3, 32, 2, 2, num_frames, num_classes=num_classes)
        model = Latte(config)
        stream = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=stream)
        stated = {"dataset": "shapes", "autoencoder": {"name": "identity"}, "step": 7}
        if num_classes is not None:
            stated["classes"] = list(CLASS_NAMES)
        save_checkpoint(path, config, model.state_dict(), stated | settings)
        return path

    return make


@pytest.fixture
def faces_and_model(tmp_path, tiny_checkpoint):
    """Three videos under `data`, and a model of them under `models`, in the paper's places."""
    for video in shapes_video_set("train", num_videos=3, num_frames=16).videos:
        folder = tmp_path / "data" / "faceforensics" / "train" / video.name
        folder.mkdir(parents=True)
        for number, frame in enumerate(video.read(range(16))):
            Image.fromarray(frame).save(folder / f"{number:03d}.png")
    (tmp_path / "models").mkdir()
    tiny_checkpoint(
        tmp_path / "models" / "faceforensics.safetensors",
        num_classes=None,
        dataset="faceforensics",
        sampling={"method": "ddim", "steps": 2},
    )


@pytest.fixture(scope="session")
def section():
    """Reader of the section that a command leaves for the joined report."""

    def read(folder: Path, name: str) -> Report:
        return Report.from_json((folder / f"{name}.report.json").read_text(encoding="utf-8"))

    return read
