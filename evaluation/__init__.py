"""Measures of generated videos: any generator's videos in, numbers out.

`measure`, `compare`, `load_protocol`, `Protocol` and `Result` are the public API (docs/api.md).
They are imported when they are first used: `import evaluation` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluation.comparison.api import compare as compare
    from evaluation.features.extraction import ExtractionOptions as ExtractionOptions
    from evaluation.measuring.api import measure as measure
    from evaluation.protocol.fields import Protocol as Protocol
    from evaluation.protocol.presets import load_protocol as load_protocol
    from evaluation.results.record import Result as Result

_HOMES = {
    "measure": "evaluation.measuring.api",
    "compare": "evaluation.comparison.api",
    "load_protocol": "evaluation.protocol.presets",
    "Protocol": "evaluation.protocol.fields",
    "Result": "evaluation.results.record",
    "ExtractionOptions": "evaluation.features.extraction",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
