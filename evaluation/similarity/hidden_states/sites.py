"""Places in a network by dotted path, those of a Latte that the paper examines, and their states.

A forward hook hands each state on as soon as it is there, so no more than one is held.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

from latte.data.errors import InputError

SPATIAL, TEMPORAL = "attn", "attn_temporal"  # submodules of the blocks of variants 3 and 4
AXES = "nfshwd"  # clips, frames, tokens of a frame (or their rows and columns), channels
Receive = Callable[["Site", Tensor], None]


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where in a network states are taken: the output of a submodule.

    A layout names each axis by a letter: n clips, f frames, d channels and, where a frame has
    several tokens, s, or h and w. (nf) is one axis that holds both, the clips outside: "(nf)sd" is
    the usual one of attention over space, "(ns)fd" of attention over time, "n(fs)d" of both
    together, "(nf)dhw" that of a convolution of single frames.

    Raises:
        ValueError: no such layout.
    """

    path: str  # the name in `named_modules`
    layout: str  # layout of its output; if that is a tuple, of its first part
    kind: str = "output"  # sites of one kind make a curve over depth: "spatial block", …
    depth: int | None = None  # number of its block
    skip_tokens: int = 0  # first tokens of a frame that are no part of the picture

    def __post_init__(self) -> None:
        letters = re.sub(r"[()]", "", self.layout)
        whole = re.fullmatch(r"(\(\w+\)|\w)+", self.layout) and set(letters) <= set(AXES)
        if not whole or len(set(letters)) < len(letters) or not set("nfd") <= set(letters):
            raise ValueError(f"{self.layout!r}: a layout is nfsd, (nf)sd or (ns)fd, for example")


@dataclass(frozen=True, kw_only=True)
class SitePair:
    """Two sites whose states are compared with each other, by their paths."""

    first: str
    second: str
    depth: int | None = None


def latte_sites(config: Any, parts: Sequence[int | str] | None = None) -> tuple[Site, ...]:
    """The sites of a Latte.

    Args:
        config: the network's `latte.config.LatteConfig`.
        parts: blocks by number, each of which stands for its output and, in variants 3 and 4,
            the outputs of its spatial and of its temporal attention; or dotted paths. None: all
            blocks.

    Raises:
        InputError: an unknown block, or an empty path.
    """
    sites: dict[str, Site] = {}
    for part in range(config.depth) if parts is None else parts:
        if isinstance(part, str):
            paths = [part]
        elif 0 <= part < config.depth:
            own = f"blocks.{part}"
            branches = [f"{own}.{SPATIAL}", f"{own}.{TEMPORAL}"] if config.variant in (3, 4) else []
            paths = [own, *branches]
        else:
            raise InputError(f"no block {part}: the model has blocks 0 … {config.depth - 1}")
        sites |= {path: _latte_site(config, path) for path in paths}
    return tuple(sites.values())


def branch_pairs(sites: Sequence[Site]) -> tuple[SitePair, ...]:
    """Spatial with temporal attention, for each block that has both among the sites."""
    paths = {site.path for site in sites}
    return tuple(
        SitePair(first=site.path, second=f"{block}.{TEMPORAL}", depth=site.depth)
        for site in sites
        for block, _, part in [site.path.rpartition(".")]
        if part == SPATIAL and f"{block}.{TEMPORAL}" in paths
    )


def check_sites(
    model: nn.Module, sites: Sequence[Site], children: Sequence[str] | None = None
) -> None:
    """Refuse a path that the model does not have.

    Args:
        children: the model's children whose outputs are states of frames; None: all.

    Raises:
        InputError: naming the nearest paths and the parts of the model.
    """
    paths = [path for path, _ in model.named_modules()][1:]
    for site in sites:
        if site.path not in paths:
            near = get_close_matches(site.path, paths, n=3, cutoff=0.5)
            meant = f"did you mean {' or '.join(near)}? it has" if near else "it has"
            raise InputError(
                f"the model has no part {site.path!r}: {meant} {_outline(model, children)}, and "
                "their parts"
            )


@contextmanager
def watching(
    model: nn.Module, sites: Sequence[Site], receive: Receive, *, num_clips: int, num_frames: int
) -> Iterator[None]:
    """Within the context, `receive(site, states)` gets the states (N, F, S, D) of every run.

    Args:
        num_clips: clips in each run, N.
        num_frames: frames of tokens, F.

    Raises:
        InputError: the model has no such path, a site was never reached or more than once, or
            its output does not have its layout.
    """
    check_sites(model, sites)
    modules = dict(model.named_modules())
    calls = {site.path: 0 for site in sites}

    def hook(site: Site) -> Callable[[nn.Module, Any, Any], None]:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            calls[site.path] += 1
            if calls[site.path] > 1:
                raise InputError(
                    f"{site.path} runs more than once in a pass: give a submodule that runs once"
                )
            states = as_frames(output, site, num_clips, num_frames)
            receive(site, states[:, :, site.skip_tokens :])

        return keep

    with ExitStack() as stack:
        for site in sites:
            handle = modules[site.path].register_forward_hook(hook(site))
            stack.callback(handle.remove)
        yield
    idle = [path for path, count in calls.items() if not count]
    if idle:
        raise InputError(f"{idle[0]} does not run in a pass of the model: give another part")


def as_frames(output: Any, site: Site, num_clips: int, num_frames: int) -> Tensor:
    """The output of a submodule as (N, F, S, D).

    Raises:
        InputError: it is no tensor, or does not have the site's layout.
    """
    if isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, Tensor):
        raise InputError(
            f"{site.path} gives {type(output).__name__}, not hidden states: give another part"
        )
    # The letters of each axis: "(nf)sd" has "nf", "s", "d".
    groups = [axis.strip("()") for axis in re.findall(r"\(\w+\)|\w", site.layout)]
    whole = _unflattened(output, groups, {"n": num_clips, "f": num_frames})
    if whole is None:
        raise InputError(
            f"{site.path} gives {tuple(output.shape)}, which is not {site.layout} of {num_clips} "
            f"clips of {num_frames} frames: give another part, or its layout"
        )
    letters = "".join(groups)
    ordered = whole.permute([letters.index(letter) for letter in AXES if letter in letters])
    return ordered.reshape(num_clips, num_frames, -1, ordered.shape[-1])


def _latte_site(config: Any, path: str) -> Site:
    """One site by its path: tokens are (N, F, S, D) except in attention over time."""
    if not path:
        raise InputError("a part of the model without a name: give a path such as blocks.0.attn")
    block = re.match(r"blocks\.(\d+)", path)
    if block is None:
        return Site(path=path, layout="nfsd")
    depth = int(block[1])
    axis, part = _axis(config, depth), path.removeprefix(f"blocks.{depth}").removeprefix(".")
    inner = part.partition(".")[0]
    over_time = inner == TEMPORAL or (inner == SPATIAL and axis == "temporal")
    kind = part or f"{axis} block".strip()
    if part in (SPATIAL, TEMPORAL):
        kind = f"{'temporal' if over_time else 'spatial'} attention"
    skip = 0
    if config.conditioning == "all-tokens":
        # The timestep and the class stand before the patches, inside the blocks alone.
        skip = 1 if config.num_classes is None else 2
    layout = "nsfd" if over_time else "nfsd"
    return Site(path=path, layout=layout, kind=kind, depth=depth, skip_tokens=skip)


def _axis(config: Any, depth: int) -> str:
    """The axis that a block attends over; empty where it attends over both."""
    if config.variant == 1:
        return "temporal" if depth % 2 else "spatial"
    if config.variant == 2:
        return "temporal" if depth >= config.depth // 2 else "spatial"
    return ""


def _outline(model: nn.Module, names: Sequence[str] | None) -> str:
    """The children of a model; a list by its first and its last: `blocks.0 … blocks.13`."""
    children = dict(model.named_children())
    parts = []
    for name in children if names is None else names:
        part = children[name]
        is_list = isinstance(part, nn.ModuleList) and len(part) > 1
        parts.append(f"{name}.0 … {name}.{len(part) - 1}" if is_list else name)
    return ", ".join(parts)


def _unflattened(output: Tensor, groups: Sequence[str], sizes: dict[str, int]) -> Tensor | None:
    """The output with one axis for each letter; None where its shape does not fit."""
    if len(groups) != output.ndim:
        return None
    try:
        for axis, letters in reversed(list(enumerate(groups))):
            output = output.unflatten(axis, [sizes.get(letter, -1) for letter in letters])
    except RuntimeError:
        return None
    return output
