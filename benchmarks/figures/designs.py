"""The designs that the paper's figures compare, and what they are trained as at each scale.

A design is the baseline (the paper's best practice: variant 1, uniform frame patches, S-AdaLN,
absolute positions, no images) with one thing changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.cells.cache import CellRecord, MeasuredCells
from benchmarks.cells.requirements import Requirement
from benchmarks.cells.scale import Scale
from latte.training.config import TrainConfig, load_config

DATASET = "faceforensics"  # the paper's figures use it


@dataclass(frozen=True, kw_only=True)
class Design:
    """What differs from the baseline, as `--set` options of `latte train`."""

    name: str
    settings: tuple[str, ...] = ()
    starts_from_images: bool = False  # a model of single images, in place of random weights
    size: str = ""  # key of `Setup.sizes`, for Figure 7
    stride: int = 0  # place in `Setup.strides`, counted from 1, for Figure 5e
    joint: str = ""  # mask of training with images: how attention over time sees them


BASELINE = Design(name="baseline")
COMPRESSION = Design(name="compression frame", settings=("model.patch_embedding=compression",))
ALL_TOKENS = Design(name="all tokens", settings=("model.conditioning=all-tokens",))
ROTARY = Design(name="rotary positions", settings=("model.temporal_position=rotary",))
FROM_IMAGES = Design(name="from an image model", starts_from_images=True)
STRIDES = tuple(Design(name=f"sampling interval, place {i}", stride=i) for i in (1, 2, 3, 4))
VARIANTS = {
    number: Design(name=f"variant {number}", settings=(f"model.variant={number}",))
    for number in (2, 3, 4)
}
SIZES = {size: Design(name=f"size {size}", size=size) for size in ("S", "B", "L", "XL")}
ONLY_VIDEO = Design(name="joint, only video", joint="only-video")
TEMPORAL_MASK = Design(name="joint, temporal mask", joint="temporal-mask")


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """How a checkpoint is measured. All of it affects the numbers."""

    num_clips: int = 256  # samples
    num_real: int = 1024  # videos of the test split
    sample_steps: int = 20  # steps of DDIM, without guidance
    batch_size: int = 64  # samples in one pass of the network: affects the last bits
    resamples: int = 200  # bootstrap resamples of the intervals


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a scale trains and how it measures."""

    config: str  # configuration of `latte train`
    settings: tuple[str, ...]
    points: int  # checkpoints that are measured
    strides: tuple[int, ...]  # sampling intervals of Figure 5e
    sizes: Mapping[str, tuple[str, ...]]  # settings for Figure 7; the baseline's are empty
    images_per_clip: int  # images after each clip in joint training
    joint: tuple[str, ...] = ()  # other settings of joint training
    measure: MeasureOptions = field(default_factory=MeasureOptions)  # how checkpoints are measured
    image_settings: tuple[str, ...] = ()  # other settings of the image model, beside `settings`
    num_images: int = 0  # images that the image model is trained on
    components: int = 0  # latents fitted to 8×8 patches of its frames; 0: as configured
    device: str = "cpu"

    def settings_of(self, design: Design) -> tuple[str, ...]:
        """All `--set` options of a design: a run of `latte train` with them is the design's."""
        settings = [*self.settings, *design.settings]
        if design.size:
            settings += self.sizes[design.size]
        if design.stride:
            settings.append(f"data.stride={self.strides[design.stride - 1]}")
        if design.joint:
            settings.append(f"data.images_per_clip={self.images_per_clip}")
            settings.append(f"model.image_attention={design.joint}")
            settings += self.joint
        return tuple(settings)

    def config_of(self, design: Design) -> TrainConfig:
        """The configuration of a design, but for the file that it starts from."""
        return load_config(self.config, self.settings_of(design))

    def strides_of(self, design: Design) -> tuple[int, ...]:
        """Sampling intervals of the real clips of a design: its own, and the baseline's."""
        return tuple(dict.fromkeys(self.config_of(x).data.stride for x in (design, BASELINE)))


@dataclass(frozen=True, kw_only=True)
class DesignCells:
    """The measured cells of some designs."""

    measured: MeasuredCells
    keys: Mapping[tuple[Design, int], str]  # keys by design and seed
    lacking: Mapping[Design, Sequence[Requirement]] = field(default_factory=dict)  # to train it

    def of(self, design: Design) -> dict[int, CellRecord]:
        """The cells of a design, by seed."""
        return {
            seed: self.measured.cells[key]
            for (other, seed), key in self.keys.items()
            if other == design and key in self.measured.cells
        }

    def shown(self, designs: Iterable[Design]) -> list[CellRecord]:
        """The cells of several designs, each once."""
        cells = [cell for design in designs for cell in self.of(design).values()]
        return [*{cell.key: cell for cell in cells}.values()]


SINGLE_IMAGES = (
    "data.num_frames=1",
    "model.class_conditional=false",
    "model.temporal_attention=false",
)
TINY = Setup(
    config="shapes-tiny",
    settings=(
        "model.patch_size=1",
        "model.hidden_size=64",
        "model.num_heads=4",
        "autoencoder.name=patches",
        "data.num_videos=0",
        "training.steps=800",
        "training.batch_size=16",
        "training.learning_rate=1e-3",
        "training.ema=0.99",
    ),
    points=5,
    strides=(1, 2, 4, 8),
    sizes={
        "S": ("model.hidden_size=32",),
        "B": (),
        "L": ("model.hidden_size=96", "model.depth=6"),
        "XL": ("model.hidden_size=104", "model.depth=8"),
    },
    images_per_clip=4,
    measure=MeasureOptions(num_clips=256, num_real=1024, sample_steps=10),
    image_settings=(*SINGLE_IMAGES, "training.batch_size=64"),
    num_images=10_000,
    components=16,
)

SMALL = Setup(
    config="shapes",
    settings=(
        "diffusion.prediction=noise",  # the paper's, as the schedule; the configuration has others
        "diffusion.schedule=linear",
        "training.steps=2000",
        "training.batch_size=32",
        "training.ema=0.998",
        "training.decay=constant",
        "training.compile=false",
    ),
    points=5,
    strides=(1, 2, 3, 4),
    sizes={
        "S": ("model.hidden_size=96",),
        "B": (),
        "L": ("model.hidden_size=256", "model.depth=12"),
        "XL": ("model.hidden_size=288", "model.depth=14"),
    },
    images_per_clip=8,
    measure=MeasureOptions(num_clips=1024, num_real=2048, sample_steps=25, batch_size=128),
    image_settings=(*SINGLE_IMAGES, "training.batch_size=256"),
    num_images=50_000,
    device="cuda",
)

PAPER = Setup(
    config="faceforensics",
    # A hard stop costs no more than 5,000 steps; of these checkpoints every fourth is measured.
    settings=("training.steps=200000", "output.checkpoint_every=5000"),
    points=10,
    strides=(1, 3, 8, 16),
    sizes={size: (f"model.preset=Latte-{size}/2",) for size in ("S", "B", "L")} | {"XL": ()},
    images_per_clip=8,
    joint=("training.batch_size=4",),  # the official joint configurations have 4 per process
    device="cuda",
)

SETUPS: Mapping[Scale, Setup] = {"tiny": TINY, "small": SMALL, "paper": PAPER}
