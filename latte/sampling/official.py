"""How the official samples were made (Vchitect/Latte b27c24a, configs/*/*_sample.yaml)."""

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType

from latte.autoencoder import lasting_path
from latte.config import LatteConfig
from latte.data.datasets import dataset
from latte.data.errors import InputError
from latte.diffusion import DiffusionSettings
from latte.model.checkpoints import AutoencoderSettings, CheckpointSettings
from latte.sampling.generate import SamplingOptions

FPS = 8.0  # frames per second of the videos of every data set
DIFFUSION = DiffusionSettings()
GUIDANCE_SCALES: Mapping[str, float] = MappingProxyType({"ucf101": 7.0})  # 1 on the others
VAE_CHANNELS = 4
VAE_FACTOR = 8  # pixels for each side of a latent of Stable Diffusion's autoencoder


def official_options(dataset_name: str | None, num_classes: int | None) -> SamplingOptions:
    """Sampling of a network of this data set; only one with classes can be guided."""
    scale = 1.0 if num_classes is None else GUIDANCE_SCALES.get(dataset_name or "", 1.0)
    return SamplingOptions(method="ddpm", steps=250, guidance_scale=scale)


def official_settings(
    config: LatteConfig, dataset_name: str | None, vae: str | None
) -> CheckpointSettings:
    """The settings for a checkpoint that an official file becomes.

    Raises:
        InputError: no such data set, or one whose classes are not the network's.
    """
    settings = CheckpointSettings()
    if dataset_name is not None:
        known = dataset(dataset_name)
        if config.num_classes not in (None, known.num_classes):
            raise InputError(
                f"--dataset {dataset_name}: has {known.num_classes or 'no'} classes, but the "
                f"network has {config.num_classes}"
            )
        settings["dataset"] = known.name
    settings |= {"fps": FPS, "diffusion": asdict(DIFFUSION)}
    if config.in_channels == VAE_CHANNELS:
        settings["frame_size"] = config.input_size * VAE_FACTOR
        autoencoder = AutoencoderSettings(name="sd-vae")
        if vae is not None:
            autoencoder["path"] = lasting_path(vae)
        settings["autoencoder"] = autoencoder
    options = asdict(official_options(dataset_name, config.num_classes))
    settings["sampling"] = {name: options[name] for name in ("guidance_scale", "method", "steps")}
    return settings
