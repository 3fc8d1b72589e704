"""A tiny model of shapes, whose samples are noise, and a reader of what commands leave."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from evaluation.catalogue.registry import metric
from evaluation.measuring.choice import for_metric
from evaluation.measuring.results import affecting_fields
from evaluation.protocol.content import fingerprint_of
from evaluation.protocol.fields import Protocol
from evaluation.protocol.presets import published_protocol
from evaluation.results.record import Result
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


@pytest.fixture(scope="session")
def make_result():
    """Maker of a result as the published column's are made, or by another protocol."""

    def make(
        name: str = "fvd", dataset: str | None = "ucf101", *, by: Protocol | None = None, **changes
    ) -> Result:
        chosen = metric(name)
        protocol = by or for_metric(published_protocol(dataset), chosen)
        fields = affecting_fields(protocol, chosen)
        parameters = changes.get("parameters", chosen.parameters)
        value = changes.get("value", 123.456)
        return replace(
            Result(
                name=name,
                metric=name.upper(),
                value=value,
                interval=(value - 2, value + 3),
                level=0.95,
                higher_is_better=chosen.numbers[0].higher_is_better,
                num_real=protocol.num_real if chosen.needs_real else 0,
                num_fake=protocol.num_fake,
                num_frames=protocol.num_frames,
                network=protocol.network,
                weights_sha256="ab" * 32,
                weights_published=True,
                fingerprint=fingerprint_of(fields, name, parameters),
                protocol=protocol.name,
                protocol_fields=fields,
                parameters=parameters,
                deviations=(),
                dataset=dataset,
                model="mine",
                real=None,
                fake=None,
                seconds=12.3,
                date="2026-01-02T03:04:05+00:00",
                command=f"latte-eval {name} --dataset {dataset}",
                versions={"latte-eval": "0.1.0", "torch": "2.13.0", "decoder": "decord 0.6.0"},
                host={"device": "cpu"},
            ),
            **changes,
        )

    return make


@pytest.fixture(scope="session")
def write_results():
    """Writer of a results file: one line for each result, or text as it is."""

    def write(path: Path, *lines: Result | str) -> Path:
        texts = [line if isinstance(line, str) else line.to_json() for line in lines]
        path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        return path

    return write
