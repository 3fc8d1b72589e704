"""Training runs of a moment, and what they leave behind."""

import csv
import signal

import pytest
import torch
from safetensors.torch import load_file

from latte.autoencoder import open_autoencoder
from latte.model import Latte
from latte.training.config import load_config
from latte.training.data import open_training_set
from latte.training.distributed import Group
from latte.training.loop import Run
from latte.training.run import RunOptions, train
from latte.training.state import RunInputs, new_state

# Smaller still than shapes-tiny: 4 frames of 8×8 pixels in 2×2 patches, two blocks, six steps.
TINY = (
    "data.num_videos=6",
    "data.num_frames=4",
    "data.size=8",
    "model.hidden_size=16",
    "model.depth=2",
    "training.batch_size=2",
    "training.steps=6",
    "output.log_every=2",
    "output.checkpoint_every=100",
    "output.sample_every=0",
)


@pytest.fixture(autouse=True)
def recorded_notes(caplog):
    caplog.set_level("INFO", "latte")


@pytest.fixture(scope="session")
def tiny():
    """Maker of configurations, with "table.field=value" changes."""

    def make(*settings):
        return load_config("shapes-tiny", [*TINY, *settings])

    return make


@pytest.fixture(scope="session")
def tiny_settings():
    """The same as options of the command line."""
    return [word for setting in TINY for word in ("--set", setting)]


@pytest.fixture
def run(tiny, tmp_path):
    """Train with these changes in `tmp_path / out`, and give the last checkpoint's weights."""

    def go(*settings, out="run", **options):
        chosen = {"device": "cpu", "workers": 0, "progress": False, "data_root": tmp_path}
        return train(tiny(*settings), RunOptions(out=tmp_path / out, **(chosen | options)))

    return go


@pytest.fixture
def by_hand(tiny, tmp_path, weight):
    """Maker of runs whose steps are called one by one.

    Their weights are not the initial ones, whose output is 0.
    """

    def make(*settings, autoencoder=None, cache=None):
        config = tiny(*settings)
        training_set = open_training_set(
            config.data,
            seed=config.training.seed,
            data_root=tmp_path,
            workers=0,
            class_conditional=config.model.class_conditional,
        )
        autoencoder = autoencoder or open_autoencoder("identity")
        model = Latte(
            config.model.latte_config(
                input_size=config.data.size // autoencoder.factor,
                in_channels=3,
                num_frames=config.data.num_frames,
                num_classes=len(training_set.classes) or None,
            )
        )
        for name, parameter in model.named_parameters():
            parameter.data = weight(name, tuple(parameter.shape)) * 0.3
        return Run(
            config=config,
            options=RunOptions(out=tmp_path, data_root=tmp_path, device="cpu", workers=0),
            group=Group(device=torch.device("cpu")),
            inputs=RunInputs(),
            training_set=training_set,
            autoencoder=autoencoder,
            cache=cache,
            diffusion=config.diffusion.open(),
            network=model,
            state=new_state(model, config.training),
        )

    return make


@pytest.fixture
def stop_after():
    """Maker of callbacks that send this process a signal once a step is complete.

    Give `output.evaluate_every=1` with them.
    """

    def make(step, *signals):
        def evaluate(snapshot):
            if snapshot.step == step:
                for number in signals or (signal.SIGTERM,):
                    signal.raise_signal(number)
            return {"step": float(snapshot.step)}

        return evaluate

    return make


@pytest.fixture
def left_by(tmp_path):
    """What a run left: (all tensors to go on from, rows of the log without seconds)."""

    def read(out="run"):
        folder = tmp_path / out
        state = max((folder / "checkpoints").glob("*/state.safetensors"))
        with (folder / "log.csv").open(newline="") as file:
            rows = [
                {name: value for name, value in row.items() if name != "seconds"}
                for row in csv.DictReader(file)
            ]
        return load_file(state), rows

    return read
