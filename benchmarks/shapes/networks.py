"""The networks that come with the package, as keys of measured cells know them."""

from functools import cache

NAMES = ("shapes", "shapes-frame")


@cache
def embedded_networks() -> tuple[tuple[str, int, str], ...]:
    """Name, version and hash of the weights of each network, on which numbers depend."""
    from evaluation.networks.registry import network
    from evaluation.networks.weights import locate_weights

    specs = [network(name) for name in NAMES]
    return tuple((spec.name, spec.version, locate_weights(spec).sha256) for spec in specs)
