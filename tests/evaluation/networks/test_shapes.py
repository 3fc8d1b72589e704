import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scipy.ndimage import gaussian_filter

from evaluation.metrics import frechet_distance_from_features
from evaluation.networks import shapes, train_shapes
from evaluation.networks.registry import build
from evaluation.networks.shapes import (
    FRAME_CLASSES,
    FRAME_FILE,
    VIDEO_FILE,
    ShapesFrameNet,
    ShapesVideoNet,
    load_network,
)
from latte.data.errors import InputError
from latte.data.shapes import CLASS_NAMES, draw_scene, shapes_clips

NUM_CLIPS = 160
LOADERS = {
    "video": partial(load_network, ShapesVideoNet, VIDEO_FILE),
    "frame": partial(load_network, ShapesFrameNet, FRAME_FILE),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    return shapes_clips("test", range(NUM_CLIPS))


@pytest.fixture(scope="module")
def second_draw() -> np.ndarray:
    return shapes_clips("test", range(NUM_CLIPS, 2 * NUM_CLIPS))


@torch.no_grad()
def features(kind: str, clips: np.ndarray) -> np.ndarray:
    """(N, 64) in float64; for frames, every other one, (N·T/2, 64)."""
    model = LOADERS[kind]()
    clips = clips[:, ::2] if kind == "frame" else clips
    parts = [model.features(torch.from_numpy(part)) for part in np.array_split(clips, 6)]
    return torch.cat(parts).reshape(-1, 64).double().numpy()


@pytest.fixture(scope="module")
def distance(real):
    """The Fréchet distance of clips from real ones, by either network."""
    references = {kind: features(kind, real) for kind in LOADERS}
    return lambda kind, clips: frechet_distance_from_features(
        references[kind], features(kind, clips)
    )


def blurred(clips: np.ndarray, sigma: float) -> np.ndarray:
    smooth = gaussian_filter(clips.astype(np.float32), (0, 0, sigma, sigma, 0), mode="nearest")
    return np.rint(smooth).astype(np.uint8)


def noisy(clips: np.ndarray, sigma: float) -> np.ndarray:
    random = np.random.default_rng(0)
    noise = sigma * random.standard_normal(clips.shape, np.float32)
    return np.clip(np.rint(clips + noise), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize(
    ("worse", "strengths"), [(blurred, (0.5, 1, 2, 4)), (noisy, (4, 8, 16, 64))]
)
def test_blur_and_noise_cost_more_the_stronger_they_are(
    kind, worse, strengths, distance, second_draw
):
    costs = [distance(kind, second_draw)]
    costs += [distance(kind, worse(second_draw, strength)) for strength in strengths]
    assert costs == sorted(costs)
    assert costs[1] > 1.5 * costs[0]


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(np.zeros(16, int), id="frozen"),
        pytest.param(np.random.default_rng(1).permutation(16), id="shuffled"),
        pytest.param(np.arange(16) // 2, id="half speed"),
    ],
)
def test_wrong_time_is_seen_in_clips_and_hardly_in_frames(order, distance, second_draw):
    changed = second_draw[:, order]
    assert distance("video", changed) > 8 * distance("video", second_draw)
    assert distance("frame", changed) < 1.7 * distance("frame", second_draw)


@pytest.mark.parametrize("kind", LOADERS)
def test_wrong_colours_and_missing_classes_are_seen(kind, distance, second_draw):
    honest = distance(kind, second_draw)
    assert distance(kind, second_draw[..., [1, 2, 0]]) > 8 * honest
    assert distance(kind, shapes_clips("test", range(0, 10 * NUM_CLIPS, 10))) > 8 * honest


@pytest.mark.parametrize("kind", LOADERS)
def test_features_have_mean_zero_and_deviation_one_and_do_not_saturate(kind, real):
    found = features(kind, real)
    assert np.abs(found.mean(axis=0)).max() < 0.3
    assert np.abs(found.std(axis=0) - 1).max() < 0.25
    assert np.abs(found).max() < 12
    assert np.linalg.matrix_rank(found) == 64


def test_clips_are_told_apart_by_shape_and_motion(real):
    with torch.no_grad():
        logits = LOADERS["video"]()(torch.from_numpy(real))
    labels = np.arange(NUM_CLIPS) % 10
    assert logits.shape == (NUM_CLIPS, len(CLASS_NAMES))
    assert (logits.argmax(1).numpy() == labels).mean() > 0.95


def test_frames_are_told_apart_by_shape_and_ground(real):
    with torch.no_grad():
        logits = LOADERS["frame"]()(torch.from_numpy(real[:100, ::5]))
    assert logits.shape == (100, 4, len(FRAME_CLASSES))
    for index, row in enumerate(logits.argmax(-1).mode(dim=1).values[:30]):
        scene = draw_scene("test", index)
        ground = "dark" if scene.night else "light"
        assert FRAME_CLASSES[row] == (scene.shape, ground)


@pytest.mark.parametrize("kind", LOADERS)
def test_the_head_of_the_features_is_the_forward_pass(kind, real):
    model, clips = LOADERS[kind](), torch.from_numpy(real[:3])
    with torch.no_grad():
        assert torch.equal(model(clips), model.head(model.features(clips)))
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model.training


@pytest.mark.parametrize("kind", LOADERS)
def test_a_clip_has_the_same_features_in_any_company(kind, real):
    model = LOADERS[kind]()
    with torch.no_grad():
        together = model.features(torch.from_numpy(real[:5]))
        alone = torch.cat([model.features(torch.from_numpy(real[i : i + 1])) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_frames_are_seen_one_by_one(real):
    model, clips = LOADERS["frame"](), torch.from_numpy(real[:4])
    with torch.no_grad():
        forwards = model.features(clips)
        backwards = model.features(clips.flip(1))
        single = model.features(clips[:, 7:8])
    assert forwards.shape == (4, 16, 64)
    torch.testing.assert_close(forwards.flip(1), backwards, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(forwards[:, 7:8], single, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", LOADERS)
def test_other_sizes_are_resized_with_antialiasing(kind, real):
    large = torch.from_numpy(shapes_clips("test", [1, 2], num_frames=8, size=64))
    frames = large.permute(0, 1, 4, 2, 3).float().flatten(0, 1)
    small = F.interpolate(frames, (32, 32), mode="bilinear", antialias=True)
    small = small.unflatten(0, (2, 8)).permute(0, 1, 3, 4, 2)
    model = LOADERS[kind]()
    with torch.no_grad():
        torch.testing.assert_close(
            model.features(large), model.features(small), rtol=1e-3, atol=1e-3
        )
        wide = model.features(torch.from_numpy(real[:2, :8, 4:-4]))
    assert wide.shape[-1] == 64


@pytest.mark.parametrize("num_frames", [8, 9, 16, 40])
def test_clips_of_eight_frames_and_more_give_features(num_frames):
    clips = torch.from_numpy(shapes_clips("test", [0], num_frames=num_frames))
    with torch.no_grad():
        assert LOADERS["video"]().features(clips).shape == (1, 64)


@pytest.mark.parametrize(
    ("name", "shape", "sentence"),
    [
        ("shapes", (1, 7, 32, 32, 3), r"\b8 frames.*\b7\b"),
        (
            "shapes",
            (1, 16, 3, 32, 32),
            "a network takes uint8",
        ),
        ("shapes-frame", (16, 32, 32, 3), "a network takes uint8"),
    ],
)
def test_clips_of_another_form_are_refused(name, shape, sentence):
    with pytest.raises(InputError, match=sentence):
        build(name)(torch.zeros(shape, dtype=torch.uint8))


def test_both_files_are_small_and_say_how_they_were_made():
    assert VIDEO_FILE.stat().st_size + FRAME_FILE.stat().st_size < 2 * 2**20
    for path, name in ((VIDEO_FILE, "ShapesVideoNet"), (FRAME_FILE, "ShapesFrameNet")):
        header = read_metadata(path)
        assert header["network"] == name
        assert header["version"] == shapes.VERSION
        assert "evaluation.networks.train_shapes" in header["command"]
        assert float(header["accuracy"]) > 0.95


def read_metadata(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()[shapes.HEADER_KEY])


def broken_files(folder: Path) -> dict[str, Path]:
    whole = VIDEO_FILE.read_bytes()
    (folder / "cut").write_bytes(whole[: len(whole) // 2])
    (folder / "page").write_text("<html>not found</html>")
    tensors, header = load_file(VIDEO_FILE), read_metadata(VIDEO_FILE)
    save_file(tensors, folder / "nameless")
    old = json.dumps(header | {"version": "0"})
    save_file(tensors, folder / "old", metadata={shapes.HEADER_KEY: old})
    lacking = {name: value for name, value in tensors.items() if name != "head.bias"}
    save_file(lacking, folder / "lacking", metadata={shapes.HEADER_KEY: json.dumps(header)})
    return {path.name: path for path in folder.iterdir()} | {"missing": folder / "missing"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cut", "cannot be read as safetensors"),
        ("page", "is a web page"),
        ("missing", "there is no such file"),
        ("nameless", "ShapesVideoNet version 1"),
        ("old", "ShapesVideoNet version 0.*ShapesVideoNet version 1"),
        ("lacking", r"ShapesVideoNet.*head\.bias is missing"),
    ],
)
def test_a_wrong_file_is_refused_by_name(name, sentence, tmp_path):
    path = broken_files(tmp_path)[name]
    with pytest.raises(InputError, match=f"{name}: .*{sentence}"):
        load_network(ShapesVideoNet, path)


@pytest.mark.parametrize("name", ["cut", "page", "nameless"])
def test_without_the_weights_that_are_refused_the_bundled_ones_are_used(name, tmp_path):
    path = broken_files(tmp_path)[name]
    with pytest.raises(InputError, match=rf"{name}: .*--weights"):
        build("shapes", weights=path)
    assert build("shapes").weights.label == "bundled"


def test_bundled_weights_that_are_damaged_are_installed_again(tmp_path, monkeypatch):
    path = broken_files(tmp_path)["cut"]
    monkeypatch.setattr(shapes, "VIDEO_FILE", path)
    with pytest.raises(InputError, match=r"cut: .*latte-eval.*install"):
        load_network(ShapesVideoNet, path)


def test_the_frame_network_does_not_take_the_video_networks_file():
    with pytest.raises(InputError, match=r"ShapesVideoNet version 1.*ShapesFrameNet"):
        load_network(ShapesFrameNet, VIDEO_FILE)


def test_normalising_and_folding_leave_the_logits_as_they_were():
    torch.manual_seed(0)
    model = ShapesFrameNet()
    train_shapes.normalise_batches(model)
    clips = torch.from_numpy(shapes_clips("train", range(8), num_frames=4))
    model(clips)  # moves the running moments off their start
    model.eval()
    with torch.no_grad():
        before = model(clips)
        train_shapes.fold_batch_norms(model)
        train_shapes.normalise_features(model, model.features(clips).flatten(0, 1))
        after = model(clips)
        moments = model.features(clips).flatten(0, 1)
    torch.testing.assert_close(before, after, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(moments.mean(0), torch.zeros(64), rtol=0, atol=1e-3)
    torch.testing.assert_close(moments.std(0), torch.ones(64), rtol=0, atol=1e-3)


def test_the_same_seed_trains_the_same_networks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_shapes, "NUM_SCENES", 20)
    monkeypatch.setattr(train_shapes, "NUM_NORMALISE", 20)
    monkeypatch.setattr(train_shapes, "NUM_TEST", 20)
    for name in ("a", "b"):
        train_shapes.main(["--out", str(tmp_path / name), "--steps", "2", "--seed", "3"])
    for path in (VIDEO_FILE, FRAME_FILE):
        one, other = tmp_path / "a" / path.name, tmp_path / "b" / path.name
        assert one.read_bytes() == other.read_bytes()
        assert read_metadata(one)["command"].endswith("--seed 3 --steps 2")
    assert capsys.readouterr().out.count("accuracy") == 4


def test_training_for_no_steps_is_refused():
    with pytest.raises(InputError, match=r"--steps 0\b.*\b1\b"):
        train_shapes.main(["--steps", "0"])
