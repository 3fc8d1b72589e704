"""A user's function, found by name, that measures a network while it is trained."""

from pkgutil import resolve_name

from latte.data.errors import InputError
from latte.training.config import TrainConfig
from latte.training.snapshot import Evaluate


def open_callback(name: str | None, config: TrainConfig) -> Evaluate | None:
    """The function MODULE:FUNCTION; None without a name.

    Raises:
        InputError: there is none, or the configuration never calls it.
    """
    if name is None:
        return None
    if config.output.evaluate_every < 1:
        raise InputError(
            f"--evaluate {name}: output.evaluate_every is 0, so it would never be called: set it"
        )
    if ":" not in name:
        raise InputError(f"--evaluate {name}: write MODULE:FUNCTION")
    try:
        measure = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"--evaluate {name}: cannot be imported ({error}): a module in the current folder is "
            "found by `python -m latte train`"
        ) from error
    if not callable(measure):
        raise InputError(f"--evaluate {name}: is not a function")
    return measure
