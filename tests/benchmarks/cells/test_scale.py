from pathlib import Path

import pytest

from benchmarks.cells.scale import (
    Ingredient,
    data_set,
    file,
    missing_ingredients,
    network_weights,
    package,
    require,
    vae,
    vae_identity,
)
from latte.data.errors import InputError
from latte.data.export import write_clip
from latte.data.shapes import shapes_video_set


def test_everything_that_is_missing_is_in_one_message_once() -> None:
    weights = Ingredient(name="weights of i3d", here=False, how_to_get="fetch them")
    gpu = Ingredient(name="a GPU", here=False, how_to_get="rent one")
    here = Ingredient(name="data set shapes", here=True, how_to_get="")
    with pytest.raises(InputError) as refused:
        require([weights, here, gpu, weights], "paper", or_else="--only-available goes on")
    assert str(refused.value) == (
        "--scale paper needs 2 things that are not here; --only-available goes on:\n"
        "  - weights of i3d: fetch them\n  - a GPU: rent one"
    )
    require([here], "paper")


def test_ingredients_know_whether_they_are_here(tmp_path: Path) -> None:
    missing = data_set("faceforensics", tmp_path)
    assert not missing.here
    assert str(tmp_path) in missing.how_to_get
    assert data_set("shapes", tmp_path).here
    assert network_weights("shapes").here
    assert package("torch", "sd").here
    assert not package("no_such_package", "sd").here
    assert "pip install 'latte-eval[sd]'" in package("no_such_package", "sd").line
    assert file("weights", tmp_path, "fetch them").here
    both = [file("weights", None, "fetch them"), file("weights", tmp_path / "x", "fetch them")]
    assert missing_ingredients(both) == both
    assert str(tmp_path / "x") in both[1].line


def test_an_autoencoder_is_a_folder_or_in_the_cache_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "vae"
    folder.mkdir()
    assert not vae(str(folder)).here
    assert f"{folder}: no config.json with diffusion_pytorch_model" in vae(str(folder)).line
    (folder / "config.json").touch()
    assert not vae(str(folder)).here  # without weights
    weights = "diffusion_pytorch_model.safetensors"
    (folder / weights).touch()
    assert vae(str(folder)).here
    assert vae(str(tmp_path)).here  # the folder above it, which is how models are published
    assert not vae(str(tmp_path / "none")).here
    assert vae("owner/name").line == (
        "the autoencoder owner/name: `hf download owner/name config.json "
        "diffusion_pytorch_model.safetensors` fetches it from the Hugging Face hub"
    )
    fetched = tmp_path / "hub" / "models--owner--name"
    (fetched / "refs").mkdir(parents=True)
    (fetched / "refs" / "main").write_text("abc", encoding="utf-8")
    (fetched / "snapshots" / "abc" / "part" / "vae").mkdir(parents=True)
    (fetched / "snapshots" / "abc" / "part" / "vae" / "config.json").touch()
    assert not vae("owner/name").here
    assert not vae("owner/name/part").here
    (fetched / "snapshots" / "abc" / "part" / "vae" / weights).touch()
    assert vae("owner/name/part").here
    (fetched / "snapshots" / "abc" / "config.json").touch()
    assert not vae("owner/name").here
    (fetched / "snapshots" / "abc" / weights.replace("safetensors", "bin")).touch()
    assert vae("owner/name").here


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
    assert not network_weights("i3d").here
    file = tmp_path / "i3d_torchscript.pt"
    file.write_bytes(b"ab")
    found = network_weights("i3d")
    assert not found.here
    assert "is not the published i3d_torchscript.pt" in found.line
    monkeypatch.setattr("evaluation.networks.weights.Digest.is_of", lambda *_: True)
    assert network_weights("i3d").here


def test_a_data_set_has_at_least_one_video_that_does(tmp_path: Path) -> None:
    folder = tmp_path / "faceforensics" / "train" / "videos"
    folder.mkdir(parents=True)
    (folder / "a.mp4").write_bytes(b"no video")
    (short,) = shapes_video_set("train", num_videos=1, num_frames=20).videos
    write_clip(folder / "b.mp4", short.read(range(20)), file_format="mp4", fps=25)
    assert data_set("faceforensics", tmp_path).here  # by names alone
    assert data_set("faceforensics", tmp_path, min_frames=20).here
    lacking = data_set("faceforensics", tmp_path, min_frames=48)
    assert not lacking.here
    assert f"of the 2 videos in {folder} none can be read and has 48 frames," in lacking.line
