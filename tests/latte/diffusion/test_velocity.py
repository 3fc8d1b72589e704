"""Networks that predict the velocity instead of the noise."""

import numpy as np
import pytest
import torch

from latte.data.errors import InputError
from latte.diffusion import GaussianDiffusion

SHAPE = (6, 3, 2, 4, 4)  # N, F, C, H, W
TIMES = torch.tensor([0, 1, 17, 500, 801, 999])
LEVELS = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))  # ᾱ


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
    with pytest.raises(InputError, match="'velocty': did you mean velocity"):
        GaussianDiffusion(prediction="velocty")
