from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cells.cache import FailedCellsError, read_cells
from benchmarks.figures import trainings
from benchmarks.figures.designs import (
    BASELINE,
    FROM_IMAGES,
    SETUPS,
    SIZES,
    STRIDES,
    Design,
    MeasureOptions,
    Setup,
)
from benchmarks.figures.trainings import Training, checkpoint_clips, run_trainings
from benchmarks.shapes.proxy_images import images as proxy_images
from latte.data.shapes import shapes_clips
from latte.sampling.generate import Sampler, SamplingOptions, open_diffusion
from latte.training.run import RunOptions, train


def training_of(design: Design, setup: Setup, folder: Path, **more: object) -> Training:
    return Training(design=design, setup=setup, folder=folder, **more)


@pytest.fixture(scope="session")
def setup() -> Setup:
    """Two steps of a few weights: every part of a cell, and no sense in its numbers."""
    return replace(
        SETUPS["tiny"],
        settings=(
            "model.hidden_size=8",
            "model.depth=2",
            "model.patch_size=1",
            "autoencoder.name=patches",
            "data.num_videos=20",
            "data.size=8",
            "training.steps=2",
            "training.batch_size=2",
        ),
        points=2,
        strides=(1, 2, 3, 4),
        measure=MeasureOptions(num_clips=12, num_real=16, sample_steps=2, resamples=40),
        num_images=8,
        components=3,
    )


def test_a_cell_is_known_by_what_it_is_and_not_by_its_name_or_place(
    setup: Setup, tmp_path: Path
) -> None:
    baseline = training_of(BASELINE, setup, tmp_path)
    assert training_of(BASELINE, setup, tmp_path / "elsewhere").key == baseline.key
    assert training_of(SIZES["B"], setup, tmp_path).key == baseline.key
    assert training_of(STRIDES[0], setup, tmp_path).key == baseline.key
    others = [
        replace(baseline, seed=1),
        training_of(STRIDES[1], setup, tmp_path),
        training_of(FROM_IMAGES, setup, tmp_path),
        training_of(BASELINE, replace(setup, points=1), tmp_path),
        training_of(BASELINE, setup, tmp_path, device="cuda"),
        training_of(BASELINE, replace(setup, components=4), tmp_path),
    ]
    assert len({each.key for each in (baseline, *others)}) == 7


def test_cells_are_measured_at_every_checkpoint_and_made_once(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [training_of(design, setup, tmp_path) for design in (STRIDES[1], FROM_IMAGES)]
    finished = run_trainings(cells, workers=0)
    finished.raise_if_failed()
    strided, from_images = (finished.cells[each.key] for each in cells)
    for cell, strides in ((strided, 2), (from_images, 1)):
        assert [[row[0] for row in rows] for rows in cell.details["points"]] == [[1, 2]] * strides
        for _, value, low, high in (row for rows in cell.details["points"] for row in rows):
            assert 0 < low <= value <= high
        assert (cell.value, *cell.interval) == tuple(cell.details["points"][0][-1][1:])
        assert cell.details["fid"][0] > 0
    # Against real clips at another interval the same samples give another distance.
    assert strided.details["points"][0] != strided.details["points"][1]
    assert not list((tmp_path / "runs").iterdir())  # measured cells need no weights
    monkeypatch.setattr("benchmarks.figures.trainings.measure_training", None)
    assert run_trainings(cells, workers=0).cells == finished.cells


def test_an_interrupted_cell_goes_on_to_the_same_number(setup: Setup, tmp_path: Path) -> None:
    whole = training_of(BASELINE, setup, tmp_path / "whole")
    (expected,) = run_trainings([whole], workers=0).cells.values()
    cut = training_of(BASELINE, setup, tmp_path / "cut")
    half = replace(
        cut.config,
        training=replace(cut.config.training, steps=1),
        output=replace(cut.config.output, checkpoint_every=1, log_every=1),
    )
    out = cut.folder / "runs" / cut.key
    half = trainings.with_latents(half, setup.components, out)
    train(half, RunOptions(out=out, data_root=Path(), device="cpu", workers=0, progress=False))
    (found,) = run_trainings([cut], workers=0).cells.values()
    assert found.details == expected.details
    assert found.details["points"][0][0] != found.details["points"][0][1]


@pytest.mark.slow
def test_processes_beside_each_other_give_what_one_gives(setup: Setup, tmp_path: Path) -> None:
    designs = (BASELINE, STRIDES[1])
    found = []
    for workers in (0, 2):
        folder = tmp_path / str(workers)
        cells = [training_of(design, setup, folder) for design in designs]
        finished = run_trainings(cells, workers=workers)
        finished.raise_if_failed()
        found.append({key: cell.details for key, cell in finished.cells.items()})
    assert found[0] == found[1]


def test_a_design_that_cannot_be_trained_costs_no_other(setup: Setup, tmp_path: Path) -> None:
    good = training_of(BASELINE, setup, tmp_path)
    bad = training_of(Design(name="bad", settings=("data.size=9",)), setup, tmp_path)
    finished = run_trainings([bad, good], workers=0)
    with pytest.raises(FailedCellsError, match=r"bad, seed 0: "):
        finished.raise_if_failed()
    assert list(read_cells(tmp_path / "cells.jsonl")) == [good.key]


def test_samples_in_batches_are_those_one_by_one_but_for_rounding(
    tiny_checkpoint, tmp_path: Path
) -> None:
    from latte.autoencoder import open_autoencoder
    from latte.model.checkpoints import build_model, load_checkpoint

    diffusion = {"num_steps": 1000, "schedule": "linear"}
    path = tiny_checkpoint(tmp_path / "model.safetensors", num_frames=8, diffusion=diffusion)
    options = MeasureOptions(num_clips=5, sample_steps=3, batch_size=2)
    sampling = SamplingOptions(method="ddim", steps=3, seed=4)
    sampler = Sampler(
        model=build_model(load_checkpoint(path)),
        diffusion=open_diffusion(sampling),
        autoencoder=open_autoencoder("identity"),
        options=sampling,
    )
    expected = sampler.clips(range(5), range(5))
    found = checkpoint_clips(path, options, seed=4)
    assert found.shape == (5, 8, 8, 8, 3)
    differences = np.abs(found.astype(int) - np.stack(list(expected)).astype(int))
    assert differences.max() <= 1
    assert len({clip.tobytes() for clip in found}) == 5


def test_other_images_are_the_same_every_time_and_not_of_the_data_set() -> None:
    images = proxy_images(12, 16)
    assert images.shape == (12, 1, 16, 16, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(proxy_images(20, 16)[:12], images)
    assert len({image.tobytes() for image in images}) == 12
    frames = shapes_clips("train", range(40), num_frames=1, size=16)
    # Grounds of any colour, where those of the data set are blue or pale.
    corners = {tuple(image[0, 0, 0] // 64) for image in images}
    assert len(corners - {tuple(frame[0, 0, 0] // 64) for frame in frames}) >= 6
