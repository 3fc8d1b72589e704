"""Figures 6 and 8: on checkpoints of random weights, and their claims on made-up similarities."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import cli, figure6_similarity, figure8_similarity, similarity_documents
from benchmarks.claims import Finding, Verdict
from benchmarks.designs import SETUPS, Setup
from benchmarks.finished import Finished, FinishedCell
from benchmarks.frame_similarity import (
    SimilarityRequest,
    SimilarityTask,
    look_into_networks,
    similarity_tasks,
)
from benchmarks.similarity_claims import (
    Networks,
    Number,
    SimilarityClaim,
    changing,
    over_networks,
    overlap,
    similarity_findings,
)
from benchmarks.similarity_documents import paper_claim, values_table
from benchmarks.similarity_drawings import SimilarityFigure, draw
from benchmarks.trainings import run_trainings
from evaluation.similarity import latte_sites, measure_model_similarity
from evaluation.similarity.record import summary_record
from evaluation.similarity.summary import RunningSummary, Summary
from latte.autoencoder import open_autoencoder
from latte.config import LatteConfig
from latte.data.errors import InputError
from latte.data.shapes import CLASS_NAMES, shapes_clips
from latte.diffusion import GaussianDiffusion
from latte.model import Latte
from latte.model.checkpoints import build_model, load_checkpoint, save_checkpoint
from latte.patch_autoencoder import fit_patches, save_patches

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


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["latte-bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_figure6_shows_the_matrices_that_the_similarity_of_evaluation_measures(
    network,
    section,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = network(2, 4), tmp_path / "out"
    options = ("--checkpoint", path, "--num-clips", 5, "--cells", tmp_path, "--workers", 0)
    monkeypatch.setattr(similarity_documents, "draw", lambda *args: draw(*args)[:1])
    assert run(monkeypatch, "spatial-blocks", *options, "--out", out) == 0
    printed = capsys.readouterr().out
    assert "The mean falls with each further spatial block, t = 500: paper yes; here " in printed

    loaded = load_checkpoint(path)
    found = measure_model_similarity(
        build_model(loaded),
        shapes_clips("test", range(5), num_frames=FRAMES, size=8),
        autoencoder=open_autoencoder("identity"),
        diffusion=GaussianDiffusion(),
        timesteps=(100, 500, 900),
        labels=[index % 10 for index in range(5)],
        sites=latte_sites(loaded.config, [0, 1]),
    )
    with (out / "figure6.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for block in (0, 1):
        shown = [
            float(row["similarity"])
            for row in rows
            if row["matrix"].startswith(f"block {block}, t = 500:")
        ]
        expected = found.at(f"blocks.{block}", 500).matrix.value
        np.testing.assert_allclose(np.reshape(shown, (FRAMES, FRAMES)), expected, atol=1e-5)
    for ending in ("md", "html", "tex", "csv", "svg", "png", "jsonl"):
        assert (out / f"figure6.{ending}").stat().st_size > 0

    report = section(out, "figure6")
    assert report.blocks[0].name == "figure6"
    assert len(report.findings) == 3
    for claim in report.findings:
        assert f"{claim.claim}, t = 500: paper yes; here " in printed
        assert f"{claim.claim}: {claim.seen.partition('; at t = 500: ')[0]}." in report.lead

    # The network is not looked into again.
    monkeypatch.setattr("benchmarks.frame_similarity.measure_network", print)
    request = SimilarityRequest(checkpoint=path, num_clips=5, cells=tmp_path)
    (again,), _ = look_into_networks(figure6_similarity.LOOK, request)
    assert (out / "figure6.jsonl").read_text(encoding="utf-8") == again.to_json() + "\n"
    others = draw(figure6_similarity.figure([again]), Networks.of([again]))[1:]
    assert [each.name.removeprefix("figure6-") for each in others] == [
        *("distribution", "distribution-0100", "distribution-0900", "depth")
    ]


@pytest.mark.parametrize(
    ("verdicts", "here", "words"),
    [
        (("yes", "yes", "yes"), "yes", "yes at every timestep"),
        (("no", "no", "no"), "no", "no at every timestep"),
        (("yes", "no", "yes"), "not decided", "yes at t = 100, 900; no at t = 500"),
    ],
)
def test_a_claim_is_told_once_for_all_timesteps(
    verdicts: tuple[Verdict, ...], here: str, words: str
) -> None:
    networks = Networks(records=({"sites": [{"timestep": step} for step in (100, 500, 900)]},))
    claim = SimilarityClaim(text="It falls", judge=lambda networks, step: None)
    found = [
        Finding(claim=f"It falls, t = {step}", verdict=verdict, seen=f"{step} numbers")
        for step, verdict in zip(networks.timesteps, verdicts, strict=True)
    ]
    told = paper_claim(claim, networks, found)
    assert (told.here, told.seen) == (here, f"{words}; at t = 500: 500 numbers")


def test_figure8_compares_both_attentions_with_each_other(network, tmp_path: Path) -> None:
    request = SimilarityRequest(checkpoint=network(4, 3), num_clips=5, cells=tmp_path)
    cells, ended = look_into_networks(figure8_similarity.LOOK, request)
    ended.end()
    (pair, *_) = cells[0].details["pairs"]
    assert (pair["first"], pair["second"]) == ("blocks.2.attn", "blocks.2.attn_temporal")
    figure, networks = figure8_similarity.figure(cells), Networks.of(cells)
    drawn = {each.name: each.data for each in draw(figure, networks)}
    assert list(drawn) == ["figure8", "figure8-0100", "figure8-0900", "figure8-matrices"]
    labels = ["temporal attention", "spatial attention", "between the two"]
    shares = drawn["figure8"].groupby("distribution", sort=False).share.sum()
    assert list(shares.index) == labels
    assert shares.tolist() == pytest.approx([1, 1, 1], abs=1e-3)  # the record rounds its bins
    frame = values_table(figure, networks, ()).frame()
    assert list(frame.index) == labels * 3
    assert frame["mean"].iloc[2] == pytest.approx(pair["mean"]["value"])
    assert frame["inverted"].isna().tolist() == [False, False, True] * 3
    assert "here block 2 of 3" in figure.remarks[0]


def test_a_network_of_another_variant_is_refused_and_nothing_is_written(
    network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--checkpoint", network(2, 4), "--num-clips", 4, "--cells", tmp_path)
    assert run(monkeypatch, "figure8", *options, "--out", tmp_path / "o", "--workers", 0) == 2
    assert "is of variant 2, but figure8 looks into variant 4" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("dataset", "how"),
    [
        ("faceforensics", "give --scale paper"),
        ("ucf101", "look into it with `latte-eval similarity --checkpoint "),
        ("videos/", "look into it with `latte-eval similarity --checkpoint "),
    ],
)
def test_a_network_is_not_shown_clips_of_another_data_set_than_it_was_trained_on(
    network, tmp_path: Path, dataset: str, how: str
) -> None:
    path = network(2, 4, dataset=dataset)
    request = SimilarityRequest(checkpoint=path, num_clips=4, cells=tmp_path)
    cells, ended = look_into_networks(figure6_similarity.LOOK, request)
    assert not cells
    with pytest.raises(InputError, match="was trained on") as caught:
        ended.end()
    assert f"{path}: was trained on {dataset}, but is shown clips of shapes: {how}" in str(
        caught.value
    )


def test_a_cell_is_known_by_what_is_drawn_and_by_the_autoencoder_itself(
    network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = shapes_clips("train", range(8), num_frames=FRAMES, size=8)
    latents = [fit_patches(fitted[some], patch_size=1, channels=3) for some in ([0, 1], [2, 3])]

    def key(path: Path, vae: Path | None = None) -> str:
        given = None if vae is None else str(vae)
        request = SimilarityRequest(checkpoint=path, vae=given, num_clips=4)
        (task,) = similarity_tasks(figure6_similarity.LOOK, request)
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


@pytest.mark.parametrize(("device", "most"), [("cpu", 9), ("cuda", 4), ("cuda:0", 4)])
def test_few_processes_share_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, most: int
) -> None:
    asked = []

    def finish(
        tasks: object, measure: object, path: Path, *, workers: int
    ) -> Finished[SimilarityTask]:
        asked.append(workers)
        return Finished(cells={}, failed=())

    monkeypatch.setattr("benchmarks.frame_similarity.require", lambda *_: None)
    monkeypatch.setattr("benchmarks.frame_similarity.finish", finish)
    request = SimilarityRequest(workers=9, device=device, cells=tmp_path)
    look_into_networks(figure6_similarity.LOOK, request)
    assert asked == [most]


def test_at_paper_scale_all_that_is_missing_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    options = ("--scale", "paper", "--data-root", tmp_path, "--cells", tmp_path / "cells")
    assert run(monkeypatch, "figure6", *options, "--out", tmp_path / "o") == 2
    said = capsys.readouterr().err
    for missing in ("a trained network of variant 2", "data set faceforensics", "a GPU"):
        assert said.count(f"  - {missing}: ") == 1
    assert "--checkpoint" in said
    assert not list(tmp_path.iterdir())


def test_a_network_is_trained_once_for_this_figure_and_for_figure_5f(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ("model.hidden_size=8", "model.depth=2", "data.num_videos=20", "data.size=8")
    setup: Setup = replace(
        SETUPS["tiny"],
        settings=(*sizes, "training.steps=2", "training.batch_size=2"),
        points=1,
        measure={"num_clips": 12, "num_real": 16, "sample_steps": 2, "resamples": 20},
        components=0,
    )
    monkeypatch.setattr("benchmarks.frame_similarity.SETUPS", {"tiny": setup})
    request = SimilarityRequest(seeds=1, num_clips=4, cells=tmp_path / "shared")
    cells, ended = look_into_networks(figure6_similarity.LOOK, request)
    ended.end()
    assert len(cells) == 1
    (task,) = similarity_tasks(figure6_similarity.LOOK, request)
    assert task.training is not None
    kept = tmp_path / "shared" / "networks" / task.training.key / "ema.safetensors"
    weights = kept.read_bytes()

    capsys.readouterr()
    (shared,) = run_trainings([task.training], 1, tmp_path / "shared", workers=0).cells.values()
    assert "going on from step 2 of 2" in capsys.readouterr().err  # not a step more
    alone = replace(task.training, folder=tmp_path / "alone")
    (cell,) = run_trainings([alone], 1, tmp_path / "alone", workers=0).cells.values()
    assert cell.details == shared.details

    # After Figure 5f, whose weights are gone, the same network is made again.
    kept.unlink()
    (tmp_path / "shared" / "cells.jsonl").write_text(shared.to_json() + "\n", encoding="utf-8")
    again, _ = look_into_networks(figure6_similarity.LOOK, request)
    assert kept.read_bytes() == weights
    assert again[0].details == cells[0].details
    assert not list((tmp_path / "shared" / "runs").iterdir())


def even(value: float, *, mutual: bool = False) -> dict:
    """The record of five clips whose frames are all as alike as `value`, or nearly."""
    running = RunningSummary(FRAMES, mutual=mutual)
    for clip in range(5):
        matrix = np.full((FRAMES, FRAMES), value + 0.001 * clip)
        if not mutual:
            np.fill_diagonal(matrix, 1)
        running.add(matrix)
    return summary_record(running.summary())


def cell(seed: int, details: dict) -> FinishedCell:
    made = {"date": "2024-01-05", "versions": {"torch": "2"}, "host": {"cores": 2}}
    more = {"fingerprint": "0123456789ab", "num_clips": 5, "frame_size": 8}
    return FinishedCell(
        key=str(seed), name="", value=0.1, seconds=1.0, provenance=made, details=details | more
    )


def network_of_figure6(seed: int, means: tuple[float, ...]) -> FinishedCell:
    """After each of three spatial blocks a mean; the variance grows, inversions stay."""
    paths = ["x_embedder", *(f"blocks.{block}" for block in range(len(means)))]
    sites = [
        {"path": path, "kind": "", "depth": None, "timestep": 500, **even(mean)}
        for path, mean in zip(paths, (0.95, *means), strict=True)
    ]
    falls = {pair: means[pair[1]] - means[pair[0]] for pair in ((0, 1), (1, 2), (0, 2))}
    changes = [
        {
            "first": first,
            "second": second,
            "timestep": 500,
            "mean": {"value": fall, "interval": [fall - 0.002, fall + 0.002]},
            "variance": {"value": 0.01 + 0.001 * seed, "interval": [0.005, 0.02]},
            "inverted": {"value": 0.01 * (seed - 1), "interval": [-0.1, 0.1]},
        }
        for (first, second), fall in falls.items()
    ]
    config = {"variant": 2, "depth": 6, "num_frames": FRAMES, "hidden_size": 8}
    return cell(seed, {"sites": sites, "pairs": [], "changes": changes, "config": config})


def judged(figure: SimilarityFigure, cells: list[FinishedCell]) -> list[Finding]:
    return similarity_findings(figure.claims, Networks.of(cells))


def test_the_claims_of_figure6_are_judged_seed_by_seed() -> None:
    cells = [network_of_figure6(seed, (0.9, 0.8 + 0.01 * seed, 0.5)) for seed in range(3)]
    found = judged(figure6_similarity.figure(cells), cells)
    assert [finding.verdict for finding in found] == ["yes", "yes", "not decided"]
    assert found[0].line == (
        "The mean falls with each further spatial block, t = 500: paper yes; here yes "
        "(0.902 ± 0.002 → 0.812 ± 0.025 → 0.502 ± 0.002 after blocks 0, 1, 2; "
        "falls in 3 of 3 seeds)"
    )
    assert found[2].seen.endswith("rises in 1 of 3 seeds")
    rising = [network_of_figure6(seed, (0.9, 0.8, 0.85 + 0.01 * seed)) for seed in range(3)]
    (falls, *_) = judged(figure6_similarity.figure(rising), rising)
    assert (falls.verdict, falls.seen[-21:]) == ("no", "falls in 0 of 3 seeds")
    # One network alone: by the interval over its clips.
    judge = changing("inverted", (0, 1, 2), rises=True, ends_only=True)
    assert judge(Networks.of(cells[:1]), 500).verdict == "not decided"
    assert changing("mean", (0, 1, 2), rises=False)(Networks.of(cells[:1]), 500).verdict == "yes"


def network_of_figure8(seed: int, temporal: float, spatial: float, mutual: float) -> FinishedCell:
    sites = [
        {"path": path, "kind": "", "depth": 2, "timestep": 500, **even(value + 0.001 * seed)}
        for path, value in (("blocks.2.attn_temporal", temporal), ("blocks.2.attn", spatial))
    ]
    place = {"first": "blocks.2.attn", "second": "blocks.2.attn_temporal", "depth": 2}
    pair = {**place, "timestep": 500, **even(mutual + 0.001 * seed, mutual=True)}
    config = {"variant": 4, "depth": 3, "num_frames": FRAMES, "hidden_size": 8}
    return cell(seed, {"sites": sites, "pairs": [pair], "changes": [], "config": config})


@pytest.mark.parametrize(
    ("means", "verdicts"),
    [
        ((0.9, 0.6, 0.02), ["yes", "yes", "yes"]),
        ((0.9, 0.6, -0.5), ["yes", "yes", "no"]),
        ((0.9, 0.91, 0.02), ["no", "yes", "yes"]),
        ((0.9, 0.3, 0.7), ["yes", "no", "no"]),
    ],
)
def test_the_claims_of_figure8_hold_only_where_they_should(
    means: tuple[float, float, float], verdicts: list[str]
) -> None:
    cells = [network_of_figure8(seed, *means) for seed in range(3)]
    for some in (cells, cells[:1]):
        found = judged(figure8_similarity.figure(some), some)
        assert [finding.verdict for finding in found] == verdicts


def test_numbers_and_overlaps_by_hand() -> None:
    mean = over_networks([Number(value=value) for value in (1.0, 2.0, 3.0)])
    half = 4.302652729911275 / 3**0.5  # Student's t with 2 degrees of freedom
    assert (mean.value, mean.low, mean.high) == pytest.approx((2, 2 - half, 2 + half))
    # What the clips leave open does not average out over networks that see the same clips.
    alike = over_networks([Number(value=1.0, low=0.5, high=1.5)] * 3)
    assert (alike.value, alike.low, alike.high) == pytest.approx((1, 0.5, 1.5))

    def summary(values: list[float]) -> Summary:
        running = RunningSummary(3)
        matrix = np.eye(3)
        matrix[np.triu_indices(3, 1)] = values
        running.add(matrix)
        return running.summary()

    first, second = summary([0.01, 0.26, 0.51]), summary([0.02, 0.26, 0.91])
    assert overlap(first, first) == pytest.approx(1)
    assert overlap(first, second) == pytest.approx(2 / 3)
    assert overlap(first, summary([-0.5, -0.5, -0.5])) == 0
