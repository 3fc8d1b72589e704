"""Trainings at the paper's settings, and what their commands say."""

from pathlib import Path

import pytest

from benchmarks.figures.designs import STRIDES, Design
from benchmarks.figures.paper.training import PaperTraining
from benchmarks.figures.requests import TrainingRequest


@pytest.fixture(scope="session")
def request_in():
    """Maker of a request whose folder has everything."""

    def make(folder: Path, **more: object) -> TrainingRequest:
        return TrainingRequest(scale="paper", cells=folder, data_root=folder, seeds=1, **more)

    return make


@pytest.fixture(scope="session")
def task_of(request_in):
    """Maker of a training, by default of two intervals."""

    def make(
        folder: Path, *, seed: int = 0, design: Design = STRIDES[0], **more: object
    ) -> PaperTraining:
        return PaperTraining(design=design, seed=seed, request=request_in(folder, **more))

    return make


@pytest.fixture(scope="session")
def settings_in():
    """Reader of what a command of `latte train` sets."""
    return lambda words: [words[i + 1] for i, word in enumerate(words) if word == "--set"]
