"""Noised clips through a network: as a plain loop, whatever the batch."""

import pickle
from itertools import count

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from evaluation.similarity import (
    Denoiser,
    Difference,
    Probe,
    Site,
    SitePair,
    latte_sites,
    measure_model_similarity,
)
from evaluation.similarity.hidden_states.measuring import RunningSimilarity
from evaluation.similarity.hidden_states.noised import clip_noise, noised_batches
from evaluation.similarity.matrices import inverted_share
from latte.autoencoder import from_uint8, open_autoencoder
from latte.data.errors import InputError

STEPS = (100, 900)


@pytest.fixture(scope="module")
def measure(diffusion, short_clips):
    def run(model, clips=short_clips, **options):
        run_options = ("labels", "batch_size", "on_clips")
        model_options = ("autoencoder", "num_frames", "predict")
        own = {name: options.pop(name) for name in run_options if name in options}
        parts = {name: options.pop(name) for name in model_options if name in options}
        parts = {"autoencoder": open_autoencoder("patches"), "diffusion": diffusion} | parts
        probe = Probe(**{"timesteps": STEPS} | options)
        return measure_model_similarity(Denoiser(model=model, **parts), clips, probe, **own)

    return run


def cosine_by_hand(x, y):
    return (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))


def states_by_hand(model, path, clip, number, step, diffusion):
    """Of a block's output: hooks are the only way in, but for this one clip alone."""
    x0 = open_autoencoder("patches").encode(from_uint8(clip[None]))
    t = torch.tensor([step])
    x = diffusion.q_sample(x0, t, clip_noise(0, number, x0.shape[1:])[None])
    kept = []
    handle = model.get_submodule(path).register_forward_hook(lambda *three: kept.append(three[2]))
    with torch.no_grad():
        model(x, t)
    handle.remove()
    return kept[0][0].double().numpy()


def test_it_is_what_a_plain_loop_makes_of_it(small_latte, measure, short_clips, diffusion):
    model = small_latte(2)
    found = measure(model)
    for step in STEPS:
        matrices = []
        for number, clip in enumerate(short_clips):
            states = states_by_hand(model, "blocks.1", clip, number, step, diffusion)
            matrix = [[cosine_by_hand(a, b).mean() for b in states] for a in states]
            matrices.append(np.array(matrix))
        at = found.at("blocks.1", step)
        np.testing.assert_allclose(at.matrix.value, np.mean(matrices, axis=0), atol=1e-12)
        inverted = [inverted_share(matrix) for matrix in matrices]
        assert at["inverted"].value == pytest.approx(np.mean(inverted))
    assert (found.num_clips, found.num_frames) == (7, 6)


def test_the_batch_cannot_move_it(small_latte, measure, monkeypatch):
    model = small_latte(4)
    one, other = (measure(model, batch_size=size) for size in (1, 5))
    assert one.averages == other.averages
    monkeypatch.setattr(
        "evaluation.similarity.hidden_states.measuring.clips_at_once", lambda device, size: size
    )
    together = measure(model, batch_size=4)  # a GPU fills the last batch up likewise
    assert together.num_clips == 7
    for place, summary in one.summaries.items():
        np.testing.assert_array_equal(summary.matrix.value, other.summaries[place].matrix.value)
        np.testing.assert_allclose(
            summary.matrix.value, together.summaries[place].matrix.value, atol=1e-6
        )


def test_noise_belongs_to_the_clip_and_is_the_same_at_all_timesteps(diffusion, short_clips):
    def batches(size, clips):
        found = {}
        denoiser = Denoiser(
            model=nn.Identity(), autoencoder=open_autoencoder("identity"), diffusion=diffusion
        )
        for number, steps in noised_batches(iter(clips), None, denoiser, STEPS, size=size, seed=3):
            first = len(found) // len(STEPS)
            for step, x, t, y in steps:
                assert len(x) == size
                assert t.tolist() == [step] * size
                assert y is None
                found |= {(first + i, step): x[i] for i in range(number)}
        return found

    one, several, fewer = (
        batches(1, short_clips),
        batches(3, short_clips),
        batches(3, short_clips[:4]),
    )
    assert len(one) == len(several) == 14
    for place, x in one.items():
        assert torch.equal(x, several[place])
        assert place[0] >= 4 or torch.equal(x, fewer[place])
    noise = clip_noise(3, 2, (6, 3, 32, 32))
    for step in STEPS:
        signal = diffusion.alpha_bar[step]
        clean = from_uint8(short_clips[2])
        expected = signal**0.5 * clean + (1 - signal) ** 0.5 * noise
        torch.testing.assert_close(one[2, step], expected.float())
    assert not torch.equal(noise, clip_noise(3, 1, noise.shape))
    assert not torch.equal(noise, clip_noise(4, 2, noise.shape))


def test_clips_are_taken_one_after_the_other(small_latte, measure, short_clips):
    """No more than a batch is ahead of what has been measured."""
    asked, done = count(), []

    def clips():
        for clip in short_clips:
            assert next(asked) == len(done)
            yield clip

    measure(small_latte(1), clips(), timesteps=(500,), on_clips=done.append)
    assert done == [1] * 7


def test_branches_are_compared_with_each_other(small_latte, measure):
    model = small_latte(4)
    found = measure(model, sites=latte_sites(model.config, [1, 3]))
    assert [pair.depth for pair in found.pairs] == [1, 3]
    for pair in found.pairs:
        mutual = found.at(pair, 900)
        assert mutual.matrix.value.shape == (6, 6)
        assert mutual["mean"].value == pytest.approx(mutual.matrix.value.mean())
        assert mutual["same_frame"].value == pytest.approx(np.trace(mutual.matrix.value) / 6)


def test_curves_and_differences_over_depth_and_time(small_latte, measure):
    asked = Difference("mean", ("blocks.0", 100), ("blocks.0", 900))
    found = measure(small_latte(2), differences=[asked, asked])
    assert found.kinds == ("spatial block", "temporal block")
    spatial = found.over_depth("mean", 900, "spatial block")
    assert [depth for depth, _ in spatial] == [0, 1]
    assert spatial[1][1] == found.at("blocks.1", 900)["mean"]
    assert [step for step, _ in found.over_time("variance", "blocks.0")] == [100, 900]
    change = found.differences[asked]
    ends = [found.at("blocks.0", step)["mean"].value for step in STEPS]
    assert change.value == pytest.approx(ends[1] - ends[0])
    assert change.interval[1] < 0  # noise makes frames less alike
    values = [summary["inverted"].value for summary in found.summaries.values()]
    assert found.averages["inverted"].value == pytest.approx(np.mean(values))


def test_differences_and_averages_are_taken_clip_by_clip(small_latte, measure, short_clips):
    """A clip's numbers are told by what it adds to the sum."""
    model = small_latte(1)
    sites = latte_sites(model.config, [0, 3])
    asked = [
        Difference(number, ("blocks.0", STEPS[a]), ("blocks.3", STEPS[b]))
        for number in ("mean", "inverted")
        for a, b in ((0, 1), (1, 0))
    ]
    prefixes = [
        measure(model, short_clips[:count], sites=sites, differences=asked) for count in range(1, 6)
    ]
    found, places = prefixes[-1], list(prefixes[-1].summaries)
    for number in ("mean", "inverted"):
        sums = [
            [each.num_clips * each.at(*place)[number].value for place in places]
            for each in prefixes
        ]
        clips = np.diff(sums, axis=0, prepend=0)  # (5, 4)
        average = found.averages[number]
        assert average.value == pytest.approx(clips.mean())
        assert average.deviation == pytest.approx(clips.mean(axis=1).std(ddof=1))
        for first, second in ((0, 3), (1, 2)):
            change = found.differences[Difference(number, places[first], places[second])]
            by_clip = clips[:, second] - clips[:, first]
            assert change.value == pytest.approx(by_clip.mean())
            assert change.deviation == pytest.approx(by_clip.std(ddof=1))
            expected = stats.ttest_1samp(by_clip, 0).confidence_interval(0.95)
            assert change.interval == pytest.approx(tuple(expected), rel=1e-9)


def test_a_branch_differs_from_both_together_by_their_own_means(small_latte, measure):
    model = small_latte(4)
    pair = SitePair(first="blocks.1.attn", second="blocks.1.attn_temporal", depth=1)
    asked = Difference("mean", (pair.first, 900), (pair, 900))
    found = measure(model, sites=latte_sites(model.config, [1]), differences=[asked])
    change = found.differences[asked]
    expected = found.at(pair, 900)["mean"].value - found.at(pair.first, 900)["mean"].value
    assert change.value == pytest.approx(expected)
    assert change.interval[0] < change.value < change.interval[1]


def test_differences_that_cannot_be_taken_are_refused_by_name(small_latte, measure):
    pair = SitePair(first="blocks.0.attn", second="blocks.0.attn_temporal")
    with pytest.raises(ValueError, match=r"\binverted\b.*mean, variance, same"):
        Difference("inverted", ("blocks.0", 100), (pair, 100))
    elsewhere = Difference("mean", ("blocks.0", 100), ("blocks.0", 500))
    with pytest.raises(ValueError, match=r"blocks\.0\b.*\b500\b.*not measured"):
        measure(small_latte(1), differences=[elsewhere])


def test_memory_grows_with_the_places_and_not_with_their_square(small_latte):
    def held(blocks, steps):
        sites = latte_sites(small_latte(2).config, blocks)
        return len(pickle.dumps(RunningSimilarity(sites, (), Probe(timesteps=steps), num_frames=6)))

    assert held([0, 1], range(500)) < 1001 * held([0], [0])


class Averaging(nn.Module):
    """A network of its own kind: frames are told by its first part, and mixed by its second."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Flatten(2), nn.Identity()

    def forward(self, x):
        frames = self.first(x)  # (N, F, D)
        return self.second(frames.mean(dim=1, keepdim=True).expand_as(frames).flatten(0, 1))


def test_any_network_serves_by_the_paths_of_its_parts(measure, diffusion, short_clips):
    sites = [Site(path="first", layout="nfd"), Site(path="second", layout="(nf)d")]
    found = measure(
        Averaging(),
        sites=sites,
        num_frames=6,
        predict=lambda model, x, t, y: model(x),
        autoencoder=open_autoencoder("identity"),
        timesteps=(0,),
    )
    assert found.at("second", 0)["mean"].value == pytest.approx(1)
    assert found.at("second", 0)["inverted"].value == 0
    x0 = from_uint8(short_clips[0])
    x = diffusion.q_sample(x0[None], torch.tensor([0]), clip_noise(0, 0, x0.shape)[None])[0]
    rows = x.flatten(1).double().numpy()
    single = measure(
        Averaging(), short_clips[:1], sites=sites[:1], num_frames=6, timesteps=(0,),
        predict=lambda model, x, t, y: model(x), autoencoder=open_autoencoder("identity"),
    )  # fmt: skip
    assert single.at("first", 0).matrix.value[1, 4] == pytest.approx(
        cosine_by_hand(rows[1], rows[4])
    )
    with pytest.raises(ValueError, match=r"sites.*num_frames"):
        measure(Averaging())


def test_patches_over_several_frames_make_fewer_frames_of_tokens(small_latte, measure):
    found = measure(small_latte(1, patch_embedding="compression"))
    assert found.num_frames == 3
    assert found.at("blocks.0", 100).matrix.value.shape == (3, 3)


def test_a_class_reaches_the_network(small_latte, measure):
    model = small_latte(1, num_classes=2)
    with torch.no_grad():
        model.y_embedder.embedding_table.weight.normal_(generator=torch.Generator().manual_seed(0))
    means = [
        measure(model, labels=[label] * 7).at("blocks.3", 900)["mean"].value for label in (0, 1)
    ]
    assert means[0] != means[1]
    with pytest.raises(ValueError, match="labels"):
        measure(model, labels=[0, 1])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"timesteps": (1000,)}, r"timestep 1000\b.*0 … 999"),
        ({"timesteps": ()}, "no timesteps"),
        ({"timesteps": (5, 5)}, "timesteps?.*once"),
        ({"clips": []}, "no clips"),
        ({"sites": [Site(path="blocks.4", layout="nfsd")]}, r"no part .*blocks\.4\b"),
        ({"sites": [Site(path="blocks.0", layout="nfsd")] * 2}, r"blocks\.0\b.*twice"),
    ],
)
def test_bad_input_is_one_sentence(small_latte, measure, options, problem):
    with pytest.raises(InputError, match=problem):
        measure(small_latte(1), **options)


def test_too_few_frames_and_states_that_are_not_finite_are_refused(
    small_latte, measure, short_clips
):
    with pytest.raises(InputError, match="at least 3"):
        measure(small_latte(1, num_frames=2), short_clips[:, :2])
    broken = small_latte(1)
    with torch.no_grad():
        broken.blocks[2].mlp.fc2.bias[0] = torch.nan
    with pytest.raises(InputError, match=r"blocks\.2 .*not finite.*\b100\b"):
        measure(broken)
