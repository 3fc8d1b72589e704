"""The network: `Latte(config)`."""

from latte.config import PRESETS, LatteConfig, preset
from latte.model.transformer import Latte

__all__ = ["PRESETS", "Latte", "LatteConfig", "preset"]
