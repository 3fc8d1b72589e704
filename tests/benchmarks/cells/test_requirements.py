import re
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.cells.requirements import (
    Requirement,
    data_set,
    file,
    network_weights,
    package,
    require,
    unmet,
    vae,
    vae_identity,
)
from latte.data.errors import InputError
from latte.data.export import write_clip
from latte.data.shapes import shapes_video_set


def test_everything_that_is_missing_is_in_one_message_once() -> None:
    weights = Requirement(name="weights of i3d", met=False, advice="fetch them")
    gpu = Requirement(name="a GPU", met=False, advice="rent one")
    here = Requirement(name="data set shapes", met=True, advice="")
    with pytest.raises(InputError) as refused:
        require([weights, here, gpu, weights], "paper", or_else="--only-available goes on")
    assert str(refused.value).splitlines() == [
        "--scale paper: 2 things are missing (--only-available goes on):",
        "  - weights of i3d: fetch them",
        "  - a GPU: rent one",
    ]
    require([here], "paper")


def test_requirements_say_whether_they_are_met(tmp_path: Path) -> None:
    missing = data_set("faceforensics", tmp_path)
    assert not missing.met
    assert str(tmp_path) in missing.advice
    assert data_set("shapes", tmp_path).met
    assert network_weights("shapes").met
    assert package("torch", "sd").met
    assert not package("no_such_package", "sd").met
    assert "pip install 'latte-eval[sd]'" in package("no_such_package", "sd").line
    assert file("weights", tmp_path, "fetch them").met
    both = [file("weights", None, "fetch them"), file("weights", tmp_path / "x", "fetch them")]
    assert unmet(both) == both
    assert str(tmp_path / "x") in both[1].line


def test_frames_that_are_measured_as_they_are_must_have_the_protocols_size(tmp_path: Path) -> None:
    (video,) = shapes_video_set("train", num_videos=1, num_frames=16).videos
    for folder, width in (("raw", 40), ("cut", 32)):
        frames = tmp_path / folder / "skytimelapse" / "sky_train" / "a"
        frames.mkdir(parents=True)
        for number, frame in enumerate(video.read(range(16))):
            Image.fromarray(frame).resize((width, 32)).save(frames / f"{number:03d}.png")
    raw = data_set("skytimelapse", tmp_path / "raw", min_frames=16, frame_size=32)
    assert not raw.met
    assert "40×32, not 32×32" in raw.advice
    assert data_set("skytimelapse", tmp_path / "raw", min_frames=16).met
    assert data_set("skytimelapse", tmp_path / "cut", min_frames=16, frame_size=32).met


def test_an_autoencoder_is_a_folder_or_in_the_cache_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "vae"
    folder.mkdir()
    assert not vae(str(folder)).met
    assert f"{folder}: " in vae(str(folder)).line
    (folder / "config.json").touch()
    assert not vae(str(folder)).met  # weights are missing
    weights = "diffusion_pytorch_model.safetensors"
    (folder / weights).touch()
    assert vae(str(folder)).met
    assert vae(str(tmp_path)).met  # the folder above it, which is how models are published
    assert not vae(str(tmp_path / "none")).met
    assert vae("owner/name").line == (
        "the autoencoder owner/name: `hf download owner/name config.json "
        "diffusion_pytorch_model.safetensors` fetches it from the Hugging Face hub"
    )
    fetched = tmp_path / "hub" / "models--owner--name"
    (fetched / "refs").mkdir(parents=True)
    (fetched / "refs" / "main").write_text("abc", encoding="utf-8")
    (fetched / "snapshots" / "abc" / "part" / "vae").mkdir(parents=True)
    (fetched / "snapshots" / "abc" / "part" / "vae" / "config.json").touch()
    assert not vae("owner/name").met
    assert not vae("owner/name/part").met
    (fetched / "snapshots" / "abc" / "part" / "vae" / weights).touch()
    assert vae("owner/name/part").met
    (fetched / "snapshots" / "abc" / "config.json").touch()
    assert not vae("owner/name").met
    (fetched / "snapshots" / "abc" / weights.replace("safetensors", "bin")).touch()
    assert vae("owner/name").met


def test_a_local_autoencoder_is_known_by_its_files_others_by_their_names(tmp_path: Path) -> None:
    assert vae_identity("owner/name") == "owner/name"
    assert vae_identity("identity") == "identity"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}", encoding="utf-8")
        (tmp_path / name / "diffusion_pytorch_model.bin").write_text("x", encoding="utf-8")
    before = vae_identity(str(tmp_path / "a"))
    assert before == vae_identity(str(tmp_path / "b"))
    (tmp_path / "a" / "diffusion_pytorch_model.bin").write_text("other", encoding="utf-8")
    assert vae_identity(str(tmp_path / "a")) != before


def test_a_file_of_weights_is_the_published_one_or_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATTE_WEIGHTS", str(tmp_path))
    assert not network_weights("i3d").met
    file = tmp_path / "i3d_torchscript.pt"
    file.write_bytes(b"ab")
    found = network_weights("i3d")
    assert not found.met
    assert str(file) in found.line
    monkeypatch.setattr("evaluation.networks.spec.PublishedFile.is_same", lambda *_: True)
    assert network_weights("i3d").met


def test_a_data_set_that_is_missing_is_named_once(tmp_path: Path) -> None:
    line = data_set("faceforensics", tmp_path).line
    assert line.startswith("data set faceforensics: not found, looked for ")


def test_a_data_set_has_at_least_one_video_that_does(tmp_path: Path) -> None:
    folder = tmp_path / "faceforensics" / "train" / "videos"
    folder.mkdir(parents=True)
    (folder / "a.mp4").write_bytes(b"no video")
    (short,) = shapes_video_set("train", num_videos=1, num_frames=20).videos
    write_clip(folder / "b.mp4", short.read(range(20)), file_format="mp4", fps=25)
    assert data_set("faceforensics", tmp_path).met  # names alone count
    assert data_set("faceforensics", tmp_path, min_frames=20).met
    lacking = data_set("faceforensics", tmp_path, min_frames=48)
    assert not lacking.met
    assert re.search(rf"\b2 videos in {re.escape(str(folder))} .*\b48 frames", lacking.line)
