"""Our schedules and samplers against diffusers' schedulers, with the same network and noise."""

import numpy as np
import pytest
import torch

from latte.diffusion import GaussianDiffusion
from latte.diffusion.schedule import make_betas, respaced_timesteps

pytest.importorskip("diffusers")
from diffusers import DDIMScheduler, DDPMScheduler

# diffusers keeps its constants in float32. With float64 ones in their place, what is left is the
# difference of the formulas.
LIMITS = {torch.float32: 2e-4, torch.float64: 1e-12}
TYPES = {torch.float32: "float32", torch.float64: "float64"}
SHAPE = (2, 3, 8, 8)  # diffusers has the channels in dimension 1
OPTIONS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "clip_sample": False}


def network(x, t, learned=True):
    """Some noise, and some variance between its bounds; no linear function of x."""
    time = (torch.as_tensor(t).to(x.dtype) / 1000).view(-1, *[1] * (x.ndim - 1))
    noise = torch.tanh(x * (1.5 - time) + 0.2)
    return torch.cat([noise, torch.sin(x + time)], dim=1) if learned else noise


def least_variance(x, t):
    noise = network(x, t, learned=False)
    return torch.cat([noise, -torch.ones_like(noise)], dim=1)


def start(dtype):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(
        dtype
    )


def our_walk(diffusion, model, dtype, **options):
    """x before each step, and at the end."""
    walk, generator = [], torch.Generator().manual_seed(1)

    def recorded(x, t):
        walk.append(x)
        return model(x, t)

    walk.append(
        diffusion.sample(
            recorded,
            start(dtype),
            randn=lambda shape: torch.randn(shape, generator=generator, dtype=dtype),
            **options,
        )
    )
    return walk


def their_walk(scheduler, model, dtype, model_times=None, **options):
    """The same of a scheduler; `model_times` are the network's, if they are not the scheduler's."""
    x, generator = start(dtype), torch.Generator().manual_seed(1)
    if dtype == torch.float64:
        betas = np.asarray(scheduler.config.trained_betas or make_betas("linear", 1000))
        scheduler.alphas_cumprod = torch.from_numpy(np.cumprod(1 - betas))
    walk = [x]
    for step in scheduler.timesteps:
        t = step if model_times is None else model_times[step]
        output = model(x, torch.as_tensor(t).expand(len(x)))
        x = scheduler.step(output, step, x, generator=generator, **options).prev_sample
        walk.append(x)
    return walk


def farthest(ours, theirs):
    """Largest difference of any step, relative to the step's largest value."""
    return max(
        ((x - y).abs().max() / y.abs().max()).item() for x, y in zip(ours, theirs, strict=True)
    )


@pytest.fixture(params=LIMITS, ids=str)
def dtype(request):
    return request.param


def without_variance(x, t):
    return network(x, t, learned=False)


@pytest.mark.parametrize(
    ("variance", "model", "their_model"),
    [
        ("learned_range", network, network),
        ("fixed_large", without_variance, without_variance),
        ("fixed_small", least_variance, without_variance),
    ],
    ids=["learned_range", "fixed_large", "fixed_small"],
)
def test_ddpm(check_difference, dtype, variance, model, their_model):
    differences = []
    for respacing, spacing in ((None, "leading"), ("250", "linspace"), ("ddim25", "leading")):
        diffusion = GaussianDiffusion(respacing=respacing)
        scheduler = DDPMScheduler(**OPTIONS, variance_type=variance, timestep_spacing=spacing)
        scheduler.set_timesteps(len(diffusion.timesteps))
        assert scheduler.timesteps.tolist() == list(diffusion.timesteps)[::-1]
        theirs = their_walk(scheduler, their_model, dtype)
        differences.append(farthest(our_walk(diffusion, model, dtype), theirs))
    check_difference(
        f"DDPM, {variance}, {TYPES[dtype]}", "diffusers", max(differences), LIMITS[dtype]
    )


@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_ddim(check_difference, dtype, eta):
    differences = []
    for respacing in (None, "ddim25"):
        diffusion = GaussianDiffusion(respacing=respacing)
        scheduler = DDIMScheduler(**OPTIONS, timestep_spacing="leading")
        scheduler.set_timesteps(len(diffusion.timesteps))
        assert scheduler.timesteps.tolist() == list(diffusion.timesteps)[::-1]
        theirs = their_walk(scheduler, without_variance, dtype, eta=eta)
        ours = our_walk(diffusion, network, dtype, method="ddim", eta=eta)
        differences.append(farthest(ours, theirs))
    check_difference(
        f"DDIM, η {eta:g}, {TYPES[dtype]}", "diffusers", max(differences), LIMITS[dtype]
    )


def test_ddim_of_velocity(check_difference, dtype):
    diffusion = GaussianDiffusion(respacing="ddim25", prediction="velocity")
    scheduler = DDIMScheduler(**OPTIONS, timestep_spacing="leading", prediction_type="v_prediction")
    scheduler.set_timesteps(25)
    difference = farthest(
        our_walk(diffusion, network, dtype, method="ddim"),
        their_walk(scheduler, without_variance, dtype),
    )
    check_difference(f"DDIM, velocity, {TYPES[dtype]}", "diffusers", difference, LIMITS[dtype])


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_ddim_at_even_distances(check_difference, dtype, eta):
    """diffusers' DDIM goes back by T // n, which even distances are not: it is given our betas."""
    diffusion = GaussianDiffusion(respacing="250")
    scheduler = DDIMScheduler(
        num_train_timesteps=250, trained_betas=diffusion.betas.tolist(), clip_sample=False
    )
    scheduler.set_timesteps(250)
    theirs = their_walk(
        scheduler, without_variance, dtype, model_times=diffusion.timesteps, eta=eta
    )
    ours = our_walk(diffusion, network, dtype, method="ddim", eta=eta)
    check_difference(
        f"DDIM, 250 even steps, η {eta:g}, {TYPES[dtype]}",
        "diffusers",
        farthest(ours, theirs),
        LIMITS[dtype],
    )


@pytest.mark.parametrize(
    ("schedule", "theirs"), [("linear", "linear"), ("cosine", "squaredcos_cap_v2")]
)
def test_schedules(check_difference, schedule, theirs):
    scheduler = DDPMScheduler(**OPTIONS, beta_schedule=theirs)
    betas = make_betas(schedule, 1000)
    difference = np.abs(scheduler.betas.double().numpy() / betas - 1).max()
    check_difference(f"β, {schedule} (float32)", "diffusers", difference, 1e-6)


def test_noising(check_difference):
    x0, noise, t = (
        start(torch.float32),
        torch.flip(start(torch.float32), [0]),
        torch.tensor([3, 700]),
    )
    theirs = DDPMScheduler(**OPTIONS).add_noise(x0, noise, t)
    ours = GaussianDiffusion().q_sample(x0, t, noise)
    check_difference("noising, float32", "diffusers", farthest([ours], [theirs]), 5e-6)


def test_predicted_data(check_difference):
    x, t = start(torch.float32), torch.tensor([600, 600])
    scheduler = DDPMScheduler(**OPTIONS, variance_type="learned_range")
    theirs = scheduler.step(network(x, t), 600, x).pred_original_sample
    *_, ours = GaussianDiffusion().p_mean_variance(network, x, t)
    check_difference("predicted x₀, float32", "diffusers", farthest([ours], [theirs]), 5e-6)


def test_even_distances_are_linspace():
    """But for places half-way between two steps, where the official sums may be a rounding off."""
    scheduler = DDPMScheduler(**OPTIONS, timestep_spacing="linspace")
    for count in range(2, 1001):
        scheduler.set_timesteps(count)
        theirs = scheduler.timesteps.numpy()[::-1]
        away = np.abs(theirs - respaced_timesteps(1000, str(count)))
        halfway = 2 * 999 * np.arange(count) % (2 * count - 2) == count - 1
        assert away.max() <= 1
        assert not away[~halfway].any()
