"""Train the two embedded networks on the CPU: `python -m evaluation.networks.train_shapes`.

Each learns to name its classes and, through a second linear head that is not kept, to say what
else is in the scene: where, how large, how fast, which colours. So the features know more than the
class. Every step draws videos of the train split that were not seen before.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from tqdm import tqdm

from evaluation.networks.shapes import (
    ASSETS,
    FRAME_FILE,
    INPUT_SIZE,
    NUM_FEATURES,
    VIDEO_FILE,
    ShapesFrameNet,
    ShapesVideoNet,
    load_network,
    save_network,
)
from latte.data.errors import InputError
from latte.data.shapes import NUM_CLASSES, SHAPES, Scene, Split, draw_scene, render

BATCH_SIZE = 40
NUM_FRAMES = 16  # length of a clip
MAX_START = 48  # clips begin at frames 0 … 48, as in videos of 64 frames
LEARNING_RATE = 2e-3
SCENE_WEIGHT = 0.5  # weight of the scene's squared error beside the cross-entropy
NUM_SCENES = 1000  # scenes whose values are scaled to mean 0 and deviation 1
NUM_NORMALISE = 2000  # clips whose features get mean 0 and standard deviation 1
NUM_TEST = 2048

# Clips uint8 (N, T, H, W, 3); class (rows,) and scene (rows, K) of each row of features.
Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """What one network is trained to do."""

    network: type[ShapesVideoNet | ShapesFrameNet]
    file_name: str
    frames: int  # frames of each training clip that are used
    steps: int  # default number of steps
    targets: Callable[[Scene, int, np.ndarray], tuple[np.ndarray, np.ndarray]]


def video_targets(scene: Scene, index: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A clip's class (1,) and its scene (1, K): means, ways from first to last frame, speeds."""
    pose = scene.pose(times)
    means = [pose.x.mean(), pose.y.mean(), pose.radius.mean()]
    ways = [way[-1] - way[0] for way in (pose.x, pose.y, pose.radius, pose.turns)]
    speeds = [np.abs(np.diff(way)).mean() for way in (pose.x, pose.y, pose.radius, pose.turns)]
    row = [*means, *ways, *speeds, *_colours(scene)]
    return np.array([index % NUM_CLASSES]), np.array([row])


def frame_targets(scene: Scene, index: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each frame's class (T,) and its scene (T, K): place, size, colours."""
    pose = scene.pose(times)
    label = 2 * SHAPES.index(scene.shape) + int(scene.night)
    colours = np.broadcast_to(_colours(scene), (len(times), 6))
    rows = np.column_stack([pose.x, pose.y, pose.radius, colours])
    return np.full(len(times), label), rows


VIDEO = TrainingTask(
    network=ShapesVideoNet,
    file_name=VIDEO_FILE.name,
    frames=NUM_FRAMES,
    steps=1600,
    targets=video_targets,
)
FRAME = TrainingTask(
    network=ShapesFrameNet, file_name=FRAME_FILE.name, frames=4, steps=1200, targets=frame_targets
)


def draw_batch(
    task: TrainingTask, split: Split, indices: Sequence[int], starts: Sequence[int] | None = None
) -> Batch:
    """The task's frames, spread over 16, of these videos from these frames on (the first ones)."""
    clips, labels, scenes = [], [], []
    for index, start in zip(indices, starts or [0] * len(indices), strict=True):
        scene = draw_scene(split, index)
        times = np.arange(start, start + NUM_FRAMES, NUM_FRAMES // task.frames)
        clips.append(render(scene, times.tolist(), INPUT_SIZE))
        label, row = task.targets(scene, index, times.astype(np.float64))
        labels.append(label)
        scenes.append(row)
    return (
        torch.from_numpy(np.stack(clips)),
        torch.from_numpy(np.concatenate(labels)),
        torch.from_numpy(np.concatenate(scenes)).float(),
    )


def train(task: TrainingTask, *, steps: int, seed: int) -> nn.Module:
    """A trained network whose features are normalised. The same seed gives the same network."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = task.network()
    normalise_batches(model)
    _, _, scenes = draw_batch(task, "train", range(NUM_SCENES))
    scene_mean, scene_std = scenes.mean(0), scenes.std(0)
    scene_head = nn.Linear(NUM_FEATURES, len(scene_mean))
    parameters = [*model.parameters(), *scene_head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    progress = tqdm(range(steps), desc=task.network.__name__, unit="step")
    for step in progress:
        starts = random.integers(0, MAX_START + 1, BATCH_SIZE).tolist()
        indices = range(step * BATCH_SIZE, (step + 1) * BATCH_SIZE)
        clips, labels, scenes = draw_batch(task, "train", indices, starts)
        features = model.features(clips).flatten(0, -2)
        class_loss = F.cross_entropy(model.head(features), labels)
        scene_loss = F.mse_loss(scene_head(features), (scenes - scene_mean) / scene_std)
        optimiser.zero_grad()
        (class_loss + SCENE_WEIGHT * scene_loss).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        if step % 20 == 0:
            progress.set_postfix(classes=f"{class_loss:.3f}", scene=f"{scene_loss:.3f}")
    fold_batch_norms(model.eval())
    with torch.no_grad():
        rows = [model.features(clips) for clips, _, _ in _batches(task, "train", NUM_NORMALISE)]
    normalise_features(model, torch.cat(rows).flatten(0, -2))
    return model


def normalise_features(model: nn.Module, features: Tensor) -> None:
    """Set the moments by which features are normalised; the logits stay the same."""
    mean, std = features.mean(0), features.std(0)
    model.normalise.mean.copy_(mean)
    model.normalise.std.copy_(std)
    with torch.no_grad():
        model.head.bias += model.head.weight @ mean
        model.head.weight *= std


@torch.no_grad()
def test(task: TrainingTask, model: nn.Module) -> tuple[float, float]:
    """Accuracy (0 … 1) and cross-entropy (nats) on clips of the test split."""
    right, loss, rows = 0, 0.0, 0
    for clips, labels, _ in _batches(task, "test", NUM_TEST):
        logits = model(clips).flatten(0, -2)
        right += int((logits.argmax(1) == labels).sum())
        loss += float(F.cross_entropy(logits, labels, reduction="sum"))
        rows += len(labels)
    return right / rows, loss / rows


def normalise_batches(model: nn.Module) -> None:
    """Batch normalisation after each convolution, for training alone."""
    for place, convolution in enumerate(model.stages):
        norm = nn.BatchNorm3d if isinstance(convolution, nn.Conv3d) else nn.BatchNorm2d
        model.stages[place] = nn.Sequential(convolution, norm(convolution.out_channels))


def fold_batch_norms(model: nn.Module) -> None:
    for place, (convolution, norm) in enumerate(model.stages):
        model.stages[place] = fuse_conv_bn_eval(convolution, norm)


def _batches(task: TrainingTask, split: Split, count: int) -> Iterator[Batch]:
    for start in range(0, count, 64):
        yield draw_batch(task, split, range(start, min(start + 64, count)))


def _colours(scene: Scene) -> np.ndarray:
    """Colours of the ground's middle and of the shape (6,), grey levels."""
    return np.concatenate([np.mean(scene.ground, axis=0), np.mean(scene.colours, axis=0)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write and test both networks."""
    parser = argparse.ArgumentParser(description="Train the two embedded networks on the CPU.")
    parser.add_argument("--out", type=Path, default=ASSETS, help="folder (default: the package's)")
    parser.add_argument("--steps", type=int, help="steps of each network (default: as bundled)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.steps is not None and options.steps < 1:
        raise InputError(f"--steps {options.steps}: give at least 1")
    # One thread: sums in one order give the same network, and layers this small gain by no more.
    torch.set_num_threads(1)
    command = f"python -m evaluation.networks.train_shapes --seed {options.seed}"
    if options.steps:
        command += f" --steps {options.steps}"
    for task in (VIDEO, FRAME):
        steps = options.steps or task.steps
        began = time.monotonic()
        model = train(task, steps=steps, seed=options.seed)
        seconds = time.monotonic() - began
        path = options.out / task.file_name
        accuracy, loss = test(task, model)
        facts = {"command": command, "accuracy": f"{accuracy:.4f}", "loss": f"{loss:.4f}"}
        facts |= {"steps": str(steps), "seed": str(options.seed)}
        save_network(model, path, facts | {"torch": torch.__version__})
        written, _ = test(task, load_network(task.network, path))
        print(
            f"{task.network.__name__}: accuracy {accuracy:.2%} ({written:.2%} as written), "
            f"loss {loss:.4f}, {steps} steps, {seconds:.0f} s, {path} "
            f"({path.stat().st_size / 1024:.0f} KiB)"
        )


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
