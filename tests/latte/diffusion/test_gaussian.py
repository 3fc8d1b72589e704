"""Noising, and what is predicted of the data: against the official code and formulas."""

import numpy as np
import pytest
import torch

from latte.diffusion import GaussianDiffusion

SHAPE = (6, 3, 2, 4, 4)  # N, F, C, H, W
TIMES = torch.tensor([0, 1, 17, 500, 801, 999])
LEVELS = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))  # ᾱ
RELATIVE = 5e-6  # tolerance in terms of the largest value, for float32; see docs/diffusion.md


def normal(seed, shape=SHAPE, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def per_video(values, ndim=5):
    """One number for each video, shaped to multiply with them."""
    return torch.as_tensor(values).view(-1, *[1] * (ndim - 1))


def always(output):
    """A network that answers this, whatever it is asked."""
    return lambda x, t: output


def outcome(noise, between):
    """What a network with a learned variance gives: noise, and where between its bounds it is."""
    return torch.cat([noise, torch.as_tensor(between, dtype=noise.dtype).expand_as(noise)], dim=-3)


def relative(ours, expected):
    expected = torch.as_tensor(expected)
    return ((ours - expected).abs().max() / expected.abs().max()).item()


def test_noising_is_the_official_codes(golden_diffusion, golden_inputs):
    x0, noise, t = golden_inputs
    xt = GaussianDiffusion().q_sample(x0, t, noise)
    assert relative(xt, golden_diffusion["q_sample"]) < RELATIVE


def test_predictions_are_the_official_codes(golden_diffusion, golden_inputs, formula_latte):
    x0, noise, t = golden_inputs
    diffusion = GaussianDiffusion()
    with torch.no_grad():
        predictions = diffusion.p_mean_variance(
            formula_latte(), diffusion.q_sample(x0, t, noise), t
        )
    for name, values in zip(("mean", "log_variance", "pred_xstart"), predictions, strict=True):
        # Each video by itself: x_0 at t = 999 is a hundred times that at t = 0.
        for ours, expected in zip(values, golden_diffusion[f"p_{name}"], strict=True):
            assert relative(ours, expected) < RELATIVE


def test_noised_data_have_the_closed_forms_moments():
    x0 = torch.full((20_000, 1, 1, 1, 1), 0.7, dtype=torch.float64)
    t = torch.full((20_000,), 300)
    xt = GaussianDiffusion().q_sample(x0, t, normal(1, x0.shape))
    variance = 1 - LEVELS[300]
    assert abs(xt.mean() - 0.7 * LEVELS[300] ** 0.5) < 4 * (variance / 20_000) ** 0.5
    assert abs(xt.var() - variance) < 4 * variance * (2 / 20_000) ** 0.5


@pytest.mark.parametrize("respacing", [None, "ddim100", "cosine"])
def test_the_true_noise_leads_back_to_the_data(respacing):
    if respacing == "cosine":
        diffusion = GaussianDiffusion(schedule="cosine")
    else:
        diffusion = GaussianDiffusion(respacing=respacing)
    t = TIMES.clamp(max=len(diffusion.timesteps) - 1)
    x0, noise = normal(2), normal(3)
    xt = diffusion.q_sample(x0, t, noise)
    assert torch.allclose(diffusion.x0_from_noise(xt, t, noise), x0, rtol=0, atol=1e-9)
    assert torch.allclose(diffusion.noise_from_x0(xt, t, x0), noise, rtol=0, atol=1e-9)


def test_with_the_true_noise_the_mean_is_the_posteriors():
    diffusion = GaussianDiffusion()
    x0, noise = normal(4), normal(5)
    xt = diffusion.q_sample(x0, TIMES, noise)
    mean, _, pred_x0 = diffusion.p_mean_variance(always(outcome(noise, 0.0)), xt, TIMES)
    # DDPM eq. 7, written out once more; nothing is left of x_t at the first step.
    level = LEVELS[TIMES]
    before = np.append(1.0, LEVELS)[TIMES]
    beta = 1 - level / before
    expected = (
        per_video(before**0.5 * beta / (1 - level)) * x0
        + per_video((1 - beta) ** 0.5 * (1 - before) / (1 - level)) * xt
    )
    assert torch.allclose(pred_x0, x0, atol=1e-10)
    assert torch.allclose(mean, expected, atol=1e-10)
    assert torch.allclose(mean[0], x0[0], atol=1e-10)


@pytest.mark.parametrize("between", [-1.0, 0.3, 1.0, 1.7])
def test_the_variance_lies_between_its_bounds(between):
    diffusion = GaussianDiffusion()
    x = normal(6)
    _, log_variance, _ = diffusion.p_mean_variance(always(outcome(x, between)), x, TIMES)
    beta = np.linspace(1e-4, 0.02, 1000)
    before = np.append(1.0, LEVELS[:-1])
    low = beta * (1 - before) / (1 - LEVELS)
    low[0] = low[1]
    share = (between + 1) / 2  # improved DDPM eq. 15; beyond ±1 it goes on beyond the bounds
    expected = share * np.log(beta) + (1 - share) * np.log(low)
    assert log_variance.shape == x.shape
    assert torch.allclose(log_variance, per_video(expected[TIMES]).expand_as(x), rtol=1e-9)


def test_a_network_without_variance_has_that_of_the_forward_process():
    diffusion = GaussianDiffusion()
    x = normal(7)
    mean, log_variance, _ = diffusion.p_mean_variance(always(x * 0.5), x, TIMES)
    learned_mean, *_ = diffusion.p_mean_variance(always(outcome(x * 0.5, 0.1)), x, TIMES)
    beta = np.linspace(1e-4, 0.02, 1000)
    # The first step's is the second's posterior variance, as in the official "fixed large".
    beta[0] = beta[1] * (1 - LEVELS[0]) / (1 - LEVELS[1])
    assert torch.allclose(log_variance, per_video(np.log(beta)[TIMES]).expand_as(x), rtol=1e-9)
    assert torch.equal(mean, learned_mean)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_other_numbers_of_channels_are_refused(channels):
    x = normal(10)
    output = normal(11, (6, 3, channels, 4, 4))
    with pytest.raises(ValueError, match="channels"):
        GaussianDiffusion().p_mean_variance(always(output), x, TIMES)
    with pytest.raises(ValueError, match="channels"):
        GaussianDiffusion().training_losses(always(output), x, TIMES, x)


def test_the_network_is_told_steps_of_the_whole_diffusion():
    told = []

    def model(x, t, y):
        told.append((t.tolist(), t.dtype, y))
        return outcome(x, 0.0)

    diffusion = GaussianDiffusion(respacing="ddim25")
    x, t = normal(40, (3, 1, 1, 2, 2)), torch.tensor([0, 7, 24])
    diffusion.training_losses(model, x, t, x, y="label")
    diffusion.p_mean_variance(model, x, t, y="label")
    assert told == [([0, 280, 960], torch.int64, "label")] * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_everything_is_of_the_datas_type(dtype):
    x, noise = normal(41, dtype=dtype), normal(42, dtype=dtype)
    diffusion = GaussianDiffusion()
    output = outcome(normal(43), 0.5).to(torch.bfloat16)  # a network under autocast gives this type
    assert diffusion.q_sample(x, TIMES, noise).dtype == dtype
    losses = diffusion.training_losses(always(output), x, TIMES, noise)
    assert {values.dtype for values in losses.values()} == {dtype}
    predictions = diffusion.p_mean_variance(always(output), x, TIMES)
    assert {values.dtype for values in predictions} == {dtype}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_computed_with_in_float32(dtype):
    diffusion = GaussianDiffusion()
    x0, noise, output = normal(58).to(dtype), normal(59).to(dtype), outcome(normal(60), normal(61))
    losses = diffusion.training_losses(always(output), x0, TIMES, noise)
    wide = diffusion.training_losses(always(output), x0.float(), TIMES, noise.float())
    for name, values in losses.items():
        assert values.isfinite().all()
        assert torch.allclose(values.float(), wide[name], rtol=1e-5)


def test_float32_is_as_near_as_its_digits_allow():
    diffusion = GaussianDiffusion()
    x0, noise, output = normal(44), normal(45), outcome(normal(46), normal(47))
    exact = diffusion.training_losses(always(output), x0, TIMES, noise)
    rounded = diffusion.training_losses(always(output.float()), x0.float(), TIMES, noise.float())
    for name, values in exact.items():
        assert torch.allclose(rounded[name].double(), values, rtol=1e-5)


def test_memory_layout_does_not_matter():
    diffusion = GaussianDiffusion(respacing="50")
    shape, t = (2, 3, 2, 4, 4), torch.tensor([0, 30])
    x0, noise, output = (
        normal(seed, (2, channels, 3, 4, 4)).transpose(1, 2)
        for seed, channels in ((48, 2), (49, 2), (50, 4))
    )
    assert x0.shape == shape
    assert not x0.is_contiguous()
    strided = diffusion.training_losses(always(output), x0, t, noise)
    packed = diffusion.training_losses(
        always(output.contiguous()), x0.contiguous(), t, noise.contiguous()
    )
    for name, values in strided.items():
        assert torch.allclose(values, packed[name], rtol=1e-12)


def test_images_without_frames_are_data_too():
    """(N, C, H, W): the channels are counted from the end."""
    x0, noise, output = normal(51, (2, 3, 4, 4)), normal(52, (2, 3, 4, 4)), normal(53, (2, 6, 4, 4))
    diffusion, t = GaussianDiffusion(), torch.tensor([0, 600])
    images = diffusion.training_losses(always(output), x0, t, noise)
    videos = diffusion.training_losses(always(output[:, None]), x0[:, None], t, noise[:, None])
    for name, values in images.items():
        assert torch.allclose(values, videos[name], rtol=1e-12)


def test_a_videos_loss_is_its_own():
    x0, noise, output = normal(54), normal(55), outcome(normal(56), normal(57))
    diffusion = GaussianDiffusion()
    together = diffusion.training_losses(always(output), x0, TIMES, noise)["loss"]
    for i in range(len(x0)):
        alone = diffusion.training_losses(
            always(output[i : i + 1]), x0[i : i + 1], TIMES[i : i + 1], noise[i : i + 1]
        )["loss"]
        assert torch.allclose(alone, together[i : i + 1], rtol=1e-12)
