"""Which figures are made of what was measured, and that they show it."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from evaluation.similarity import Denoiser, Probe, latte_sites, measure_model_similarity
from evaluation.similarity.plots import model_figures, shown_sites, video_figures
from latte.autoencoder import open_autoencoder


@pytest.fixture(scope="module")
def measure(small_latte, diffusion, short_clips):
    def run(variant, steps, blocks=None):
        model = small_latte(variant)
        denoiser = Denoiser(
            model=model, autoencoder=open_autoencoder("patches"), diffusion=diffusion
        )
        probe = Probe(timesteps=steps, sites=latte_sites(model.config, blocks))
        return measure_model_similarity(denoiser, short_clips[:5], probe)

    return run


def test_of_two_branches_matrices_distributions_and_curves_are_drawn(measure):
    found = measure(4, (100, 900))
    figures = model_figures(found)
    each = {f"{name}-{step}" for name in ("matrices", "distribution", "mutual")
            for step in ("0100", "0900")}  # fmt: skip
    assert set(figures) == each | {"depth", "timesteps"}
    assert shown_sites(found) == ["blocks.1.attn", "blocks.1.attn_temporal"]
    _, matrices = figures["matrices-0900"]
    assert list(matrices.matrix.unique()) == ["blocks.1.attn", "blocks.1.attn_temporal"]
    first = matrices[matrices.matrix == "blocks.1.attn"].similarity.to_numpy()
    expected = found.at("blocks.1.attn", 900).matrix.value
    np.testing.assert_array_equal(first.reshape(6, 6), expected)
    drawn, mutual = figures["mutual-0900"]
    assert list(mutual.matrix.unique()) == ["blocks.1.attn × attn_temporal"]
    name, numbers = drawn.axes[0].get_title("left").split("\n")
    both = found.at(found.pairs[1], 900)
    assert name == "blocks.1.attn × attn_temporal"
    assert numbers.replace("−", "-") == (
        f"mean {both['mean'].value:.3f}, same frame {both['same_frame'].value:.3f}"
    )
    figure, curves = figures["depth"]
    assert [axes.get_title("left") for axes in figure.axes][:2] == [
        "mean similarity, t = 100",
        "variance of the similarity, t = 100",
    ]
    kinds = ["block", "spatial attention", "temporal attention", "of the two branches"]
    assert list(curves[curves.panel == "mean similarity, t = 100"].curve.unique()) == kinds
    point = curves[(curves.panel == "mean similarity, t = 900") & (curves.curve == "block")].iloc[2]
    mean = found.at("blocks.2", 900)["mean"]
    assert tuple(point[["x", "y", "low", "high"]]) == (2, mean.value, *mean.interval)
    assert any(isinstance(part, PolyCollection) for part in figure.axes[0].collections)


def test_of_a_single_timestep_or_block_there_is_no_curve(measure):
    assert set(model_figures(measure(2, (500,)))) == {"matrices-0500", "distribution-0500", "depth"}
    one = model_figures(measure(2, (500,), [0]))
    assert set(one) == {"matrices-0500", "distribution-0500"}


def test_of_many_blocks_the_first_middle_and_last_spatial_ones_are_shown(measure):
    """As Figure 6 shows 0, 7 and 13 of 14."""
    found = measure(1, (500,), ["blocks.0", "blocks.0.mlp", "blocks.1", "blocks.2", "blocks.3"])
    assert shown_sites(found) == ["blocks.0", "blocks.2"]
    assert shown_sites(measure(2, (500,))) == [f"blocks.{depth}" for depth in range(4)]


def test_sets_of_videos_are_drawn_side_by_side(measure):
    summary = measure(2, (500,), [0]).at("blocks.0", 500)
    figures = video_figures({"real": summary, "generated": summary})
    assert set(figures) == {"matrices", "distribution", "distance"}
    drawn, matrices = figures["matrices"]
    assert list(matrices.matrix.unique()) == ["real", "generated"]
    inverted = f"inverted {100 * summary['inverted'].value:.1f} %"
    assert drawn.axes[0].get_title("left").startswith("real\nmean ")
    assert drawn.axes[0].get_title("left").endswith(inverted)
    _, curve = figures["distance"]
    real = curve[curve.curve == "real"]
    assert real.x.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(real.y, summary.by_distance.value[1:])
