"""Figures 6 and 8 on checkpoints of random weights."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.cells.cache import FailedCellsError, MeasuredCells
from benchmarks.figures import figure6, figure8
from benchmarks.figures.designs import SETUPS, VARIANTS, MeasureOptions, Setup
from benchmarks.figures.paper.training import PaperTraining
from benchmarks.figures.requests import SimilarityRequest, TrainingRequest
from benchmarks.figures.similarity import documents as similarity_documents
from benchmarks.figures.similarity.documents import draw, values_table
from benchmarks.figures.similarity.numbers import (
    ProbedNetworks,
)
from benchmarks.figures.similarity.probes import ProbeTask, probe_networks, probe_tasks
from benchmarks.figures.trainings import Training, run_trainings
from evaluation.similarity import Denoiser, Probe, latte_sites, measure_model_similarity
from latte.autoencoder import open_autoencoder
from latte.autoencoder.patches import fit_patches, save_patches
from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.shapes import CLASS_NAMES, shapes_clips
from latte.diffusion import GaussianDiffusion
from latte.model import Latte
from latte.model.checkpoints import build_model, load_checkpoint, save_checkpoint

FRAMES = 4


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory):
    """Maker of a checkpoint of a variant with random weights: 4 frames of 8×8 pixels."""
    folder = tmp_path_factory.mktemp("networks")

    def make(variant: int, depth: int, **stated: object) -> Path:
        path = folder / f"variant{variant}{'-of' * bool(stated)}.safetensors"
        config = LatteConfig(8, 4, 3, 16, depth, 2, FRAMES, num_classes=10, variant=variant)
        model = Latte(config)
        stream = torch.Generator().manual_seed(0)
        for parameter in model.parameters():
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=stream)
        stated = {"dataset": "shapes", "autoencoder": {"name": "identity"}} | stated
        save_checkpoint(path, config, model.state_dict(), {**stated, "classes": list(CLASS_NAMES)})
        return path

    return make


def test_figure6_shows_the_matrices_that_the_similarity_of_evaluation_measures(
    network,
    section,
    tmp_path: Path,
    run_cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, out = network(2, 4), tmp_path / "out"
    options = ("--checkpoint", path, "--num-clips", 5, "--cells", tmp_path, "--workers", 0)
    monkeypatch.setattr(similarity_documents, "draw", lambda *args: draw(*args)[:1])
    done = run_cli("latte-bench", "spatial-blocks", *options, "--out", out)
    printed = done.stdout
    assert done.returncode == 0

    loaded = load_checkpoint(path)
    denoiser = Denoiser(
        model=build_model(loaded),
        autoencoder=open_autoencoder("identity"),
        diffusion=GaussianDiffusion(),
    )
    found = measure_model_similarity(
        denoiser,
        shapes_clips("test", range(5), num_frames=FRAMES, size=8),
        Probe(timesteps=(100, 500, 900), sites=latte_sites(loaded.config, [0, 1])),
        labels=[index % 10 for index in range(5)],
    )
    with (out / "figure6.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for block in (0, 1):
        shown = [
            float(row["similarity"]) for row in rows if row["matrix"] == f"block {block}, t = 500"
        ]
        expected = found.at(f"blocks.{block}", 500).matrix.value
        np.testing.assert_allclose(np.reshape(shown, (FRAMES, FRAMES)), expected, atol=1e-5)
    for ending in ("md", "html", "tex", "csv", "svg", "png", "jsonl"):
        assert (out / f"figure6.{ending}").stat().st_size > 0

    report = section(out, "figure6")
    assert report.blocks[0].name == "figure6"
    assert len(report.findings) == 3
    assert "seeds" not in report.blocks[0].caption  # a single network has none
    for claim in report.findings:
        assert f"{claim.claim}, t = 500: " in printed
        assert f"{claim.claim}: {claim.numbers.partition('; at t = 500: ')[0]}" in report.lead

    # The network is not looked into again.
    monkeypatch.setattr("benchmarks.figures.similarity.probes.probe_network", print)
    request = SimilarityRequest(checkpoint=path, num_clips=5, cells=tmp_path)
    (again,) = probe_networks(figure6.SPEC, request).cells.values()
    assert (out / "figure6.jsonl").read_text(encoding="utf-8") == again.to_json() + "\n"
    others = draw("figure6", figure6.figure(4), ProbedNetworks(cells=[again]))[1:]
    assert [each.name.removeprefix("figure6-") for each in others] == [
        *("distribution", "distribution-0100", "distribution-0900", "depth")
    ]


def test_figure8_compares_both_attentions_with_each_other(network, tmp_path: Path) -> None:
    request = SimilarityRequest(checkpoint=network(4, 3), num_clips=5, cells=tmp_path)
    labels = ["temporal attention", "spatial attention", "between the two"]
    measured = probe_networks(figure8.SPEC, request)
    measured.raise_if_failed()
    cells = [*measured.cells.values()]
    pair = cells[0].details["pairs"][0]
    assert (pair["first"], pair["second"]) == ("blocks.2.attn", "blocks.2.attn_temporal")
    temporal = cells[0].details["sites"][0]
    assert (temporal["path"], temporal["timestep"], pair["timestep"]) == (
        *("blocks.2.attn_temporal", 100, 100),
    )
    figure, networks = figure8.figure(3), ProbedNetworks(cells=cells)
    lead = networks.at_timesteps()[0].differences(*figure.changes[0])[0]
    means = [place["summary"]["numbers"]["mean"] for place in (temporal, pair)]
    assert lead.value == pytest.approx(means[0]["value"] - means[1]["value"])
    ends = [np.subtract(*mean["interval"]) / -2 for mean in means]
    assert (lead.high - lead.low) / 2 < sum(ends)  # taken clip by clip
    drawings = {each.name: each for each in draw("figure8", figure, networks)}
    drawn = {name: each.data for name, each in drawings.items()}
    assert list(drawn) == [
        *("figure8", "figure8-0100", "figure8-0900", "figure8-matrices", "figure8-mutual")
    ]
    panel = drawings["figure8-mutual"].figure.axes[0]  # row i: frame i after spatial attention
    assert panel.get_ylabel() == "frame after spatial attention"
    assert panel.get_xlabel() == "frame after temporal attention"
    rows = drawn["figure8-mutual"].query("matrix == 'between the two, t = 100'")
    shown = rows.similarity.to_numpy().reshape(FRAMES, FRAMES)
    np.testing.assert_allclose(shown, pair["summary"]["matrix"]["value"])
    own = set(drawn["figure8-matrices"].matrix)
    assert own == {f"{part}, t = {step}" for part in labels[:2] for step in (100, 500, 900)}
    shares = drawn["figure8"].groupby("distribution", sort=False).share.sum()
    assert list(shares.index) == labels
    assert shares.tolist() == pytest.approx([1, 1, 1], abs=1e-3)  # the record rounds its bins
    rows = values_table(figure, networks).rows
    assert [row.label for row in rows] == labels * 3
    assert rows[2].cells["mean"].value == pytest.approx(means[1]["value"])
    assert [row.cells["inverted"].is_empty for row in rows] == [False, False, True] * 3
    assert "here block 2 of 3" in figure.remarks[0]


def test_a_network_of_another_variant_is_refused_and_nothing_is_written(
    network, tmp_path: Path, run_cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--checkpoint", network(2, 4), "--num-clips", 4, "--cells", tmp_path)
    done = run_cli("latte-bench", "figure8", *options, "--out", tmp_path / "o", "--workers", 0)
    assert done.returncode == 2
    assert re.search(r"variant 2\b.* figure8 .*variant 4\b", done.stderr)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("dataset", "how"),
    [
        ("faceforensics", "--scale paper"),
        ("ucf101", "`latte-eval similarity --checkpoint "),
        ("videos/", "`latte-eval similarity --checkpoint "),
    ],
)
def test_a_network_is_not_shown_clips_of_another_data_set_than_it_was_trained_on(
    network, tmp_path: Path, dataset: str, how: str
) -> None:
    path = network(2, 4, dataset=dataset)
    request = SimilarityRequest(checkpoint=path, num_clips=4, cells=tmp_path)
    measured = probe_networks(figure6.SPEC, request)
    assert not measured.cells
    facts = rf"{re.escape(str(path))}: .* {dataset}, .* shapes: .*{how}"
    with pytest.raises(FailedCellsError, match=facts):
        measured.raise_if_failed()


def test_a_cell_is_known_by_what_is_drawn_and_by_the_autoencoder_itself(
    network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = shapes_clips("train", range(8), num_frames=FRAMES, size=8)
    latents = [fit_patches(fitted[some], patch_size=1, channels=3) for some in ([0, 1], [2, 3])]

    def key(path: Path, vae: Path | None = None) -> str:
        given = None if vae is None else str(vae)
        request = SimilarityRequest(checkpoint=path, vae=given, num_clips=4)
        (task,) = probe_tasks(figure6.SPEC, request)
        return task.key

    path = network(2, 4, autoencoder={"name": "patches"})
    here, there = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for place in (here, there):
        save_patches(place, latents[0], "shapes")
    first = key(path, here)
    assert key(path, there) == first  # wherever it lies
    save_patches(here, latents[1], "shapes")
    assert key(path, here) != first
    plain = key(network(2, 4))
    monkeypatch.setattr("latte.data.shapes.VERSION", 1000)
    assert key(network(2, 4)) != plain


@pytest.mark.parametrize(
    ("scale", "advice"),
    [
        (
            "tiny",
            "`latte train shapes-tiny --set model.variant=2` .*--checkpoint ",
        ),
        ("small", "`latte train shapes --set model.variant=2` .*--checkpoint "),
        ("paper", "`latte-bench figure5f --scale paper` "),
    ],
)
def test_a_checkpoint_that_is_not_there_is_replaced_by_one_that_fits_the_scale(
    tmp_path: Path,
    run_cli,
    monkeypatch: pytest.MonkeyPatch,
    scale: str,
    advice: str,
) -> None:
    options = ("--scale", scale, "--device", "cpu", "--checkpoint", tmp_path / "nope")
    done = run_cli("latte-bench", "figure6", *options, "--out", tmp_path / "o")
    assert done.returncode == 2
    assert re.search(rf"{re.escape(str(tmp_path / 'nope'))} .*{advice}", done.stderr)


@pytest.mark.parametrize(("device", "most"), [("cpu", 9), ("cuda", 4), ("cuda:0", 4), ("auto", 4)])
def test_few_processes_share_a_gpu(
    tmp_path: Path, run_cli, monkeypatch: pytest.MonkeyPatch, device: str, most: int
) -> None:
    asked = []

    def finish(
        tasks: Sequence[ProbeTask], measure: object, path: Path, *, workers: int
    ) -> MeasuredCells:
        asked.append((workers, tasks[0].request.run_device))
        return MeasuredCells(cells={}, failed=())

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("evaluation.networks.devices.default_device", lambda: "cuda")
    monkeypatch.setattr("benchmarks.figures.similarity.probes.measure_cells", finish)
    options = ("--workers", 9, "--device", device, "--cells", tmp_path, "--out", tmp_path / "o")
    done = run_cli("latte-bench", "figure8", *options)
    assert done.returncode == 0
    assert asked == [(most, "cuda" if device == "auto" else device)]


def test_a_device_that_there_is_not_is_refused_once(
    tmp_path: Path, run_cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--device", "tpu", "--cells", tmp_path / "cells", "--out", tmp_path / "o")
    done = run_cli("latte-bench", "figure8", *options)
    assert done.returncode == 2
    assert done.stderr.count("--device tpu: ") == 1
    assert not list(tmp_path.iterdir())


def test_at_paper_scale_all_that_is_missing_is_said_at_once(
    tmp_path: Path, run_cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    options = ("--scale", "paper", "--data-root", tmp_path, "--cells", tmp_path / "cells")
    options = (*options, "--seeds", 3)
    done = run_cli("latte-bench", "figure6", *options, "--out", tmp_path / "o")
    said = done.stderr
    assert done.returncode == 2
    networks = [f"a trained network of variant 2, seed {seed}" for seed in range(3)]
    for missing in (*networks, "data set faceforensics", "a GPU"):
        assert said.count(f"  - {missing}: ") == 1
    assert "--checkpoint" in said
    assert not list(tmp_path.iterdir())


def test_at_paper_scale_the_networks_of_figure_5f_are_looked_into(network, tmp_path: Path) -> None:
    request = SimilarityRequest(
        scale="paper", seeds=3, cells=tmp_path, data_root=tmp_path, device="cpu"
    )
    trainings = TrainingRequest(scale="paper", cells=tmp_path, data_root=tmp_path)
    design = VARIANTS[2]
    trained = [
        PaperTraining(design=design, seed=seed, request=trainings).weights for seed in range(3)
    ]
    for path in trained[:2]:  # the third is not at its end
        path.parent.mkdir(parents=True)
        path.write_bytes(network(2, 4).read_bytes())
    with pytest.raises(InputError) as refused:
        probe_networks(figure6.SPEC, request)
    assert str(refused.value).count("a trained network of variant 2") == 1
    assert "a trained network of variant 2, seed 2: " in str(refused.value)
    both = replace(request, seeds=2)
    with pytest.raises(InputError) as refused:
        probe_networks(figure6.SPEC, both)
    assert "a trained network" not in str(refused.value)  # it is a data set
    tasks = probe_tasks(figure6.SPEC, both)
    assert [task.source for task in tasks] == trained[:2]


def test_a_network_is_trained_once_for_this_figure_and_for_figure_5f(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sizes = ("model.hidden_size=8", "model.depth=2", "data.num_videos=20", "data.size=8")
    setup: Setup = replace(
        SETUPS["tiny"],
        settings=(*sizes, "training.steps=2", "training.batch_size=2"),
        points=1,
        measure=MeasureOptions(num_clips=12, num_real=16, sample_steps=2, resamples=40),
        components=0,
    )
    monkeypatch.setattr("benchmarks.figures.similarity.probes.SETUPS", {"tiny": setup})
    request = SimilarityRequest(seeds=1, num_clips=4, cells=tmp_path / "shared")
    measured = probe_networks(figure6.SPEC, request)
    measured.raise_if_failed()
    (looked_at,) = measured.cells.values()
    (task,) = probe_tasks(figure6.SPEC, request)
    assert isinstance(task.source, Training)
    kept = tmp_path / "shared" / "networks" / task.source.key / "ema.safetensors"
    weights = kept.read_bytes()

    caplog.set_level("INFO", "latte")
    (shared,) = run_trainings([task.source], workers=0).cells.values()
    assert "resuming from step 2 of 2" in caplog.text  # no step is added
    alone = replace(task.source, folder=tmp_path / "alone")
    (cell,) = run_trainings([alone], workers=0).cells.values()
    assert cell.details == shared.details

    # After Figure 5f, whose weights are gone, the same network is made again.
    kept.unlink()
    (tmp_path / "shared" / "cells.jsonl").write_text(shared.to_json() + "\n", encoding="utf-8")
    (again,) = probe_networks(figure6.SPEC, request).cells.values()
    assert kept.read_bytes() == weights
    assert again.details == looked_at.details
    assert not list((tmp_path / "shared" / "runs").iterdir())
