from pathlib import Path

import pytest

from benchmarks.runner_options import folder_of
from benchmarks.scale import (
    Ingredient,
    as_scale,
    data_set,
    file,
    missing_ingredients,
    network_weights,
    package,
    require,
    vae,
)
from latte.data.errors import InputError


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
    assert f"{folder}: no config.json is there" in vae(str(folder)).line
    (folder / "config.json").touch()
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
    assert vae("owner/name/part").here
    (fetched / "snapshots" / "abc" / "config.json").touch()
    assert vae("owner/name").here


def test_an_unknown_scale_gets_the_known_ones() -> None:
    assert as_scale("tiny") == "tiny"
    with pytest.raises(InputError, match="no scale is called 'papers': did you mean paper"):
        as_scale("papers")


def test_scales_write_into_folders_of_their_own(tmp_path: Path) -> None:
    assert folder_of("figure7", "tiny", None) == Path("results/figure7")
    assert folder_of("figure7", "small", None) == Path("results/figure7-small")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file, not a folder"):
        folder_of("figure7", "tiny", tmp_path / "file" / "deeper")
