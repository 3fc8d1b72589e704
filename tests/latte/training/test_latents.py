"""The cache gives what encoding gives, or refuses; and it encodes nothing twice."""

import pickle
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from latte.autoencoder import Autoencoder, from_uint8, open_autoencoder
from latte.data.clips import Clip
from latte.data.errors import BrokenVideoError, InputError
from latte.data.loading import Preparation, load_clip
from latte.data.sources import open_video_set
from latte.data.video import write_video
from latte.training.latents import CHUNK_FRAMES, LatentCache

LENGTHS = {"a": 5, "b": CHUNK_FRAMES + 6}
PREPARATION = Preparation(recipe="latte", size=16, storage="lossless")


@dataclass(frozen=True, kw_only=True)
class Halving:
    """Latents of half the size: channel means, and the pixels' spread as their deviation."""

    identity: str = "halving"
    name: str = "halving"
    factor: int = 2
    channels: int = 3
    cacheable: bool = True
    seen: list = field(default_factory=list, compare=False)

    def encode_moments(self, clips):
        self.seen.append(clips.shape[1])
        cells = clips.unflatten(-2, (-1, 2)).unflatten(-1, (-1, 2))
        return torch.cat([cells.mean((-3, -1)), cells.std((-3, -1)) / 3], dim=2)

    draw = Autoencoder.draw
    encode = Autoencoder.encode

    def decode(self, latents):
        return latents.repeat_interleave(2, -1).repeat_interleave(2, -2)


@pytest.fixture(scope="module")
def videos(make_clips, tmp_path_factory):
    """Two lossless files of unequal length, wider than high."""
    folder = tmp_path_factory.mktemp("videos")
    for seed, (name, length) in enumerate(LENGTHS.items()):
        write_video(folder / f"{name}.mkv", make_clips(1, length, 24, 30, seed)[0], fps=25)
    return open_video_set(folder)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def open_cache(folder, videos, preparation, autoencoder, **options):
    cache = LatentCache(
        folder=folder, preparation=preparation, autoencoder=autoencoder, progress=False, **options
    )
    return cache.open(videos)


def direct(videos, autoencoder, name, frames, mirrored=False, preparation=PREPARATION):
    """The moments without any cache."""
    video = next(video for video in videos.videos if video.name == name)
    clip = Clip(video=video, info=video.probe(), frames=tuple(frames), mirrored=mirrored)
    return autoencoder.encode_moments(from_uint8(load_clip(clip, preparation))[None])[0]


def written(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_float32_gives_the_bits_that_encoding_gives(videos, folder):
    encoder = Halving()
    cache = open_cache(folder, videos, PREPARATION, encoder, mirror=True, stored="float32")
    for name, frames in (("a", [4, 0, 2]), ("b", [0, CHUNK_FRAMES - 1, CHUNK_FRAMES, 3, 3])):
        for mirrored in (False, True):
            moments = cache.moments(name, frames, mirrored)
            expected = direct(videos, encoder, name, frames, mirrored)
            assert moments.shape == (len(frames), 6, 8, 8)
            assert torch.equal(moments, expected)
    assert not torch.equal(cache.moments("a", [0], True), cache.moments("a", [0]))


def test_float16_is_near_and_half_the_size(videos, folder, tmp_path):
    encoder = Halving()
    cache = open_cache(folder, videos, PREPARATION, encoder)
    moments = cache.moments("b", range(20))
    assert moments.dtype == torch.float32
    expected = direct(videos, encoder, "b", range(20))
    torch.testing.assert_close(moments, expected, rtol=2**-11, atol=2**-24)
    exact = tmp_path / "exact"
    open_cache(exact, videos, PREPARATION, encoder, stored="float32")
    sizes = [sum(path.stat().st_size for path in each.iterdir()) for each in (folder, exact)]
    numbers = sum(LENGTHS.values()) * 6 * 8 * 8
    assert sizes[1] - sizes[0] == pytest.approx(2 * numbers, rel=1e-3)


def test_the_vae_and_its_cache_agree_to_the_last_bit(videos, folder, weight, tmp_path):
    diffusers = pytest.importorskip("diffusers")
    model = diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    model.load_state_dict({name: weight(name, x.shape) for name, x in model.state_dict().items()})
    model.save_pretrained(tmp_path / "vae")
    vae = open_autoencoder("sd-vae", tmp_path / "vae")
    cache = open_cache(folder, videos, PREPARATION, vae, mirror=True, stored="float32")
    expected = direct(videos, vae, "b", [2, 66], mirrored=True)
    assert torch.equal(cache.moments("b", [2, 66], True), expected)


@pytest.mark.slow
def test_workers_change_nothing(videos, folder, tmp_path):
    caches = [
        open_cache(
            tmp_path / str(workers), videos, PREPARATION, Halving(), mirror=True, workers=workers
        )
        for workers in (0, 2)
    ]
    for here, there in zip(*(cache.files.values() for cache in caches), strict=True):
        assert here.read_bytes() == there.read_bytes()


def test_nothing_is_encoded_twice_and_what_lacks_is_made(videos, folder):
    first = replace(videos, videos=videos.videos[:1])
    encoder = Halving()
    open_cache(folder, first, PREPARATION, encoder)
    assert encoder.seen == [5]
    open_cache(folder, videos, PREPARATION, encoder)
    assert encoder.seen == [5, CHUNK_FRAMES, 6]
    before = written(folder)
    open_cache(folder, videos, PREPARATION, encoder, mirror=True)
    assert encoder.seen == [5, CHUNK_FRAMES, 6] * 2
    assert before.items() < written(folder).items()
    assert len(written(folder)) == 4


def test_a_run_that_was_stopped_goes_on_with_the_next_video(videos, folder):
    @dataclass(frozen=True, kw_only=True)
    class Stopping(Halving):
        def encode_moments(self, clips):
            if clips.shape[1] == 6:
                raise KeyboardInterrupt
            return super().encode_moments(clips)

    with pytest.raises(KeyboardInterrupt):
        open_cache(folder, videos, PREPARATION, Stopping())
    assert len(written(folder)) == 1
    encoder = Halving()
    open_cache(folder, videos, PREPARATION, encoder)
    assert encoder.seen == [CHUNK_FRAMES, 6]


@pytest.mark.parametrize(
    ("encoder", "preparation", "stored"),
    [
        (Halving(identity="another"), PREPARATION, "float16"),
        (Halving(), replace(PREPARATION, size=20), "float16"),
        (Halving(), replace(PREPARATION, filter="bilinear"), "float16"),
        (Halving(), PREPARATION, "float32"),
    ],
)
def test_what_was_made_otherwise_is_not_taken(videos, folder, encoder, preparation, stored):
    open_cache(folder, videos, PREPARATION, Halving())
    cache = open_cache(folder, videos, preparation, encoder, stored=stored)
    assert encoder.seen == [5, CHUNK_FRAMES, 6]
    expected = direct(videos, encoder, "a", [1], preparation=preparation)
    torch.testing.assert_close(cache.moments("a", [1]), expected, rtol=2**-11, atol=2**-24)


def test_another_video_under_the_same_name_is_encoded_anew(make_clips, tmp_path, folder):
    source = tmp_path / "source"
    source.mkdir()
    encoder = Halving()
    seen = []
    for seed in (0, 7):
        np.save(source / "clips.npy", make_clips(1, 5, 16, 16, seed))
        videos = open_video_set(source / "clips.npy")
        cache = open_cache(folder, videos, PREPARATION, encoder)
        seen.append(cache.moments("0", range(5)))
        expected = direct(videos, encoder, "0", range(5))
        torch.testing.assert_close(seen[-1], expected, rtol=2**-11, atol=2**-24)
    assert not torch.equal(*seen)


def test_a_cache_travels_to_other_processes(videos, folder):
    cache = open_cache(folder, videos, PREPARATION, Halving())
    there = pickle.loads(pickle.dumps(cache))
    assert torch.equal(there.moments("a", [3]), cache.moments("a", [3]))


def test_damage_is_noticed_in_the_frame_that_it_hit(videos, folder):
    cache = open_cache(folder, videos, PREPARATION, Halving())
    path = cache.files["a", False]
    tensors = load_file(path)
    place = path.read_bytes().index(tensors["moments"][2].numpy().tobytes())
    with path.open("r+b") as file:
        file.seek(place + 100)
        byte = file.read(1)
        file.seek(place + 100)
        file.write(bytes([byte[0] ^ 1]))
    assert cache.moments("a", [0, 1, 3, 4]).isfinite().all()
    with pytest.raises(InputError, match=r"checksum of frame 2\b"):
        cache.moments("a", [1, 2])


def test_files_that_are_not_what_they_should_be_are_refused(videos, folder):
    cache = open_cache(folder, videos, PREPARATION, Halving())

    def reopen():
        return open_cache(folder, videos, PREPARATION, Halving())

    short, long = cache.files["a", False], cache.files["b", False]
    whole = short.read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", long.read_bytes()):
        short.write_bytes(spoilt)
        with pytest.raises(InputError, match=rf"{short}.*delete the file"):
            reopen()
    save_file({"moments": torch.zeros(5, 6, 8, 8)}, short)
    with pytest.raises(InputError, match=rf"{short}.*delete the file"):
        reopen()
    short.unlink()
    with pytest.raises(InputError, match=rf"{short}.*delete the file"):
        cache.moments("a", [0])
    assert torch.equal(reopen().moments("a", [0]), cache.moments("a", [0]))


def test_requests_that_make_no_sense_are_refused(videos, folder, make_clips, tmp_path):
    with pytest.raises(InputError, match=r"identity.*cache"):
        open_cache(folder, videos, PREPARATION, open_autoencoder("identity"))
    with pytest.raises(InputError, match=r"\bmp4\b"):
        open_cache(folder, videos, replace(PREPARATION, storage="mp4"), Halving())
    broken = replace(videos.videos[0], path=tmp_path / "gone.mkv")
    with pytest.raises(BrokenVideoError, match="gone"):
        open_cache(folder, replace(videos, videos=(broken,)), PREPARATION, Halving())

    cache = open_cache(folder, videos, PREPARATION, Halving())
    for request in (("a", [5]), ("a", [-1]), ("c", [0]), ("a", [0], True)):
        with pytest.raises(ValueError, match=request[0]):
            cache.moments(*request)


def test_latents_beyond_the_stored_type_are_refused(videos, folder):
    @dataclass(frozen=True, kw_only=True)
    class Large(Halving):
        def encode_moments(self, clips):
            return super().encode_moments(clips) * 1e6

    with pytest.raises(InputError, match=r"\ba: .*not finite"):
        open_cache(folder, videos, PREPARATION, Large())
    assert written(folder) == {}
