from dataclasses import dataclass

import numpy as np
import pytest
import torch

from latte.autoencoder import open_autoencoder, to_uint8
from latte.data.errors import InputError
from latte.diffusion import DiffusionSettings
from latte.sampling import Sampler, SamplingOptions
from latte.sampling.generate import batches, open_diffusion, random_stream


@dataclass
class Magnifier:
    """Frames in which any bit of the latents shows."""

    name: str = "magnifier"
    factor: int = 1
    channels: int = 3

    def decode(self, latents):
        return torch.sin(latents * 1e5)


def generate(model, indices, labels=None, *, autoencoder=None, **options):
    how = {name: options.pop(name) for name in ("batch_size", "precision") if name in options}
    chosen = SamplingOptions(**{"steps": 4, **options})
    diffusion = open_diffusion(chosen)
    autoencoder = autoencoder or Magnifier()
    sampler = Sampler(
        model=model, diffusion=diffusion, autoencoder=autoencoder, options=chosen, **how
    )
    return np.stack(list(sampler.clips(indices, labels)))


@pytest.mark.parametrize(
    "options",
    [{}, {"method": "ddim"}, {"method": "ddim", "eta": 1.0}, {"guidance_scale": 3.0}],
    ids=str,
)
def test_no_bit_of_a_sample_depends_on_the_batch_or_on_the_other_samples(tiny_latte, options):
    model = tiny_latte(3)
    together = generate(model, [0, 1, 2, 3], [0, 1, 2, 0], **options)
    assert together.shape == (4, 4, 8, 8, 3)
    assert together.dtype == np.uint8
    for batch_size in (1, 3):
        others = generate(model, [7, 3, 1], [2, 0, 1], batch_size=batch_size, **options)
        assert np.array_equal(others[1:], together[[3, 1]])
    assert len({clip.tobytes() for clip in together}) == 4


def test_a_sample_is_the_walk_from_its_own_stream_of_noise(tiny_latte):
    model, options = tiny_latte(), SamplingOptions(steps=4, seed=5)
    diffusion, stream = open_diffusion(options), random_stream(5, 9)

    def randn(shape):
        return torch.randn(shape[1:], generator=stream)[None]

    with torch.no_grad():
        latents = diffusion.sample(model, randn((1, 4, 3, 8, 8)), "ddpm", randn=randn)
    clip = generate(model, [9], seed=5, autoencoder=open_autoencoder("identity"))
    assert np.array_equal(clip, to_uint8(latents))


def test_streams_are_pinned():
    # sha256 of "latte sample 0 7", its first 8 bytes, without the highest bit.
    assert random_stream(0, 7).initial_seed() == 7444996003754635886
    streams = {random_stream(seed, index).initial_seed() for seed in (0, 1) for index in range(50)}
    assert len(streams) == 100


def test_the_global_random_numbers_are_not_used(tiny_latte):
    model, before = tiny_latte(), torch.get_rng_state()
    generate(model, [0])
    assert torch.equal(torch.get_rng_state(), before)


def test_only_guidance_runs_the_network_without_a_class(tiny_latte):
    model, seen = tiny_latte(3), []
    hook = model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[2].tolist()))
    generate(model, [0], [2])
    plain, seen[:] = list(seen), []
    generate(model, [0], [2], guidance_scale=2.0)
    hook.remove()
    assert plain == [[2]] * 4
    assert seen == [[2, 3]] * 4


def test_guidance_by_zero_forgets_the_class_and_more_of_it_moves_away(tiny_latte):
    model = tiny_latte(3)
    nothing = [generate(model, [0], [label], guidance_scale=0.0) for label in (0, 2)]
    assert not np.array_equal(generate(model, [0], [0]), generate(model, [0], [2]))
    # The variance, which is not guided, still knows the class.
    everything = [generate(model, [0], [k], guidance_scale=0.0, guided="all") for k in (0, 2)]
    assert not np.array_equal(*nothing)
    assert np.array_equal(*everything)


def test_ddim_without_new_noise_draws_none(tiny_latte, monkeypatch):
    drawn, draw = [], torch.randn

    def counted(*arguments, **options):
        drawn.append(arguments)
        return draw(*arguments, **options)

    monkeypatch.setattr(torch, "randn", counted)
    generate(tiny_latte(), [0], method="ddim")
    assert len(drawn) == 1


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near_full_precision(tiny_latte, precision):
    model, identity = tiny_latte(3), open_autoencoder("identity")
    options = {"autoencoder": identity, "guidance_scale": 2.0}
    full, half = (
        generate(model, [0, 1], [0, 1], precision=each, **options).astype(float)
        for each in ("fp32", precision)
    )
    assert 0 < np.abs(full - half).mean() < 4


def test_a_batch_of_a_gpu_is_filled_up_with_its_last_sample():
    assert list(batches([1, 2, 3, 4, 5], 4)) == [([1, 2, 3, 4], [1, 2, 3, 4]), ([5], [5, 5, 5, 5])]
    assert list(batches([], 4)) == []


def test_a_sample_that_is_not_finite_is_named_after_those_before_it(tiny_latte):
    model = tiny_latte(3)
    model.y_embedder.embedding_table.weight.data[1] = 1e30
    options = SamplingOptions(steps=2)
    sampler = Sampler(
        model=model, diffusion=open_diffusion(options), autoencoder=Magnifier(), options=options
    )
    clips = sampler.clips([5, 6, 7], [0, 1, 2])
    assert next(clips).shape == (4, 8, 8, 3)
    with pytest.raises(InputError, match=r"sample 6: .*not finite.*fp32"):
        next(clips)


def test_numbers_too_large_for_half_precision_name_the_precision(tiny_latte):
    model = tiny_latte()
    model.x_embedder.proj.weight.data *= 1e6
    with pytest.raises(InputError, match=r"sample 0: .*not finite.*fp16.*--precision fp32"):
        generate(model, [0], precision="fp16")


def test_guidance_of_a_model_without_classes_is_refused(tiny_latte):
    with pytest.raises(InputError, match=r"guidance_scale.*\b4\b.*no classes"):
        generate(tiny_latte(), [0], guidance_scale=4.0)


@pytest.mark.parametrize(
    ("num_classes", "labels", "sentence"),
    [
        (None, [0, 1], "class-conditional"),
        (3, None, "class-conditional"),
        (3, [0], r"\b1 labels.*\b2 samples"),
        (3, [0, 3], "label.*0 … 2"),
        (3, [-1, 0], "label.*0 … 2"),
    ],
)
def test_labels_that_do_not_fit_are_a_fault_of_the_caller(
    tiny_latte, num_classes, labels, sentence
):
    with pytest.raises(ValueError, match=sentence):
        generate(tiny_latte(num_classes), [0, 1], labels)


def test_a_diffusion_or_an_autoencoder_of_another_kind_is_a_fault_of_the_caller(tiny_latte):
    options, model = SamplingOptions(steps=4), tiny_latte()
    other = open_diffusion(SamplingOptions(steps=5))
    with pytest.raises(ValueError, match=r"\b5 steps.*\b4\b"):
        Sampler(model=model, diffusion=other, autoencoder=Magnifier(), options=options)
    with pytest.raises(ValueError, match=r"magnifier.*\b4 channels.*\b3\b"):
        generate(model, [0], autoencoder=Magnifier(channels=4))


def test_the_kept_steps_have_both_ends_for_ddim_too():
    for method in ("ddpm", "ddim"):
        diffusion = open_diffusion(SamplingOptions(method=method, steps=4))
        assert list(diffusion.timesteps) == [0, 333, 666, 999]
    with pytest.raises(InputError, match=r"steps.*\b101\b.*\b100\b"):
        open_diffusion(SamplingOptions(steps=101), DiffusionSettings(num_steps=100))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"method": "dpm"}, "method.*dpm.*did you mean ddpm"),
        ({"guided": "none"}, "guided.*none.*did you mean noise"),
        ({"steps": 0}, r"^steps .*at least 1\b.*\b0$"),
        ({"steps": 2.5}, r"^steps .*at least 1\b.*\b2\.5$"),
        ({"seed": -1}, r"^seed .*at least 0\b.*-1$"),
        ({"method": "ddim", "eta": 1.5}, r"^eta .*\b1\.5$"),
        ({"eta": 0.5}, r"^eta.*0\.5.*ddim"),
        ({"eta": "half"}, "^eta .*half"),
        ({"guidance_scale": -1.0}, r"^guidance_scale .*at least 0\b.*-1\.0$"),
        ({"guidance_scale": float("nan")}, r"^guidance_scale .*finite.*\bnan\b"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        SamplingOptions(**options)
