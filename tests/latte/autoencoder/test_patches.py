import numpy as np
import pytest
import torch

from latte.autoencoder import from_uint8, open_autoencoder
from latte.autoencoder.patches import PatchAutoencoder, fit_patches, load_patches, save_patches
from latte.data.errors import InputError
from latte.data.shapes import shapes_clips
from latte.data.tensor_files import write_safetensors


@pytest.fixture(scope="module")
def clips():
    return shapes_clips("train", range(12), num_frames=4)


@pytest.fixture(scope="module")
def fitted(clips):
    return fit_patches(clips, patch_size=4, channels=10)


def test_components_are_those_of_a_singular_value_decomposition(clips, fitted):
    frames = clips.reshape(-1, 8, 4, 8, 4, 3) / 127.5 - 1
    patches = frames.transpose(0, 1, 3, 5, 2, 4).reshape(-1, 48)  # colour, row, column
    centred = patches - patches.mean(axis=0)
    _, strengths, vectors = np.linalg.svd(centred, full_matrices=False)
    cosines = np.abs(np.sum(vectors[:10] * fitted.components.numpy(), axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-4)
    deviations = strengths[:10] / np.sqrt(len(patches))
    spread = np.sqrt(deviations) * np.sqrt(deviations.mean())
    np.testing.assert_allclose(fitted.spread, spread, rtol=1e-4)


def test_latents_have_mean_0_and_mean_square_1(clips, fitted):
    latents = fitted.encode(from_uint8(clips))
    assert latents.shape == (12, 4, 10, 8, 8)
    assert abs(latents.mean().item()) < 1e-3
    assert latents.square().mean().item() == pytest.approx(1, rel=1e-3)


def test_all_components_together_lose_nothing(clips):
    whole = fit_patches(clips, patch_size=4, channels=48)
    frames = from_uint8(clips)
    assert (whole.decode(whole.encode(frames)) - frames).abs().max() < 1e-4


def test_what_is_decoded_is_encoded_as_it_was(fitted):
    latents = torch.randn(2, 3, 10, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fitted.encode(fitted.decode(latents)), latents, atol=1e-4, rtol=0)


def test_more_channels_come_nearer(clips):
    frames = from_uint8(clips)
    errors = []
    for channels in (3, 6, 12, 24):
        made = fit_patches(clips, patch_size=8, channels=channels)
        errors.append((made.decode(made.encode(frames)) - frames).square().mean().item())
    assert errors == sorted(errors, reverse=True)


def test_the_bundled_one_keeps_clips_that_it_has_not_seen():
    autoencoder = open_autoencoder("patches")
    assert (autoencoder.factor, autoencoder.channels) == (8, 24)
    frames = from_uint8(shapes_clips("test", range(40)))
    error = (autoencoder.decode(autoencoder.encode(frames)) - frames).square().mean().item()
    assert 10 * np.log10(4 / error) > 29  # decibels


def test_a_draw_has_no_width(clips, fitted):
    frames = from_uint8(clips[:2])
    moments = fitted.encode_moments(frames)
    assert moments.shape == (2, 4, 20, 8, 8)
    noise = torch.ones(2, 4, 10, 8, 8)
    assert torch.equal(fitted.draw(moments, noise), fitted.encode(frames))


def test_a_file_brings_back_every_bit(fitted, tmp_path):
    path = tmp_path / "patches.safetensors"
    save_patches(path, fitted, "twelve clips")
    loaded = load_patches(path)
    other = PatchAutoencoder(fitted.components, fitted.mean, fitted.spread * 2)
    assert loaded.identity == fitted.identity == f"patches {fitted.digest}"
    assert loaded.factor == 4
    assert other.digest != fitted.digest


def test_the_command_writes_safetensors_alone(tmp_path, run_cli):
    def run(target):
        small = ["--size", 8, "--patch-size", 4, "--channels", 3, "--num-clips", 2]
        return run_cli("latte", "patches", target, *small, cwd=tmp_path)

    (tmp_path / "folder.safetensors").mkdir()
    for name in ("patches", "folder.safetensors"):
        done = run(name)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {name}: ")
    assert run("new/a.safetensors").returncode == 0
    assert load_patches(tmp_path / "new" / "a.safetensors").channels == 3
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder.safetensors", "new"]


@pytest.mark.parametrize(
    ("patch_size", "channels", "problem"),
    [(5, 4, "32×32.*5×5.*--patch-size"), (4, 49, "49.*4×4.*48"), (4, 0, r"\b0\b.*4×4.*48")],
)
def test_impossible_sizes_are_refused(clips, patch_size, channels, problem):
    with pytest.raises(InputError, match=problem):
        fit_patches(clips, patch_size=patch_size, channels=channels)


def test_no_clips_are_refused():
    with pytest.raises(InputError, match="no clips"):
        fit_patches([], patch_size=4, channels=4)


def test_other_files_are_refused(tmp_path, fitted):
    missing, other, damaged = (tmp_path / name for name in ("a", "b.safetensors", "c.safetensors"))
    with pytest.raises(InputError, match="a: there is no such file"):
        open_autoencoder("patches", missing)
    write_safetensors(other, {"weight": torch.zeros(2)}, {})
    with pytest.raises(InputError, match=r"b\.safetensors: .*latte patches"):
        open_autoencoder("patches", other)
    tensors = {"components": fitted.components, "mean": fitted.mean, "spread": fitted.spread[:3]}
    write_safetensors(damaged, tensors, {"format": "latte-eval patches 1"})
    with pytest.raises(InputError, match=r"c\.safetensors: .*damaged"):
        open_autoencoder("patches", damaged)
