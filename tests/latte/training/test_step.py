"""From samples to a loss: what is random belongs to the sample, whatever stands beside it."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from latte.autoencoder import draw, from_uint8, open_autoencoder
from latte.diffusion import GaussianDiffusion
from latte.model import Latte
from latte.training.latents import LatentCache
from latte.training.step import batch_losses, make_batch
from latte.training.videos import open_training_set

CPU = torch.device("cpu")


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

    def draw(self, moments, noise=None):
        return draw(moments, noise)


class Nothing:
    """A cache of black frames: quick, for what does not look at them."""

    def moments(self, video, frames, mirrored=False):
        return torch.zeros(len(frames), 6, 8, 8)


@pytest.fixture
def setting(tiny, tmp_path):
    """Maker of (configuration, network's configuration, videos, diffusion)."""

    def make(*settings, factor=1):
        config = tiny(*settings)
        training_set = open_training_set(
            config.data,
            seed=config.training.seed,
            data_root=tmp_path,
            workers=0,
            class_conditional=config.model.class_conditional,
        )
        latte = config.model.latte_config(
            input_size=config.data.size // factor,
            in_channels=3,
            num_frames=config.data.num_frames,
            num_classes=len(training_set.classes) or None,
        )
        diffusion = GaussianDiffusion(config.diffusion.num_steps, config.diffusion.schedule)
        return config, latte, training_set, diffusion

    return make


def batch_of(numbers, config, latte, training_set, autoencoder=None, cache=None):
    samples = list(training_set.samples(numbers, workers=0, decode=cache is None))
    coder = autoencoder or open_autoencoder("identity")
    return make_batch(samples, latte, config, coder, cache, CPU)


def network(latte, weight):
    """One whose output depends on all of its input: the initial one is 0."""
    model = Latte(latte)
    for name, parameter in model.named_parameters():
        parameter.data = weight(name, tuple(parameter.shape)) * 0.3
    return model


@pytest.mark.parametrize("images", [0, 2])
def test_a_sample_does_not_depend_on_its_neighbours(setting, weight, images):
    config, latte, videos, diffusion = setting(f"data.images_per_clip={images}", "data.flip=true")
    model = network(latte, weight)

    def losses(numbers):
        batch = batch_of(numbers, config, latte, videos)
        found = diffusion.training_losses(
            lambda x, t, **inputs: model(x, t, num_images=images, **inputs),
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


def test_noise_and_time_are_what_they_should_be(setting):
    config, latte, videos, _ = setting("diffusion.num_steps=50")
    batch = batch_of(range(400), config, latte, videos, cache=Nothing())
    assert batch.noise.shape == (400, 4, 3, 8, 8)
    assert abs(batch.noise.mean()) < 0.01
    assert abs(batch.noise.std() - 1) < 0.01
    counts = torch.bincount(batch.t, minlength=50)
    assert len(counts) == 50
    assert counts.min() > 0
    assert ((counts - 8.0) ** 2 / 8).sum() < 49 + 4 * 98**0.5  # χ² within 4 deviations
    other = setting("diffusion.num_steps=50", "training.seed=1")[:3]
    again = batch_of(range(400), *other, cache=Nothing())
    assert not torch.equal(batch.t, again.t)
    assert not torch.equal(batch.noise[0], again.noise[0])
    assert not torch.equal(batch.noise[0], batch.noise[1])


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_labels_become_the_null_class_at_the_rate_asked_for(setting, rate):
    config, latte, videos, _ = setting(f"training.label_dropout={rate}", "data.images_per_clip=2")
    batch = batch_of(range(500), config, latte, videos, cache=Nothing())
    plans = [videos.plan(number) for number in range(500)]
    labels = torch.tensor([[plan.label, *plan.image_labels] for plan in plans])
    found = torch.cat([batch.y[:, None], batch.y_images], dim=1)
    assert found.shape == (500, 3)
    dropped = found == 10
    assert torch.equal(found[~dropped], labels[~dropped])
    for column in dropped.T:  # the clip's and each image's by itself
        assert abs(column.double().mean() - rate) < 4 * (rate * (1 - rate) / 500) ** 0.5 + 1e-9
    both = (dropped[:, 0] & dropped[:, 1]).double().mean()
    assert abs(both - rate**2) < 4 * (rate**2 * (1 - rate**2) / 500) ** 0.5 + 1e-9


def test_what_is_asked_about_labels_moves_nothing_else(setting):
    with_labels = batch_of(range(5), *setting("training.label_dropout=0.9")[:3])
    all_kept = batch_of(range(5), *setting("training.label_dropout=0")[:3])
    assert torch.equal(with_labels.latents, all_kept.latents)
    assert torch.equal(with_labels.noise, all_kept.noise)
    assert not torch.equal(with_labels.y, all_kept.y)
    without = batch_of(range(5), *setting("model.class_conditional=false")[:3])
    assert without.y is None
    assert without.y_images is None
    assert torch.equal(without.latents, all_kept.latents)


def test_latents_are_a_draw_with_a_noise_of_its_own(setting):
    config, latte, videos, _ = setting(factor=2)
    coder = Halving()
    batch = batch_of([4, 9], config, latte, videos, coder)
    clips = np.stack([sample.frames for sample in videos.samples([4, 9], workers=0)])
    mean, deviation = coder.encode_moments(from_uint8(clips)).chunk(2, dim=2)
    seen = deviation > 1e-3
    used = ((batch.latents - mean) / deviation)[seen]
    assert abs(used.mean()) < 4 / len(used) ** 0.5
    assert abs(used.std() - 1) < 4 / len(used) ** 0.5
    correlation = torch.corrcoef(torch.stack([used, batch.noise[seen]]))[0, 1]
    assert abs(correlation) < 4 / len(used) ** 0.5
    assert torch.equal(batch.latents[deviation == 0], mean[deviation == 0])


@pytest.mark.parametrize("images", [0, 3])
def test_the_cache_gives_the_same_latents(setting, tmp_path, images):
    config, latte, videos, _ = setting("data.flip=true", f"data.images_per_clip={images}", factor=2)
    direct = batch_of(range(8), config, latte, videos, Halving())
    for stored, tolerance in (("float32", 0.0), ("float16", 2e-3)):
        cache = LatentCache(
            folder=tmp_path / stored,
            preparation=videos.preparation,
            autoencoder=Halving(),
            mirror=True,
            progress=False,
            stored=stored,
        ).open(videos.videos)
        cached = batch_of(range(8), config, latte, videos, Halving(), cache)
        torch.testing.assert_close(cached.latents, direct.latents, rtol=0, atol=tolerance)
        for name in ("noise", "t", "y", "y_images"):
            mine, theirs = getattr(cached, name), getattr(direct, name)
            assert (mine is None and theirs is None) or torch.equal(mine, theirs)
    flips = [videos.plan(number).clip.mirrored for number in range(8)]
    assert set(flips) == {True, False}


def test_images_share_the_time_of_their_clip_and_bring_their_classes(setting):
    config, latte, videos, diffusion = setting("data.images_per_clip=2")
    batch = batch_of(range(3), config, latte, videos)
    seen = {}

    class Watching(torch.nn.Module):
        def forward(self, x, t, *, num_images, **inputs):
            seen.update(x=x, t=t, num_images=num_images, **inputs)
            return torch.cat([x, x], dim=2)

    batch_losses(Watching(), batch, diffusion, 2, precision="fp32")
    assert seen["num_images"] == 2
    assert torch.equal(seen["t"], batch.t)
    assert seen["x"].shape == (3, 6, 3, 8, 8)
    # One t for all six frames: each is as noisy as its clip.
    expected = diffusion.q_sample(batch.latents, batch.t, batch.noise)
    assert torch.equal(seen["x"], expected)
    assert torch.equal(seen["y"], batch.y)
    assert seen["y_images"].shape == (3, 2)
    labels = torch.tensor([videos.plan(number).image_labels for number in range(3)])
    kept = seen["y_images"] != 10
    assert torch.equal(seen["y_images"][kept], labels[kept])


def test_losses_are_the_means_over_the_batch_and_bf16_is_near(setting, weight):
    config, latte, videos, diffusion = setting()
    model = network(latte, weight)
    batch = batch_of(range(4), config, latte, videos)
    with torch.no_grad():
        exact = batch_losses(model, batch, diffusion, 0, precision="fp32")
        near = batch_losses(model, batch, diffusion, 0, precision="bf16")
        each = diffusion.training_losses(model, batch.latents, batch.t, batch.noise, y=batch.y)
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
def test_every_weight_has_a_part_in_the_loss(setting, weight, settings):
    # Processes that train together wait for the gradient of each.
    config, latte, videos, diffusion = setting(*settings)
    model = network(latte, weight)
    batch = batch_of(range(2), config, latte, videos)
    losses = batch_losses(model, batch, diffusion, config.data.images_per_clip, precision="fp32")
    losses["loss"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
