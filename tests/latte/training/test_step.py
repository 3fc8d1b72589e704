"""From samples to a loss: what is random belongs to the sample, whatever stands beside it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from latte.autoencoder import Autoencoder, from_uint8
from latte.training.latents import LatentCache
from latte.training.loop import batch_losses, make_batch


@dataclass(frozen=True, kw_only=True)
class Halving:
    """Latents of half the size: channel means, and the pixels' spread as their deviation."""

    identity: str = "halving"
    name: str = "halving"
    factor: int = 2
    channels: int = 3
    cacheable: bool = True

    def encode_moments(self, clips):
        cells = clips.unflatten(-2, (-1, 2)).unflatten(-1, (-1, 2))
        return torch.cat([cells.mean((-3, -1)), cells.std((-3, -1)) / 3], dim=2)

    draw = Autoencoder.draw


class Nothing:
    """A cache of black frames: quick, for what does not look at them."""

    def moments(self, video, frames, mirrored=False):
        return torch.zeros(len(frames), 6, 8, 8)


def batch_of(numbers, run):
    return make_batch(
        run, list(run.training_set.samples(numbers, workers=0, decode=run.cache is None))
    )


@pytest.mark.parametrize("images", [0, 2])
def test_a_sample_does_not_depend_on_its_neighbours(by_hand, images):
    run = by_hand(f"data.images_per_clip={images}", "data.flip=true")

    def losses(numbers):
        batch = batch_of(numbers, run)
        found = run.diffusion.training_losses(
            lambda x, t, **inputs: run.network(x, t, num_images=images, **inputs),
            batch.latents,
            batch.t,
            batch.noise,
            y=batch.y,
            y_images=batch.y_images,
        )
        return batch, found["loss"]

    with torch.no_grad():
        together, all_losses = losses([7, 3, 11])
        for place, number in enumerate([7, 3, 11]):
            alone, loss = losses([number])
            for name in ("latents", "noise", "t", "y", "y_images"):
                mine, theirs = getattr(alone, name), getattr(together, name)
                assert (mine is None) == (theirs is None)
                assert mine is None or torch.equal(mine[0], theirs[place]), name
            torch.testing.assert_close(loss[0], all_losses[place], rtol=1e-6, atol=1e-6)


def test_noise_and_time_are_what_they_should_be(by_hand):
    batch = batch_of(range(400), by_hand("diffusion.num_steps=50", cache=Nothing()))
    assert batch.noise.shape == (400, 4, 3, 8, 8)
    assert abs(batch.noise.mean()) < 0.01
    assert abs(batch.noise.std() - 1) < 0.01
    counts = torch.bincount(batch.t, minlength=50)
    assert len(counts) == 50
    assert counts.min() > 0
    assert ((counts - 8.0) ** 2 / 8).sum() < 49 + 4 * 98**0.5  # χ² within 4 deviations
    other = by_hand("diffusion.num_steps=50", "training.seed=1", cache=Nothing())
    again = batch_of(range(400), other)
    assert not torch.equal(batch.t, again.t)
    assert not torch.equal(batch.noise[0], again.noise[0])
    assert not torch.equal(batch.noise[0], batch.noise[1])


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_labels_become_the_null_class_at_the_rate_asked_for(by_hand, rate):
    settings = [f"training.label_dropout={rate}", "data.images_per_clip=2"]
    run = by_hand(*settings, cache=Nothing())
    batch = batch_of(range(500), run)
    plans = [run.training_set.plan(number) for number in range(500)]
    labels = torch.tensor([plan.labels for plan in plans])
    found = torch.cat([batch.y[:, None], batch.y_images], dim=1)
    assert found.shape == (500, 3)
    dropped = found == 10
    assert torch.equal(found[~dropped], labels[~dropped])
    for column in dropped.T:  # the clip's and each image's by itself
        assert abs(column.double().mean() - rate) < 4 * (rate * (1 - rate) / 500) ** 0.5 + 1e-9
    both = (dropped[:, 0] & dropped[:, 1]).double().mean()
    assert abs(both - rate**2) < 4 * (rate**2 * (1 - rate**2) / 500) ** 0.5 + 1e-9


def test_what_is_asked_about_labels_moves_nothing_else(by_hand):
    with_labels = batch_of(range(5), by_hand("training.label_dropout=0.9"))
    all_kept = batch_of(range(5), by_hand("training.label_dropout=0"))
    assert torch.equal(with_labels.latents, all_kept.latents)
    assert torch.equal(with_labels.noise, all_kept.noise)
    assert not torch.equal(with_labels.y, all_kept.y)
    without = batch_of(range(5), by_hand("model.class_conditional=false"))
    assert without.y is None
    assert without.y_images is None
    assert torch.equal(without.latents, all_kept.latents)


def test_latents_are_a_draw_with_a_noise_of_its_own(by_hand):
    coder = Halving()
    run = by_hand(autoencoder=coder)
    batch = batch_of([4, 9], run)
    clips = np.stack([sample.frames for sample in run.training_set.samples([4, 9], workers=0)])
    mean, deviation = coder.encode_moments(from_uint8(clips)).chunk(2, dim=2)
    seen = deviation > 1e-3
    used = ((batch.latents - mean) / deviation)[seen]
    assert abs(used.mean()) < 4 / len(used) ** 0.5
    assert abs(used.std() - 1) < 4 / len(used) ** 0.5
    correlation = torch.corrcoef(torch.stack([used, batch.noise[seen]]))[0, 1]
    assert abs(correlation) < 4 / len(used) ** 0.5
    assert torch.equal(batch.latents[deviation == 0], mean[deviation == 0])


@pytest.mark.parametrize("images", [0, 3])
def test_the_cache_gives_the_same_latents(by_hand, tmp_path, images):
    run = by_hand("data.flip=true", f"data.images_per_clip={images}", autoencoder=Halving())
    videos = run.training_set
    direct = batch_of(range(8), run)
    for stored, tolerance in (("float32", 0.0), ("float16", 2e-3)):
        cache = LatentCache(
            folder=tmp_path / stored,
            preparation=videos.preparation,
            autoencoder=Halving(),
            mirror=True,
            progress=False,
            stored=stored,
        ).open(videos.videos)
        cached = batch_of(range(8), replace(run, cache=cache))
        torch.testing.assert_close(cached.latents, direct.latents, rtol=0, atol=tolerance)
        for name in ("noise", "t", "y", "y_images"):
            mine, theirs = getattr(cached, name), getattr(direct, name)
            assert (mine is None and theirs is None) or torch.equal(mine, theirs)
    flips = [videos.plan(number).clips[0].mirrored for number in range(8)]
    assert set(flips) == {True, False}


def test_images_share_the_time_of_their_clip_and_bring_their_classes(by_hand):
    run = by_hand("data.images_per_clip=2")
    batch = batch_of(range(3), run)
    seen = {}

    class Watching(torch.nn.Module):
        def forward(self, x, t, *, num_images, **inputs):
            seen.update(x=x, t=t, num_images=num_images, **inputs)
            return torch.cat([x, x], dim=2)

    batch_losses(replace(run, network=Watching()), batch)
    assert seen["num_images"] == 2
    assert torch.equal(seen["t"], batch.t)
    assert seen["x"].shape == (3, 6, 3, 8, 8)
    # One t for all six frames: each is as noisy as its clip.
    expected = run.diffusion.q_sample(batch.latents, batch.t, batch.noise)
    assert torch.equal(seen["x"], expected)
    assert torch.equal(seen["y"], batch.y)
    assert seen["y_images"].shape == (3, 2)
    plans = [run.training_set.plan(number) for number in range(3)]
    labels = torch.tensor([plan.labels[1:] for plan in plans])
    kept = seen["y_images"] != 10
    assert torch.equal(seen["y_images"][kept], labels[kept])


def test_losses_are_the_means_over_the_batch_and_bf16_is_near(by_hand):
    run, halved = by_hand(), by_hand("training.precision=bf16")
    batch = batch_of(range(4), run)
    with torch.no_grad():
        exact = batch_losses(run, batch)
        near = batch_losses(halved, batch)
        each = run.diffusion.training_losses(
            run.network, batch.latents, batch.t, batch.noise, y=batch.y
        )
    for name, value in exact.items():
        assert value == each[name].mean()
        assert value.dtype == near[name].dtype == torch.float32
        assert near[name] != value
        torch.testing.assert_close(near[name], value, rtol=0.02, atol=0.02)
    assert exact["loss"] == pytest.approx(float(exact["mse"] + exact["vb"]))


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["model.class_conditional=false"],
        ["model.variant=2"],
        ["model.variant=3"],
        ["model.variant=4"],
        ["model.patch_embedding=compression"],
        ["model.conditioning=all-tokens"],
        ["model.temporal_position=rotary"],
        ["data.images_per_clip=2"],
        ["data.images_per_clip=2", "model.image_attention=temporal-mask"],
    ],
    ids=lambda settings: " ".join(settings) or "default",
)
def test_every_weight_has_a_part_in_the_loss(by_hand, settings):
    # Processes that train together wait for the gradient of each.
    run = by_hand(*settings)
    batch_losses(run, batch_of(range(2), run))["loss"].backward()
    for name, parameter in run.network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
