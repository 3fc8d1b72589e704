"""What samplers ask of the network and the noise: order, batches, types, options."""

import math

import pytest
import torch

from latte.data.errors import InputError
from latte.diffusion import GaussianDiffusion


def normal(seed, shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def draws(seed):
    """A source of each step's noise."""
    generator = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64)


def squash(x, t, shift=0.0):
    """A network with a learned variance that treats each number by itself, and not linearly."""
    time = (t.to(x.dtype) / 1000).view(-1, *[1] * (x.ndim - 1))
    return torch.cat([torch.tanh(x * (1.5 - time) + shift), torch.sin(x + time)], dim=-3)


@pytest.mark.parametrize("method", ["ddpm", "ddim"])
def test_the_last_steps_noise_is_drawn_and_not_used(method):
    diffusion, start = GaussianDiffusion(respacing="5"), normal(10, (2, 1, 1, 2, 2))

    def sample(last):
        noises = iter([normal(step, start.shape) for step in range(4)] + [last])
        x = diffusion.sample(
            squash, start, method=method, eta=1.0, randn=lambda shape: next(noises)
        )
        assert next(noises, None) is None
        return x

    finite = sample(torch.zeros_like(start))
    assert finite.isfinite().all()
    assert torch.equal(sample(torch.full_like(start, math.nan)), finite)


@pytest.mark.parametrize(("method", "eta"), [("ddpm", 0.0), ("ddim", 0.0), ("ddim", 0.7)])
def test_a_sample_does_not_know_its_batch(method, eta):
    diffusion, start = GaussianDiffusion(respacing="20"), normal(11, (3, 2, 1, 3, 3))
    shift = torch.tensor([0.0, 0.5, -2.0]).double().view(3, 1, 1, 1, 1)

    def sample(rows):
        sources = [draws(row) for row in rows]  # a stream of its own for each
        return diffusion.sample(
            squash,
            start[rows],
            method=method,
            eta=eta,
            randn=lambda shape: torch.cat([source((1, *shape[1:])) for source in sources]),
            shift=shift[rows],
        )

    together = sample([0, 1, 2])
    # Up to the last bits, which vectorised functions may round by place.
    assert torch.allclose(sample([2, 0]), together[[2, 0]], rtol=1e-12)
    assert torch.allclose(sample([1]), together[[1]], rtol=1e-12)


@pytest.mark.parametrize(("method", "eta"), [("ddpm", 0.0), ("ddim", 1.0)])
def test_the_same_draws_give_the_same_samples(method, eta):
    diffusion, start = GaussianDiffusion(respacing="20"), normal(12, (2, 1, 1, 4, 4))
    first, again, other = (
        diffusion.sample(squash, start, method=method, eta=eta, randn=draws(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_eta_is_ddims_alone():
    diffusion, start = GaussianDiffusion(respacing="5"), normal(13, (2, 1, 1, 4, 4))
    plain = diffusion.sample(squash, start, randn=draws(1))
    assert torch.equal(diffusion.sample(squash, start, eta=0.5, randn=draws(1)), plain)


def test_without_a_source_the_global_random_numbers_are_used():
    diffusion, start = GaussianDiffusion(respacing="5"), normal(14, (2, 1, 1, 4, 4))
    with torch.random.fork_rng(devices=[]):
        samples = []
        for seed in (3, 3, 4):
            torch.manual_seed(seed)
            samples.append(diffusion.sample(squash, start))
    assert torch.equal(samples[0], samples[1])
    assert not torch.allclose(samples[0], samples[2])


@pytest.mark.parametrize("method", ["ddpm", "ddim"])
def test_the_network_is_asked_at_each_kept_step_from_the_last(method):
    asked = []

    def model(x, t, **inputs):
        asked.append((t.tolist(), inputs))
        return squash(x, t)

    GaussianDiffusion(respacing="ddim4").sample(
        model, normal(15, (2, 1, 1, 2, 2)), method=method, y="label"
    )
    assert asked == [([step] * 2, {"y": "label"}) for step in (750, 500, 250, 0)]


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize(("method", "eta"), [("ddpm", 0.0), ("ddim", 0.0), ("ddim", 1.0)])
def test_float32_stays_near_float64(schedule, method, eta):
    diffusion, start = GaussianDiffusion(100, schedule), normal(19, (2, 3, 2, 4, 4))
    exact = diffusion.sample(squash, start, method=method, eta=eta, randn=draws(1))
    rounded = diffusion.sample(squash, start.float(), method=method, eta=eta, randn=draws(1))
    assert exact.dtype == torch.float64
    assert rounded.dtype == torch.float32
    assert exact.isfinite().all()
    assert torch.allclose(rounded.double(), exact, rtol=0, atol=1e-4 * exact.abs().max().item())


@pytest.mark.parametrize("method", ["ddpm", "ddim"])
def test_an_answer_in_bfloat16_leaves_the_walk_in_float32(method):
    """Under autocast the network answers in fewer digits; the samples keep theirs."""
    diffusion, start = GaussianDiffusion(respacing="50"), normal(20, (2, 1, 1, 4, 4)).float()

    def coarse(x, t):
        assert x.dtype == torch.float32
        return squash(x, t).bfloat16()

    x = diffusion.sample(coarse, start, method=method, randn=draws(1))
    assert x.dtype == torch.float32
    assert (x != x.bfloat16()).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", ["ddpm", "ddim"])
def test_half_types_walk_in_float32(method, dtype):
    diffusion, start = GaussianDiffusion(respacing="50"), normal(24, (2, 1, 1, 4, 4)).to(dtype)
    x = diffusion.sample(squash, start, method=method, randn=draws(1))
    wide = diffusion.sample(squash, start.float(), method=method, randn=draws(1))
    assert x.dtype == dtype
    assert torch.equal(x, wide.to(dtype))


def test_samples_need_no_gradients_and_leave_their_start_alone():
    start = normal(21, (2, 1, 1, 4, 4)).requires_grad_()
    before = start.detach().clone()
    x = GaussianDiffusion(respacing="5").sample(squash, start)
    assert not x.requires_grad
    assert torch.equal(start.detach(), before)


def test_memory_layout_does_not_matter():
    start = normal(22, (2, 2, 3, 4, 4)).transpose(1, 2)
    assert not start.is_contiguous()
    diffusion = GaussianDiffusion(respacing="5")
    strided, packed = (
        diffusion.sample(squash, x, randn=draws(1)) for x in (start, start.contiguous())
    )
    assert torch.allclose(strided, packed, rtol=1e-12)


def test_a_bar_is_shown_when_asked_for(capsys):
    diffusion, start = GaussianDiffusion(respacing="5"), normal(23, (2, 1, 1, 4, 4))
    silent = diffusion.sample(squash, start, randn=draws(1))
    assert capsys.readouterr() == ("", "")
    shown = diffusion.sample(squash, start, randn=draws(1), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "ddpm" in err
    assert "/5" in err
    assert torch.equal(silent, shown)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "dimm"}, "ddim"),
        *(({"method": "ddim", "eta": eta}, "eta") for eta in (-0.1, 1.5, math.nan)),
    ],
)
def test_unknown_methods_and_more_noise_than_ddpms_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        GaussianDiffusion(respacing="5").sample(squash, torch.zeros(1, 1, 1, 2, 2), **options)
