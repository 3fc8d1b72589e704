"""Against diffusers called directly, on a VAE with random weights; and what is refused."""

import hashlib
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from latte.autoencoder import from_uint8, lasting_path, open_autoencoder, to_uint8
from latte.autoencoder.stable_diffusion import in_slices
from latte.data.errors import InputError

WEIGHTS = "diffusion_pytorch_model.safetensors"
SCALE = 0.18215


@pytest.fixture(scope="module")
def vae(weight):
    """A small VAE of diffusers, its weights made by the formula."""
    diffusers = pytest.importorskip("diffusers")
    model = diffusers.AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        sample_size=32,
    )
    model.load_state_dict({name: weight(name, x.shape) for name, x in model.state_dict().items()})
    return model.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def saved(vae, tmp_path_factory):
    """Its folder as `save_pretrained` writes it; treat it as read-only."""
    folder = tmp_path_factory.mktemp("saved")
    vae.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of that folder, to be spoilt."""
    return shutil.copytree(saved, tmp_path / "copy")


@pytest.fixture(scope="module")
def clips(uniform):
    """Frames in [-1, 1]: (2, 3, 3, 32, 32)."""
    return torch.from_numpy(uniform("clips", (2, 3, 3, 32, 32)).astype(np.float32))


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_weights(folder, change):
    state = load_file(folder / WEIGHTS)
    save_file(change(state), folder / WEIGHTS)


def assert_refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        open_autoencoder("sd-vae", path)
    assert "\n" not in str(caught.value)


def test_all_levels_survive_the_way_to_floats_and_back():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 1, 16, 16, 3)
    frames = from_uint8(levels)
    assert frames.shape == (1, 1, 3, 16, 16)
    assert (frames.min(), frames.max()) == (-1, 1)
    np.testing.assert_array_equal(to_uint8(frames), levels)


def test_levels_are_rounded_half_up_and_clipped():
    values = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0, 0.6 / 127.5 - 1, 0.4 / 127.5 - 1])
    frames = values.repeat(3, 1)[:, None, :]
    assert to_uint8(frames)[0, :, 0].tolist() == [0, 0, 128, 255, 255, 1, 0]


def test_mirrored_and_read_only_views_are_taken():
    clip = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(1, 2, 4, 4, 3)
    clip.setflags(write=False)
    np.testing.assert_array_equal(to_uint8(from_uint8(clip[:, :, :, ::-1])), clip[:, :, :, ::-1])


def test_frames_that_are_not_finite_are_not_drawn():
    with pytest.raises(InputError, match="not finite"):
        to_uint8(torch.full((1, 1, 3, 2, 2), torch.nan))


def test_the_latents_of_the_identity_are_the_frames(clips):
    identity = open_autoencoder("identity")
    assert (identity.factor, identity.channels, identity.cacheable) == (1, 3, False)
    noise = torch.ones_like(clips)
    for latents in (identity.encode(clips), identity.encode(clips, noise)):
        assert torch.equal(latents, clips)
    assert torch.equal(identity.draw(identity.encode_moments(clips), noise), clips)
    assert torch.equal(identity.decode(clips), clips)


def test_means_and_draws_are_those_of_diffusers(vae, saved, clips, uniform):
    ours = open_autoencoder("sd-vae", saved)
    noise = torch.from_numpy(uniform("noise", (2, 3, 4, 16, 16)).astype(np.float32))
    with torch.no_grad():
        theirs = [vae.encode(frame[None]).latent_dist for frame in clips.flatten(0, 1)]
    mean = torch.cat([each.mean for each in theirs]).unflatten(0, (2, 3))
    deviation = torch.cat([each.std for each in theirs]).unflatten(0, (2, 3))
    assert (ours.factor, ours.channels, ours.scale) == (2, 4, SCALE)
    torch.testing.assert_close(ours.encode(clips), mean * SCALE)
    torch.testing.assert_close(ours.encode(clips, noise), (mean + deviation * noise) * SCALE)
    moments = ours.encode_moments(clips)
    assert moments.shape == (2, 3, 8, 16, 16)
    assert torch.equal(ours.draw(moments, noise), ours.encode(clips, noise))
    assert torch.equal(ours.draw(moments), ours.encode(clips))


def test_decoding_is_that_of_diffusers(vae, saved, uniform):
    latents = torch.from_numpy(uniform("latents", (2, 3, 4, 8, 8)).astype(np.float32))
    with torch.no_grad():
        theirs = vae.decode(latents.flatten(0, 1) / SCALE).sample.unflatten(0, (2, 3))
    ours = open_autoencoder("sd-vae", saved).decode(latents)
    assert ours.shape == (2, 3, 3, 16, 16)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_batch_does_not_change_a_bit(saved, clips):
    vae = open_autoencoder("sd-vae", saved)
    moments = vae.encode_moments(clips)
    assert torch.equal(torch.cat([vae.encode_moments(clip[None]) for clip in clips]), moments)
    frames = vae.decode(moments[:, :, :4])
    assert torch.equal(vae.decode(moments[1:, 1:, :4]), frames[1:, 1:])


def test_every_slice_is_full():
    seen = []

    def double(rows):
        seen.append(len(rows))
        return rows * 2

    rows = torch.arange(18.0).reshape(6, 3)
    assert torch.equal(in_slices(double, rows, 4), rows * 2)
    assert torch.equal(in_slices(double, rows[:1], 4), rows[:1] * 2)
    assert seen == [4, 4, 4]


def test_half_precision_gives_float32_near_the_exact(saved, clips):
    exact = open_autoencoder("sd-vae", saved)
    coarse = open_autoencoder("sd-vae", saved, dtype=torch.bfloat16)
    moments, near = exact.encode_moments(clips), coarse.encode_moments(clips)
    assert near.dtype == torch.float32
    torch.testing.assert_close(near, moments, rtol=0.1, atol=0.02)
    frames, near = (vae.decode(moments[:, :, :4]) for vae in (exact, coarse))
    assert near.dtype == torch.float32
    torch.testing.assert_close(near, frames, rtol=0.1, atol=0.1)
    assert exact.identity != coarse.identity


def test_autocast_around_it_changes_nothing(saved, clips):
    vae = open_autoencoder("sd-vae", saved)
    exact = vae.encode(clips)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(vae.encode(clips), exact)


def test_latents_carry_no_gradient_but_can_be_trained_on(saved, clips):
    latents = open_autoencoder("sd-vae", saved).encode(clips)
    scale = torch.ones((), requires_grad=True)
    (latents * scale).square().sum().backward()
    assert not latents.requires_grad
    assert scale.grad > 0


def test_opening_is_silent_and_uses_up_no_random_numbers(saved, capfd):
    before = torch.get_rng_state()
    open_autoencoder("sd-vae", saved, dtype=torch.float16)
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


def test_a_vae_subfolder_is_found_and_a_scale_of_its_own_used(folder, clips, tmp_path):
    default = open_autoencoder("sd-vae", folder)
    change_config(folder, scaling_factor=0.5, shift_factor=0.25)
    (tmp_path / "repository").mkdir()
    folder.rename(tmp_path / "repository" / "vae")
    vae = open_autoencoder("sd-vae", tmp_path / "repository")
    assert vae.scale == 0.5
    torch.testing.assert_close(vae.encode(clips), (default.encode(clips) / SCALE - 0.25) * 0.5)
    latents = default.encode(clips)
    torch.testing.assert_close(
        vae.decode((latents / SCALE - 0.25) * 0.5), default.decode(latents), rtol=1e-4, atol=1e-5
    )


def test_pickled_weights_are_read_without_unpickling_objects(folder, saved, clips):
    state = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    torch.save(state, folder / "diffusion_pytorch_model.bin")
    expected = open_autoencoder("sd-vae", saved)
    ours = open_autoencoder("sd-vae", folder)
    assert torch.equal(ours.encode(clips), expected.encode(clips))
    assert ours.identity == expected.identity

    torch.save({"weights": object()}, folder / "diffusion_pytorch_model.bin")
    assert_refused(folder, "pickle")


def test_names_that_attention_had_in_the_official_files_are_known(folder, saved, clips):
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(state):
        for today, before in old.items():
            state = {name.replace(f".{today}.", f".{before}."): x for name, x in state.items()}
        assert "encoder.mid_block.attentions.0.proj_attn.bias" in state
        return state

    change_weights(folder, rename)
    vae, expected = (open_autoencoder("sd-vae", path) for path in (folder, saved))
    assert torch.equal(vae.encode(clips), expected.encode(clips))


def test_the_identity_is_the_encoders_alone(folder, saved):
    name = "decoder.conv_in.bias"
    change_weights(folder, lambda state: state | {name: state[name] + 1})
    expected = open_autoencoder("sd-vae", saved).identity
    assert open_autoencoder("sd-vae", folder).identity == expected
    name = "encoder.conv_in.bias"
    change_weights(folder, lambda state: state | {name: state[name] + 1})
    assert open_autoencoder("sd-vae", folder).identity != expected


def test_the_digest_is_of_both_halves_whatever_the_type(folder, saved):
    expected = open_autoencoder("sd-vae", saved).digest
    assert len(expected) == 64
    assert open_autoencoder("sd-vae", folder, dtype=torch.bfloat16).digest == expected
    found = {expected}
    for name in ("decoder.conv_in.bias", "post_quant_conv.bias", "quant_conv.bias"):
        change_weights(folder, lambda state, name=name: state | {name: state[name] + 1})
        found.add(open_autoencoder("sd-vae", folder).digest)
    change_config(folder, scaling_factor=0.5)
    found.add(open_autoencoder("sd-vae", folder).digest)
    assert len(found) == 5
    assert open_autoencoder("identity").digest is None


def test_the_identity_that_caches_are_known_by_stays(saved):
    vae = open_autoencoder("sd-vae", saved)
    made_by = ["sd-vae", vae.encoder_digest, "silu", 4, SCALE, 0.0, "torch.float32"]
    assert vae.identity == hashlib.sha256(json.dumps(made_by).encode()).hexdigest()


def test_a_path_that_is_here_lasts_from_anywhere(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(saved.parent)
    assert lasting_path(saved.name) == str(saved.resolve())
    assert lasting_path("owner/repository") == "owner/repository"


def test_folders_without_a_vae_are_refused(folder, tmp_path):
    assert_refused(tmp_path / "nowhere", "no such folder")
    assert_refused(tmp_path, "no config.json")
    change_config(folder, _class_name="AutoencoderKLTemporalDecoder")
    assert_refused(folder, r"config\.json: .*AutoencoderKLTemporalDecoder.*AutoencoderKL\b")
    (folder / "config.json").write_text("[1]")
    assert_refused(folder, r"config\.json: .*\bclass\b.*AutoencoderKL\b")
    (folder / "config.json").write_text("{")
    assert_refused(folder, r"config\.json: cannot be read")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"down_block_types": ["NoSuchBlock", "DownEncoderBlock2D"]}, r"json: .*NoSuchBlock"),
        ({"norm_num_groups": 3}, r"json: no VAE .*num_groups"),
        ({"in_channels": 4}, r"\b3 .*\b4\b.*frames have 3"),
        ({"scaling_factor": None}, "scaling_factor None"),
        ({"latent_channels": 8}, r"is \(16, 4, 3, 3\), not \(16, 8, 3, 3\)"),
        ({"layers_per_block": 2}, r"encoder\.down_blocks\.0\.resnets\.1\S* is missing"),
        ({"use_quant_conv": False}, "quant_conv.* is not known"),
    ],
)
def test_configurations_that_do_not_fit_are_refused(folder, changes, match):
    change_config(folder, **changes)
    assert_refused(folder, match)


def test_damaged_weights_are_refused(folder):
    whole = (folder / WEIGHTS).read_bytes()
    name = "decoder.conv_in.bias"
    change_weights(folder, lambda state: state | {name: state[name] * torch.nan})
    assert_refused(folder, f"{name} .*not finite")
    (folder / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    assert_refused(folder, WEIGHTS)
    (folder / WEIGHTS).unlink()
    assert_refused(folder, rf"copy: .*\bnone\b.*{WEIGHTS}")


def test_frames_that_do_not_divide_are_refused(saved):
    with pytest.raises(InputError, match=r"31×32.*multiple of 2"):
        open_autoencoder("sd-vae", saved).encode(torch.zeros(1, 1, 3, 32, 31))


def test_requests_that_make_no_sense_are_refused(saved, monkeypatch):
    with pytest.raises(InputError, match=r"\bsdvae\b.*did you mean sd-vae"):
        open_autoencoder("sdvae")
    with pytest.raises(InputError, match=rf"identity.*no weights.*{saved}"):
        open_autoencoder("identity", saved)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    assert_refused(saved, r"pip install 'latte-eval\[sd\]'")


def test_a_hub_repository_is_fetched_and_its_absence_told(saved, clips, monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    shutil.copytree(saved, tmp_path / "snapshot" / "vae")
    asked = []

    def fetch(name, *, allow_patterns):
        asked.append((name, allow_patterns))
        return str(tmp_path / "snapshot")

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    expected = open_autoencoder("sd-vae", saved).encode(clips)
    for name in ("owner/repository", "owner/repository/vae"):
        assert torch.equal(open_autoencoder("sd-vae", name).encode(clips), expected)
    assert [name for name, _ in asked] == ["owner/repository"] * 2
    assert f"vae/{WEIGHTS}" in asked[0][1]
    assert f"vae/{WEIGHTS}" in asked[1][1]

    def unreachable(name, *, allow_patterns):
        raise hub.errors.LocalEntryNotFoundError("No connection. Check it\nand again.")

    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    assert_refused(
        "owner/repository",
        "^owner/repository: no such folder here, and the Hugging Face hub cannot be reached: give "
        "the folder of a VAE$",
    )

    def full(name, *, allow_patterns):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub, "snapshot_download", full)
    assert_refused(
        "owner/repository", r"hub does not give it \(\[Errno 28\] No space left on device\): "
    )
