"""The samples of DDPM and DDIM against closed forms and the official code."""

import math

import numpy as np
import pytest
import torch

from latte.diffusion import GaussianDiffusion

LEVELS = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))  # ᾱ
MEAN, DEVIATION = 0.4, 0.3  # `best_network` knows that the data have these
RELATIVE = 5e-6  # to the largest value, float32 against the golden arrays; see docs/diffusion.md


def normal(seed, shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def draws(seed):
    """A source of each step's noise."""
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def outcome(noise, between):
    """What a network with a learned variance gives: noise, and where between its bounds it is."""
    return torch.cat([noise, torch.as_tensor(between, dtype=noise.dtype).expand_as(noise)], dim=-3)


def squash(x, t, shift=0.0):
    """A network that is no linear function, and treats each number by itself."""
    time = (t.to(x.dtype) / 1000).view(-1, *[1] * (x.ndim - 1))
    return outcome(torch.tanh(x * (1.5 - time) + shift), torch.sin(x + time))


def no_draws(shape):
    raise AssertionError("no noise is needed")


def steps_of(timesteps):
    """Signal left at each step, and at the one before: ᾱ_t, ᾱ_{t−1}."""
    level = LEVELS[timesteps]
    return level, np.append(1.0, level[:-1])


def best_network(timesteps):
    """Noise and variance in closed form for x_0 ~ N(MEAN, DEVIATION²) in each place."""
    level, before = steps_of(timesteps)
    beta = 1 - level / before
    total = level * DEVIATION**2 + 1 - level  # Var x_t
    low = beta * (1 - before) / (1 - level)
    of_mean = before * (beta / (1 - level)) ** 2 * DEVIATION**2 * (1 - level) / total
    low[0] = low[1]
    between = 2 * np.log((low + of_mean) / low) / np.log(beta / low) - 1

    def model(x, t):
        step = np.searchsorted(timesteps, t[0].item())
        slope = math.sqrt(1 - level[step]) / total[step]
        return outcome(slope * (x - math.sqrt(level[step]) * MEAN), between[step])

    return model


@pytest.mark.parametrize("method", ["ddpm", "ddim"])
def test_samples_are_the_official_codes(golden_diffusion, formula_latte, latents, method):
    drawn = []

    def randn(shape):
        drawn.append(shape)
        return latents(f"step{len(drawn)}", 2, 4)

    x = GaussianDiffusion(respacing="10").sample(
        formula_latte(), latents("latent", 2, 4), method=method, randn=randn
    )
    expected = torch.from_numpy(golden_diffusion[f"{method}_10"])
    assert ((x - expected).abs().max() / expected.abs().max()).item() < RELATIVE
    assert drawn == [(2, 4, 4, 8, 8)] * (10 if method == "ddpm" else 0)


@pytest.mark.parametrize("respacing", ["4", "25", "ddim100"])
def test_the_best_network_walks_back_to_the_data(respacing):
    """DDPM with the true variances is exact, however few its steps."""
    diffusion = GaussianDiffusion(respacing=respacing)
    count = 100_000
    total = math.sqrt(diffusion.alpha_bar[-1] * DEVIATION**2 + 1 - diffusion.alpha_bar[-1])
    start = total * normal(1, (count // 100, 1, 1, 10, 10))
    start += math.sqrt(diffusion.alpha_bar[-1]) * MEAN
    x = diffusion.sample(best_network(diffusion.timesteps), start, randn=draws(2))
    # The last step takes the mean of x_0 and adds no noise.
    level = diffusion.alpha_bar[0]
    variance = level * DEVIATION**4 / (level * DEVIATION**2 + 1 - level)
    assert abs(x.mean() - MEAN) < 4 * math.sqrt(variance / count)
    assert abs(x.var() - variance) < 4 * variance * math.sqrt(2 / count)


@pytest.mark.parametrize("respacing", ["4", "25", "ddim100", None])
def test_ddim_is_the_product_of_its_steps(respacing):
    diffusion = GaussianDiffusion(respacing=respacing)
    level, before = steps_of(diffusion.timesteps)
    total = level * DEVIATION**2 + 1 - level
    # A step maps x_t's distance from its mean by this factor: DDIM eq. 12 with the best network.
    slopes = np.sqrt(before * level) * DEVIATION**2 + np.sqrt((1 - before) * (1 - level))
    factor = (slopes / total).prod()
    start = normal(3, (2, 3, 2, 4, 4))
    x = diffusion.sample(best_network(diffusion.timesteps), start, method="ddim", randn=no_draws)
    expected = MEAN + factor * (start - math.sqrt(level[-1]) * MEAN)
    assert torch.allclose(x, expected, rtol=0, atol=1e-10)
    if respacing is None:  # many steps reach the deviation of the data
        assert factor == pytest.approx(DEVIATION, rel=0.01)


@pytest.mark.parametrize("respacing", ["4", "50"])
def test_full_noise_makes_ddim_ddpm_with_the_least_variance(respacing):
    diffusion = GaussianDiffusion(respacing=respacing)
    start = normal(4, (2, 3, 2, 4, 4))

    def least(x, t):
        return outcome(squash(x, t).chunk(2, dim=-3)[0], -1.0)

    ddim = diffusion.sample(squash, start, method="ddim", eta=1.0, randn=draws(5))
    ddpm = diffusion.sample(least, start, method="ddpm", randn=draws(5))
    assert torch.allclose(ddim, ddpm, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("eta", "respacing"), [(0.3, None), (1.0, None), (1.0, "10")])
def test_a_step_of_ddim_has_the_papers_deviation(eta, respacing):
    """From the same x_t, two draws lie σ apart: DDIM eq. 16; for η = 1, β̃ of DDPM."""
    diffusion = GaussianDiffusion(respacing=respacing)
    level, before = steps_of(diffusion.timesteps)
    expected = eta * np.sqrt((1 - before) / (1 - level)) * np.sqrt(1 - level / before)
    if eta == 1:
        assert np.allclose(expected**2, diffusion.posterior_variance, rtol=1e-9)
    seen = []

    def model(x, t):
        seen.append(x.clone())
        return torch.zeros_like(x)  # then pred_x0 = x_t / √ᾱ, and noise has no direction

    diffusion.sample(
        model, normal(6, (1, 1, 1, 2, 2)), method="ddim", eta=eta, randn=lambda s: torch.ones(s)
    )
    places = np.array([x.mean().item() for x in seen])[::-1]  # steps ascend
    steps = np.arange(1, len(level))
    predicted = np.sqrt(before[steps] / level[steps]) * places[steps] + expected[steps]
    assert np.allclose(places[steps - 1], predicted, rtol=1e-10)


@pytest.mark.parametrize(
    ("method", "respacing"),
    [("ddim", "1"), ("ddim", "2"), ("ddim", "10"), ("ddim", "250"), ("ddpm", "1")],
)
def test_constant_noise_is_taken_off_in_closed_form(method, respacing):
    """With one ε at all steps, DDIM's x_0 does not depend on the steps taken, and one is enough."""
    start, noise = normal(7, (2, 3, 2, 4, 4)), normal(8, (2, 3, 2, 4, 4))
    diffusion = GaussianDiffusion(respacing=respacing)
    level = LEVELS[0 if respacing == "1" else 999]
    x = diffusion.sample(lambda x, t: outcome(noise, 0.0), start, method=method)
    assert torch.allclose(x, (start - math.sqrt(1 - level) * noise) / math.sqrt(level), rtol=1e-9)


def test_guidance_moves_noise_along_the_difference():
    """ε = ε∅ + s (ε_y − ε∅), each a constant: the samples are in closed form."""
    start = normal(9, (3, 2, 1, 2, 2))
    with_class = torch.tensor([0.5, -1.0, 2.0]).double().view(3, 1, 1, 1, 1)
    scale, without, level = 4.0, 0.25, LEVELS[999]

    def guided(x, t, y, guidance_scale):
        noise = without + guidance_scale * (y - without)
        return outcome(noise.expand_as(x), 0.0)

    x = GaussianDiffusion(respacing="20").sample(
        guided, start, method="ddim", y=with_class, guidance_scale=scale
    )
    noise = without + scale * (with_class - without)
    expected = (start - math.sqrt(1 - level) * noise) / math.sqrt(level)
    assert torch.allclose(x, expected, rtol=1e-9)


@pytest.mark.parametrize("method", ["ddpm", "ddim"])
def test_a_guidance_of_one_is_none(formula_latte, latents, method):
    model, diffusion = formula_latte(5), GaussianDiffusion(respacing="4")
    start, steps = latents("latent", 2, 4), [latents(f"step{k}", 2, 4) for k in range(4)]
    plain, twice = iter(steps), iter(steps)
    alone = diffusion.sample(
        model, start, method=method, randn=lambda shape: next(plain), y=torch.tensor([1, 4])
    )
    halves = diffusion.sample(
        model.forward_with_guidance,
        torch.cat([start, start]),
        method=method,
        randn=lambda shape: torch.cat([next(twice)] * 2),
        y=torch.tensor([1, 4, 5, 5]),
        guidance_scale=1.0,
    )
    assert torch.allclose(halves[:2], alone, rtol=0, atol=1e-5 * alone.abs().max().item())


@pytest.mark.parametrize("respacing", ["2", "10"])
def test_a_network_without_variance_adds_that_of_the_forward_process(respacing):
    """Ancestral sampling with σ² = β, DDPM section 3.2."""
    diffusion, start = GaussianDiffusion(respacing=respacing), normal(16, (2, 1, 1, 4, 4))

    def most(x, t):
        return outcome(torch.tanh(x), 1.0)

    plain = diffusion.sample(lambda x, t: torch.tanh(x), start, randn=draws(1))
    assert torch.allclose(plain, diffusion.sample(most, start, randn=draws(1)), rtol=1e-10)
