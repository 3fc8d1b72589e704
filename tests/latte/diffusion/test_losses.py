"""The losses, against the official code, formulas and the entropy of what is learned."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from latte.data.errors import InputError
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


def test_losses_are_the_official_codes(golden_diffusion, golden_inputs, formula_latte):
    x0, noise, t = golden_inputs
    with torch.no_grad():
        losses = GaussianDiffusion().training_losses(formula_latte(), x0, t, noise)
    for name, values in losses.items():
        assert values.shape == (4,)
        assert relative(values, golden_diffusion[f"loss_{name}"]) < RELATIVE


def test_a_network_without_variance_is_trained_by_its_noise_alone():
    x0, noise = normal(8), normal(9)
    losses = GaussianDiffusion().training_losses(always(noise * 0.25), x0, TIMES, noise)
    assert torch.equal(losses["vb"], torch.zeros(6, dtype=torch.float64))
    assert torch.equal(losses["loss"], losses["mse"])
    assert torch.allclose(losses["mse"], ((0.75 * noise) ** 2).mean(dim=(1, 2, 3, 4)))


def test_the_loss_is_the_sum_of_its_parts():
    x0, noise = normal(12), normal(13)
    output = outcome(normal(14), normal(15))
    losses = GaussianDiffusion().training_losses(always(output), x0, TIMES, noise)
    assert set(losses) == {"loss", "mse", "vb"}
    assert torch.allclose(losses["loss"], losses["mse"] + losses["vb"], rtol=1e-12)
    assert torch.allclose(
        losses["mse"], ((noise - normal(14)) ** 2).mean(dim=(1, 2, 3, 4)), rtol=1e-12
    )


def test_each_loss_teaches_its_own_channels():
    x0, noise = normal(16), normal(17)
    output = outcome(normal(18), normal(19) * 0.3).requires_grad_()
    losses = GaussianDiffusion().training_losses(always(output), x0, TIMES, noise)
    (of_mse,) = torch.autograd.grad(losses["mse"].sum(), output, retain_graph=True)
    (of_bound,) = torch.autograd.grad(losses["vb"].sum(), output)
    for name, gradient, taught, spared in (
        ("mse", of_mse, slice(0, 2), slice(2, 4)),
        ("vb", of_bound, slice(2, 4), slice(0, 2)),
    ):
        assert (gradient[:, :, spared] == 0).all(), name
        assert gradient.isfinite().all(), name
        # Every video is taught, that at t = 0 too.
        assert (gradient[:, :, taught].flatten(1).abs().amax(dim=1) > 0).all(), name


def test_the_bounds_gradient_ends_where_the_variance_is_right():
    """At t > 0 the divergence is least where the variance is the mean squared error of the mean."""
    diffusion = GaussianDiffusion(respacing="10")
    x0, noise = normal(20, (1, 1, 1, 64, 64)), normal(21, (1, 1, 1, 64, 64))
    t = torch.tensor([4])
    xt = diffusion.q_sample(x0, t, noise)
    wrong = noise + 0.3 * normal(22, noise.shape)
    mean, *_ = diffusion.p_mean_variance(always(outcome(wrong, 0.0)), xt, t)
    error = ((mean - diffusion.posterior_mean(x0, xt, t)) ** 2).mean().item()
    low, high = diffusion.posterior_variance[4], diffusion.betas[4]
    best = 2 * math.log((low + error) / low) / math.log(high / low) - 1
    between = torch.tensor(best, dtype=torch.float64, requires_grad=True)
    losses = diffusion.training_losses(always(outcome(wrong, between)), x0, t, noise)
    (gradient,) = torch.autograd.grad(losses["vb"].sum(), between)
    off = torch.tensor(best + 0.5, dtype=torch.float64, requires_grad=True)
    losses = diffusion.training_losses(always(outcome(wrong, off)), x0, t, noise)
    (elsewhere,) = torch.autograd.grad(losses["vb"].sum(), off)
    assert abs(gradient) < 1e-9 * abs(elsewhere)


@pytest.mark.parametrize("respacing", [None, "50"])
def test_later_terms_of_the_bound_are_divergences_in_bits(respacing):
    diffusion = GaussianDiffusion(respacing=respacing)
    last = len(diffusion.timesteps) - 1
    t = torch.tensor([1, 2, last // 2, last])
    shape = (4, *SHAPE[1:])
    x0, noise, predicted, between = (normal(seed, shape) for seed in (23, 24, 25, 26))
    losses = diffusion.training_losses(always(outcome(predicted, between)), x0, t, noise)
    whole = np.append(1.0, LEVELS[diffusion.timesteps])
    level, before = per_video(whole[t + 1]), per_video(whole[t])
    beta = 1 - level / before
    spread = (beta * (1 - before) / (1 - level)).sqrt()
    guess = torch.exp(((between + 1) * beta.log() + (1 - between) * 2 * spread.log()) / 4)
    # The means differ by what the noises do: x_0's coefficient times √((1 − ᾱ) / ᾱ).
    apart = before.sqrt() * beta / (1 - level) * ((1 - level) / level).sqrt() * (predicted - noise)
    nats = torch.log(guess / spread) + (spread**2 + apart**2) / (2 * guess**2) - 0.5
    expected = nats.mean(dim=(1, 2, 3, 4)) / math.log(2)
    assert torch.allclose(losses["vb"], expected, rtol=1e-8)


def test_the_first_term_of_the_bound_is_the_likelihood_of_the_level():
    """DDPM eq. 13 with SciPy's normal distribution; the tanh for Φ is off by 5e-4 here."""
    diffusion = GaussianDiffusion()
    levels = torch.arange(256, dtype=torch.float64).view(-1, 1, 1, 1, 1) / 127.5 - 1
    t = torch.zeros(256, dtype=torch.long)
    noise = normal(27, levels.shape)
    predicted = noise + 0.2 * normal(28, levels.shape)
    between = normal(29, levels.shape).clamp(-1, 1)
    losses = diffusion.training_losses(always(outcome(predicted, between)), levels, t, noise)
    mean, log_variance, _ = diffusion.p_mean_variance(
        always(outcome(predicted, between)), diffusion.q_sample(levels, t, noise), t
    )
    law = stats.norm(mean.numpy().ravel(), np.exp(0.5 * log_variance.numpy().ravel()))
    x = levels.numpy().ravel()
    upper = np.where(x > 0.999, np.inf, x + 1 / 255)
    lower = np.where(x < -0.999, -np.inf, x - 1 / 255)
    expected = -np.log2(law.cdf(upper) - law.cdf(lower))
    assert 0.5 < expected.min() < expected.max() < 2  # neither certain nor far in the tails
    assert np.allclose(losses["vb"].numpy(), expected, rtol=2e-3, atol=0)


def test_latents_outside_the_levels_cost_what_the_outermost_do():
    """The official code counts levels in [−1, 1] for latents too, which go beyond."""
    diffusion = GaussianDiffusion()
    x0 = torch.tensor([-4.0, -1.0, 1.0, 4.0], dtype=torch.float64).view(4, 1, 1, 1, 1)
    t, noise = torch.zeros(4, dtype=torch.long), normal(30, x0.shape)
    losses = diffusion.training_losses(always(outcome(noise, 0.0)), x0, t, noise)
    # The mean is x_0 itself: Φ(1/255 σ) on either side.
    sigma = math.exp(0.25 * (math.log(1e-4) + diffusion.posterior_log_variance[0]))
    expected = -math.log2(stats.norm.cdf(1 / 255 / sigma))
    assert np.allclose(losses["vb"].numpy(), expected, rtol=1e-3)


def test_an_impossible_level_costs_a_bounded_number_of_bits():
    x0 = torch.zeros(1, 1, 1, 1, 1, dtype=torch.float64)
    output = torch.tensor([1e6, -1.0], dtype=torch.float64).view(1, 1, 2, 1, 1).requires_grad_()
    t = torch.tensor([0])
    losses = GaussianDiffusion().training_losses(always(output), x0, t, torch.zeros_like(x0))
    assert losses["vb"].item() == pytest.approx(-math.log2(1e-12))
    losses["vb"].sum().backward()
    assert output.grad.isfinite().all()


class GaussianData:
    """x_0 ~ N(m, s²) in each place, and the best network for it, in closed form."""

    def __init__(self, mean, deviation, diffusion):
        self.mean, self.deviation, self.diffusion = mean, deviation, diffusion

    def denoise(self, x, t):
        """E[noise | x_t], and the variance of x_{t−1} given x_t."""
        step = np.searchsorted(self.diffusion.timesteps, t.numpy())
        whole = np.append(1.0, LEVELS[self.diffusion.timesteps])
        level, before = whole[step + 1], whole[step]
        beta = 1 - level / before
        total = level * self.deviation**2 + 1 - level  # Var x_t
        of_x0 = self.deviation**2 * (1 - level) / total  # Var x_0 | x_t
        low = beta * (1 - before) / (1 - level)
        variance = low + (before**0.5 * beta / (1 - level)) ** 2 * of_x0
        low = np.where(step == 0, self.diffusion.posterior_variance[1], low)
        between = 2 * np.log(variance / low) / np.log(beta / low) - 1
        centred = x - per_video(level**0.5 * self.mean)
        return outcome(per_video((1 - level) ** 0.5 / total) * centred, per_video(between))


def total_bits(data, model, x0):
    """The whole variational bound of scalars x_0 (N, 1, 1, 1, 1) → its mean, standard error."""
    diffusion, count = data.diffusion, len(x0)
    level = diffusion.alpha_bar[-1]
    # KL(q(x_T | x_0) ‖ N(0, 1)), DDPM eq. 5.
    prior = 0.5 * (level * x0**2 - level - math.log(1 - level)).flatten() / math.log(2)
    bits, variance = prior.mean(), prior.var() / count
    for step in range(len(diffusion.timesteps)):
        t = torch.full((count,), step)
        term = diffusion.training_losses(model, x0, t, normal(31 + step, x0.shape))["vb"]
        bits, variance = bits + term.mean(), variance + term.var() / count
    return bits.item(), variance.sqrt().item()


@pytest.fixture(scope="module")
def levels_of_a_gaussian():
    """Values of N(0.1, 0.3²) rounded to 256 levels, and the entropy of such values in bits."""
    x0 = normal(30, (20_000, 1, 1, 1, 1)) * 0.3 + 0.1
    x0 = (torch.round((x0 + 1) * 127.5) / 127.5 - 1).clamp(-1, 1)
    edges = np.append(-np.inf, np.append((np.arange(255) + 0.5) / 127.5 - 1, np.inf))
    return x0, stats.entropy(np.diff(stats.norm(0.1, 0.3).cdf(edges)), base=2)


@pytest.mark.parametrize("respacing", ["12", "60"])
def test_the_bound_of_the_best_network_is_the_entropy(levels_of_a_gaussian, respacing):
    x0, entropy = levels_of_a_gaussian
    data = GaussianData(0.1, 0.3, GaussianDiffusion(respacing=respacing))
    bits, error = total_bits(data, data.denoise, x0)
    # Gaussian data have a Gaussian way back: nothing is lost but the samples' own spread.
    assert error < 0.02
    assert abs(bits - entropy) < 4 * error


@pytest.mark.parametrize("fault", ["noise", "least variance", "most variance"])
def test_no_network_is_below_the_entropy(levels_of_a_gaussian, fault):
    x0, entropy = levels_of_a_gaussian
    data = GaussianData(0.1, 0.3, GaussianDiffusion(respacing="12"))

    def worse(x, t):
        predicted, between = data.denoise(x, t).chunk(2, dim=-3)
        if fault == "noise":
            return outcome(0.8 * predicted, between)
        return outcome(predicted, -1.0 if fault == "least variance" else 1.0)

    bits, error = total_bits(data, worse, x0)
    assert bits > entropy + 10 * error


def in_velocity(diffusion, network):
    """The network that says the same as this one of noise, in velocities."""
    signal, spread = np.sqrt(diffusion.alpha_bar), np.sqrt(1 - diffusion.alpha_bar)

    def predict(x, t):
        noise, between = network(x, t).chunk(2, dim=-3)
        return torch.cat([(noise - per_video(spread[t]) * x) / per_video(signal[t]), between], -3)

    return predict


def halving(x, t):
    """Some network of noise with a learned variance."""
    return outcome(0.5 * x.sin() + per_video(t / 2000), torch.tensor(0.3))


@pytest.mark.parametrize("method", ["ddpm", "ddim"])
def test_a_network_of_velocity_walks_as_the_same_in_noise(method):
    start, draws = normal(1), [normal(2 + i) for i in range(20)]
    whole = GaussianDiffusion()

    def walk(prediction, network):
        diffusion = GaussianDiffusion(respacing="20", prediction=prediction)
        fresh = iter(draws)
        return diffusion.sample(network, start, method=method, randn=lambda shape: next(fresh))

    expected = walk("noise", halving)
    assert relative(walk("velocity", in_velocity(whole, halving)), expected) < 1e-10


def test_the_loss_of_velocity_is_its_squared_error():
    diffusion = GaussianDiffusion(prediction="velocity")
    x0, noise = normal(1), normal(2)
    true = per_video(np.sqrt(LEVELS[TIMES])) * noise - per_video(np.sqrt(1 - LEVELS[TIMES])) * x0
    for fault in (0.0, 0.5):
        losses = diffusion.training_losses(always(outcome(true + fault, 0.0)), x0, TIMES, noise)
        torch.testing.assert_close(losses["mse"], torch.full_like(losses["mse"], fault**2))


def test_the_bound_does_not_ask_how_the_noise_was_said():
    x0, noise = normal(1), normal(2)
    found = GaussianDiffusion(prediction="velocity").training_losses(
        in_velocity(GaussianDiffusion(), halving), x0, TIMES, noise
    )
    expected = GaussianDiffusion().training_losses(halving, x0, TIMES, noise)
    torch.testing.assert_close(found["vb"], expected["vb"], rtol=1e-8, atol=0)


def test_unknown_predictions_are_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"velocty.*did you mean velocity"):
        GaussianDiffusion(prediction="velocty")
