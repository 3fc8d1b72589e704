"""How the official samples were made (Vchitect/Latte b27c24a, configs/*/*_sample.yaml)."""

from collections.abc import Mapping
from types import MappingProxyType

from latte.diffusion import DiffusionSettings
from latte.sampling.generate import SamplingOptions

FPS = 8.0  # of the videos, on every data set
DIFFUSION = DiffusionSettings()
GUIDANCE_SCALES: Mapping[str, float] = MappingProxyType({"ucf101": 7.0})  # 1 on the others


def official_options(dataset: str | None, num_classes: int | None) -> SamplingOptions:
    """For a network of this data set; only one with classes can be guided."""
    scale = 1.0 if num_classes is None else GUIDANCE_SCALES.get(dataset or "", 1.0)
    return SamplingOptions(method="ddpm", steps=250, guidance_scale=scale)
