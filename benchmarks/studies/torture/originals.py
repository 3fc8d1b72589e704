"""Sound files of each kind, to be damaged: the same bytes on every call."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.studies.torture.commands import carry_out

MEASURE = (
    "latte-eval fvd --real real.npy --fake {fake} --protocol shapes --num-videos 2 --resamples 0 "
    "--json --quiet --workers 0 --out measured.jsonl"
)
RATE, LENGTH, SIDE = 24, 48, 64  # frames per second, frames and pixels of the videos
TRAINING = (
    "--set training.steps={} --set output.checkpoint_every=2 --set output.sample_every=0 "
    "--set data.num_videos=8 --workers 0 --quiet --out run"
)


class Encoding(NamedTuple):
    """How PyAV writes a video."""

    codec: str
    options: Mapping[str, str] = {}
    pixels: str = "yuv420p"


H264 = Encoding("libx264", {"g": "12", "x264-params": "asm=0:threads=1:bframes=2"})
_X265 = "pools=none:frame-threads=1:keyint=12:log-level=none"
VIDEOS: Mapping[str, Encoding] = {
    "h264.mp4": H264,
    "h264.mkv": H264,
    "h264.mov": H264,
    "h264.avi": H264,
    "h264-fragmented.mp4": H264,
    "hevc.mp4": Encoding("libx265", {"x265-params": _X265}),
    "av1.mp4": Encoding("libsvtav1", {"preset": "12", "svtav1-params": "lp=1:keyint=12"}),
    "vp8.webm": Encoding("libvpx", {"g": "12", "deadline": "realtime"}),
    "vp9.webm": Encoding("libvpx-vp9", {"g": "12", "deadline": "realtime"}),
    "mpeg4.avi": Encoding("mpeg4", {"g": "12"}),
    "mpeg4.m4v": Encoding("mpeg4", {"g": "12"}),
    "mpeg2.mpg": Encoding("mpeg2video", {"g": "12"}),
    "mpeg1.mpeg": Encoding("mpeg1video", {"g": "12"}),
    "mjpeg.avi": Encoding("mjpeg", pixels="yuvj420p"),
    "mjpeg.mov": Encoding("mjpeg", pixels="yuvj420p"),
    "ffv1.mkv": Encoding("ffv1", {"slicecrc": "1", "level": "3"}, "bgr0"),
    "prores.mov": Encoding("prores_ks", pixels="yuv422p10le"),
}
FORMATS = {"m4v": "mp4", "mkv": "matroska", "mpg": "mpeg", "mpeg": "mpeg"}


def can_encode(encoding: Encoding) -> bool:
    """Whether this build of FFmpeg has the encoder."""
    import av

    try:
        av.Codec(encoding.codec, "w")
    except (ValueError, av.FFmpegError):
        return False
    return True


def clips(count: int, first: int = 0, frames: int = 16, size: int = 32) -> np.ndarray:
    """Clips of `shapes`, uint8 (count, frames, size, size, 3)."""
    from latte.data.shapes import ShapesVideo

    videos = [ShapesVideo(index=first + index, split="test") for index in range(count)]
    kept = np.stack([video.read(range(16)) for video in videos])
    played = np.concatenate([kept, kept[:, ::-1]], axis=1)  # forwards and backwards
    repeated = np.resize(np.arange(played.shape[1]), frames)
    scale = size // kept.shape[2]
    return played[:, repeated].repeat(scale, axis=2).repeat(scale, axis=3)


def encode(path: Path, frames: np.ndarray, encoding: Encoding) -> None:
    """Write a video, uint8 (T, H, W, 3), by one thread: the same bytes every time."""
    import av

    os.environ.setdefault("SVT_LOG", "1")  # the encoder of AV1 prints its settings otherwise
    suffix = path.suffix.removeprefix(".")
    mux = {"fflags": "bitexact"}
    if "fragmented" in path.name:
        mux["movflags"] = "frag_keyframe+empty_moov"
    with av.open(str(path), "w", format=FORMATS.get(suffix, suffix), options=mux) as container:
        stream = container.add_stream(encoding.codec, rate=RATE, options=dict(encoding.options))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = encoding.pixels
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= 1 << 23  # AV_CODEC_FLAG_BITEXACT
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _real(folder: Path) -> None:
    np.save(folder / "real.npy", clips(2))


def make_videos(file: str, encoding: Encoding, folder: Path) -> None:
    """Two generated videos of 48 frames of 64×64, and real clips in an array beside them."""
    _real(folder)
    (folder / "fake").mkdir()
    for name, clip in zip("ab", clips(2, 10, LENGTH, SIDE), strict=True):
        encode(folder / "fake" / f"{name}-{file}", clip, encoding)


def make_pictures(suffix: str, folder: Path) -> None:
    """Two generated clips as folders of numbered pictures, and real clips in an array."""
    from PIL import Image

    _real(folder)
    for name, clip in zip("ab", clips(2, 10), strict=True):
        (folder / "fake" / name).mkdir(parents=True)
        for number, image in enumerate(clip):
            Image.fromarray(image).save(folder / "fake" / name / f"{number:06}.{suffix}")


def make_array(file: str, folder: Path) -> None:
    """Generated and real clips, each in one array; the name says the format of the first."""
    from safetensors.numpy import save_file

    _real(folder)
    videos, path = clips(2, 10), folder / file
    if path.suffix == ".npy":
        np.save(path, videos)
    elif path.suffix == ".safetensors":
        save_file({"videos": videos}, path)
    else:
        (np.savez_compressed if "deflated" in file else np.savez)(path, videos=videos)


def make_statistics(file: str, folder: Path) -> None:
    """Ours of 80 clips, or a file as other packages write it."""
    make_array("fake.npy", folder)
    if file.startswith("foreign"):
        rows = np.random.default_rng(0).standard_normal((80, 64))
        np.savez(folder / file, mu=rows.mean(0), sigma=np.cov(rows.T))
    else:
        np.save(folder / "many.npy", clips(80))
        export = "latte-eval stats export --fake many.npy --protocol shapes --num-videos 80"
        carry_out(f"{export} --quiet --workers 0 --out {file}", folder)


def make_results(folder: Path) -> None:
    """Results of two models; what depends on the day and the clock is made the same."""
    make_array("fake.npy", folder)
    np.save(folder / "other.npy", clips(2, 20))
    for file in ("fake.npy", "other.npy"):
        carry_out(MEASURE.format(fake=file), folder)
    lines = []
    for line in (folder / "measured.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        lines.append(json.dumps(record | {"seconds": 1.0, "date": "2026-01-01T00:00:00+00:00"}))
    (folder / "results.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_store(folder: Path) -> None:
    """A store with the rows of one measurement."""
    make_array("fake.npy", folder)
    carry_out(f"{MEASURE.format(fake='fake.npy')} --store store", folder)


def make_training(folder: Path) -> None:
    """The folder of a training of two steps."""
    carry_out(f"latte train shapes-tiny {TRAINING.format(2)}", folder)


def make_official(folder: Path) -> None:
    """Weights as the official repository saves them, of a small network."""
    import torch

    from latte.config import LatteConfig
    from latte.model import Latte

    config = LatteConfig(
        input_size=8,
        patch_size=2,
        in_channels=4,
        hidden_size=16,
        depth=2,
        num_heads=2,
        num_frames=4,
    )
    torch.manual_seed(0)
    model = Latte(config)
    torch.save({"ema": model.state_dict()}, folder / "official.pt")


def make_weights(folder: Path) -> None:
    """A copy of the network of FVD-shapes, as weights of somebody's own."""
    from importlib.resources import files

    make_array("fake.npy", folder)
    content = files("evaluation.networks").joinpath("assets", "shapes_video.safetensors")
    (folder / "weights.safetensors").write_bytes(content.read_bytes())


def make_protocol(folder: Path) -> None:
    """A protocol as the command prints it."""
    shown = carry_out("latte-eval protocols show stylegan-v", folder)
    (folder / "protocol.toml").write_text(shown, encoding="utf-8")


def make_configuration(folder: Path) -> None:
    """The configuration of a small training."""
    from importlib.resources import files

    content = files("latte").joinpath("configs", "shapes-tiny.toml").read_bytes()
    (folder / "training.toml").write_bytes(content)
