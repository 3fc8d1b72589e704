"""The sites of a Latte that the paper examines, by variant; the generator is not imported."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluation.similarity.hidden_states.sites import Site
from latte.data.errors import InputError

SPATIAL, TEMPORAL = "attn", "attn_temporal"  # submodules of the blocks of variants 3 and 4


class LatteSizes(Protocol):
    """The part of a `latte.config.LatteConfig` that is read here."""

    @property
    def variant(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def conditioning(self) -> str: ...
    @property
    def num_classes(self) -> int | None: ...


@dataclass(frozen=True, kw_only=True)
class SitePair:
    """Two sites whose states are compared with each other, by their paths."""

    first: str
    second: str
    depth: int | None = None


def latte_sites(config: LatteSizes, parts: Sequence[int | str] | None = None) -> tuple[Site, ...]:
    """The sites of a Latte.

    Args:
        config: configuration of the network.
        parts: blocks by number, each of which stands for its output and, in variants 3 and 4,
            the outputs of its spatial and of its temporal attention; or dotted paths. None: all
            blocks.

    Raises:
        InputError: an unknown block, or an empty path.
    """
    sites: dict[str, Site] = {}
    for part in range(config.depth) if parts is None else parts:
        for path in [part] if isinstance(part, str) else _paths_of_block(config, part):
            sites[path] = latte_site(config, path)
    return tuple(sites.values())


def latte_site(config: LatteSizes, path: str) -> Site:
    """One site by its dotted path: tokens are (N, F, S, D) except in attention over time.

    Raises:
        InputError: the path is empty.
    """
    if not path:
        raise InputError("a part of the model without a name: give a path such as blocks.0.attn")
    block = re.match(r"blocks\.(\d+)(?:\.(\w+))?", path)
    depth = int(block[1]) if block else None
    part = block[2] if block else None
    over_time = part == TEMPORAL
    if part == SPATIAL and depth is not None:
        over_time = _axis(config, depth) == "temporal"
    kind = "output" if depth is None else path.removeprefix(f"blocks.{depth}.")
    if path == f"blocks.{depth}" and depth is not None:
        kind = f"{_axis(config, depth)} block".strip()
    elif part in (SPATIAL, TEMPORAL) and path.endswith(str(part)):
        kind = f"{'temporal' if over_time else 'spatial'} attention"
    extra = 0
    if depth is not None and config.conditioning == "all-tokens":
        # The timestep and the class stand before the patches, inside the blocks alone.
        extra = 1 if config.num_classes is None else 2
    return Site(
        path=path, layout="nsfd" if over_time else "nfsd", kind=kind, depth=depth, skip_tokens=extra
    )


def branch_pairs(sites: Sequence[Site]) -> tuple[SitePair, ...]:
    """Spatial with temporal attention, for each block that has both among the sites."""
    paths = {site.path for site in sites}
    return tuple(
        SitePair(first=site.path, second=f"{block}.{TEMPORAL}", depth=site.depth)
        for site in sites
        for block, _, part in [site.path.rpartition(".")]
        if part == SPATIAL and f"{block}.{TEMPORAL}" in paths
    )


def _paths_of_block(config: LatteSizes, number: int) -> list[str]:
    if not 0 <= number < config.depth:
        raise InputError(f"no block {number}: the model has blocks 0 … {config.depth - 1}")
    block = f"blocks.{number}"
    if config.variant in (3, 4):
        return [block, f"{block}.{SPATIAL}", f"{block}.{TEMPORAL}"]
    return [block]


def _axis(config: LatteSizes, depth: int) -> str:
    """The axis that a block attends over; empty where it attends over both."""
    if config.variant == 1:
        return "temporal" if depth % 2 else "spatial"
    if config.variant == 2:
        return "temporal" if depth >= config.depth // 2 else "spatial"
    return ""
