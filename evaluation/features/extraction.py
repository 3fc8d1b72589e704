"""Clips → features: a map over the plan. Each clip is decoded once, whatever the networks.

Rows are stored under the content that they describe, so batch size, workers, processes and crashes
cannot change a result: they change only which rows are computed when.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluation.features.claims import CLIPS_AT_ONCE, rounds
from evaluation.features.distributed import Processes
from evaluation.features.probing import HASHING_THREADS, digests_of
from evaluation.features.store import FeatureStore
from evaluation.networks.extractor import Extractor
from evaluation.networks.spec import Forward, NetworkSpec, OpenedNetwork
from evaluation.networks.weights import LocatedWeights
from evaluation.protocol.content import content_key
from evaluation.statistics.running import Statistics, streamed_statistics
from latte.data.clips import Clip
from latte.data.errors import BrokenVideoError, InputError
from latte.data.loading import Preparation, clip_identity, frame_size, load_in_workers
from latte.data.processes.pool import Pool
from latte.data.progress import progress_bar
from latte.data.sources import FileVideo, Video

ROWS_AT_ONCE = 1024
TURNS = 8  # in which one of several processes takes its clips


@dataclass(frozen=True, kw_only=True)
class ExtractionOptions:
    """How features are extracted; on a CPU none of it affects results, on a GPU the last bits."""

    store: Path | None = None  # folder of features; None keeps them in memory, for this run alone
    device: str = "cpu"
    batch_size: int = 8  # clips decoded before the network runs
    workers: int = 2  # decoding processes; 0 decodes in the main process
    timeout: float = 120.0  # seconds that one video may take before it counts as broken
    skip_broken: bool = False
    progress: bool = True
    trust_weights: bool = False  # run TorchScript, which is code, even if its hash is unpublished
    exact: bool = False  # run networks as published: no faster implementation
    # Processes that share the clips, each with these options on a device of its own.
    processes: Processes = field(default_factory=Processes, compare=False)


class StoredNetwork:
    """A network, as it runs with its weights on its device, and the place of its features."""

    def __init__(self, extractor: Extractor, root: Path | None) -> None:
        self.extractor = extractor
        space = {
            "network": extractor.spec.name,
            "version": extractor.spec.version,
            "weights_sha256": extractor.weights.sha256,
            "output": extractor.spec.output,
            "resize": extractor.spec.resize,
            "run": extractor.implementation,
            "device": str(extractor.device).partition(":")[0],
            "precision": "float32",
        }
        self.store = FeatureStore(root, space)

    @classmethod
    def of_function(cls, spec: NetworkSpec, forward: Forward, root: Path | None) -> "StoredNetwork":
        """A function of clips in the place of a network, on the CPU: there are no weights."""
        extractor = Extractor(
            spec=spec,
            weights=LocatedWeights(path=Path(spec.name), sha256="", published=True, label="none"),
            device="cpu",
            run=OpenedNetwork(forward=forward, implementation="no network"),
        )
        return cls(extractor, root)

    def features(self, keys: Sequence[bytes]) -> np.ndarray:
        """All rows at once, float32: (clips, D), or (frames of all clips, D) of a frame network."""
        return np.concatenate([np.atleast_2d(row) for row in self.store.rows(keys)])

    def frame_features(self, keys: Sequence[bytes]) -> np.ndarray:
        """Rows of a frame network, clip by clip: (clips, T, D) float32.

        Raises:
            InputError: clips of different lengths.
        """
        rows = self.store.rows(keys)
        if len({len(row) for row in rows}) > 1:
            raise InputError(
                "clips of different lengths have no common frame positions: use a protocol whose "
                "offsets are first or random"
            )
        return np.stack(rows)

    def statistics(self, keys: Sequence[bytes], ddof: int = 0) -> Statistics:
        """Mean and covariance of the rows, streamed in the order of the plan."""
        starts = range(0, len(keys), ROWS_AT_ONCE)
        pieces = (self.features(keys[start : start + ROWS_AT_ONCE]) for start in starts)
        return streamed_statistics(pieces, ddof=ddof)


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """Where the features of a plan's clips are, and which clips could not be read."""

    keys: tuple[bytes, ...]  # readable clips, in the order of the plan
    broken: tuple[tuple[str, str], ...]  # (video name, sentence)
    decoded: int  # clips that were not in the store


def extract(
    clips: Sequence[Clip],
    networks: Sequence[StoredNetwork],
    preparation: Preparation,
    options: ExtractionOptions,
    *,
    label: str,
    digests: Mapping[Video, str] | None = None,
    pool: Pool | None = None,
) -> Extraction:
    """Fill the stores with the features of these clips, except those that they hold already.

    Processes decode and prepare clips ahead, into memory that they share with this one, while the
    networks run here. Runs that need the same rows of one store divide them.

    Args:
        label: what the progress bar calls the clips.
        digests: of the content of video files, as far as they are known.
        pool: processes that decode; by default `options.workers` of them, for this call.

    Raises:
        InputError: clips of different sizes, or features that are not finite.
        BrokenVideoError: a video that cannot be read, unless `options.skip_broken`.
    """
    check_sizes(clips, preparation, label)
    processes, stores = options.processes, [network.store for network in networks]
    keys: list[bytes] = []
    by_key: dict[bytes, Clip] = {}
    broken: list[tuple[str, str]] = []
    content = processes.map(
        f"content of {label}",
        lambda share: _content_keys(share, preparation, digests or {}),
        clips,
        lambda clip: f"{clip.video.name} {clip.frames} {clip.mirrored}",
    )
    for clip, key in zip(clips, content, strict=True):
        if isinstance(key, BrokenVideoError):
            _keep_or_raise(key, clip, options, broken)
            continue
        keys.append(key)
        by_key[key] = clip
    # All divide what the first process misses: other runs may be filling the stores meanwhile.
    missing = processes.first(f"plan of {label}", lambda: _missing(stores, by_key))
    if not missing:
        return Extraction(keys=tuple(keys), broken=tuple(broken), decoded=0)
    # Neighbours are of one video, which one process opens.
    in_runs = _in_runs({key: by_key[key] for key in missing})
    mine = {key: by_key[key] for key in processes.part(in_runs)}
    # Taking clips is a turn of all processes that use the store: many take few turns each.
    at_once, world = CLIPS_AT_ONCE, processes.process.world
    if world > 1:
        _missing(stores, mine)  # this one may remember rows that the first process found lost
        at_once = max(at_once, len(mine) // TURNS)
    decoded, unreadable = 0, list[tuple[str, str]]()
    known = len(by_key) - len(missing)
    total = known + len(mine)
    group = max(network.extractor.at_once for network in networks)
    size = -(-options.batch_size // group) * group
    source = _Source(mine, preparation, options, pool or options.workers, unreadable)
    shown_as = label if world == 1 else f"{label} (process 1 of {world})"  # the one that speaks
    with progress_bar(total, shown_as, "clip", shown=options.progress, initial=known) as bar:
        try:
            for taken in rounds(stores, mine, clips_at_once=at_once):
                for batch in source.batches(taken, size):
                    _run_networks(batch, networks)
                    bar.update(len(batch))
                    decoded += len(batch)
        finally:
            for store in stores:
                store.flush()
        bar.update(total - bar.n)  # clips that other runs made, and broken ones
    shares = processes.agree(f"features of {label}", (unreadable, decoded))
    processes.hand_over(stores, missing)
    if processes.is_first:
        for store in stores:
            store.merge()
    place = {clip.video.name: index for index, clip in enumerate(clips)}
    lost = itertools.chain(*(of_one for of_one, _ in shares))
    broken += sorted(lost, key=lambda each: place[each[0]])
    return Extraction(
        keys=tuple(keys), broken=tuple(broken), decoded=sum(count for _, count in shares)
    )


def _missing(stores: Sequence[FeatureStore], keys: Iterable[bytes]) -> list[bytes]:
    """The keys of which a store has no row, or a damaged one, which is set aside."""
    wanted = list(keys)
    for store in stores:
        store.check([key for key in wanted if key in store])
    return [key for key in wanted if any(key not in store for store in stores)]


def _in_runs(missing: Mapping[bytes, Clip]) -> list[bytes]:
    """The keys with clips of one video together, in the order of their frames."""
    place: dict[str, int] = {}
    for clip in missing.values():
        place.setdefault(clip.video.name, len(place))

    def order(key: bytes) -> tuple[int, tuple[int, ...], bool]:
        clip = missing[key]
        return place[clip.video.name], clip.frames, clip.mirrored

    return sorted(missing, key=order)


def check_sizes(clips: Sequence[Clip], preparation: Preparation, label: str) -> None:
    """Refuse clips of different height or width."""
    first = frame_size(clips[0], preparation)
    for clip in clips:
        size = frame_size(clip, preparation)
        if size != first:
            raise InputError(
                f"{label}: {clips[0].video.name} is {first[1]}×{first[0]} but {clip.video.name} is "
                f"{size[1]}×{size[0]}: bring them to one size with "
                "`latte-eval prepare`"
            )


def _content_keys(
    clips: Sequence[Clip], preparation: Preparation, digests: Mapping[Video, str]
) -> list[bytes | BrokenVideoError]:
    # One hash of a video file serves all its clips.
    files = [clip.video for clip in clips if isinstance(clip.video, FileVideo)]
    hashed = digests_of([video for video in dict.fromkeys(files) if video not in digests])
    known: Mapping[Video, str] = {**digests, **hashed}

    def key(clip: Clip) -> bytes | BrokenVideoError:
        try:
            return content_key(clip_identity(clip, preparation, known.get(clip.video)))
        except BrokenVideoError as error:
            return error

    if len(files) == len(clips):
        return list(map(key, clips))
    with ThreadPoolExecutor(HASHING_THREADS) as threads:
        return list(threads.map(key, clips))


@dataclass(frozen=True)
class _Source:
    """Where decoded clips come from."""

    missing: Mapping[bytes, Clip]
    preparation: Preparation
    options: ExtractionOptions
    workers: int | Pool
    broken: list[tuple[str, str]]  # grows by the clips that cannot be read, unless they are errors

    def batches(self, keys: Iterable[bytes], size: int) -> Iterator[dict[bytes, np.ndarray]]:
        """The decoded clips of these keys, `size` at a time."""
        begun: deque[bytes] = deque()

        def clips() -> Iterator[Clip]:
            for key in keys:
                begun.append(key)
                yield self.missing[key]

        frames = load_in_workers(
            clips(), self.preparation, workers=self.workers, timeout=self.options.timeout
        )
        batch: dict[bytes, np.ndarray] = {}
        with closing(frames):
            for decoded in frames:
                key = begun.popleft()
                if isinstance(decoded, BrokenVideoError):
                    _keep_or_raise(decoded, self.missing[key], self.options, self.broken)
                    continue
                batch[key] = decoded
                if len(batch) == size:
                    yield batch
                    batch = {}
        if batch:
            yield batch


def _keep_or_raise(
    error: BrokenVideoError, clip: Clip, options: ExtractionOptions, broken: list[tuple[str, str]]
) -> None:
    if not options.skip_broken:
        raise error
    broken.append((clip.video.name, error.problem))


def _run_networks(batch: dict[bytes, np.ndarray], networks: Sequence[StoredNetwork]) -> None:
    lengths = {len(clip) for clip in batch.values()}  # taking every frame leaves shorter last clips
    for network, length in itertools.product(networks, sorted(lengths)):
        new_keys = [
            key for key, clip in batch.items() if len(clip) == length and key not in network.store
        ]
        if not new_keys:
            continue
        rows = network.extractor(np.stack([batch[key] for key in new_keys]))
        if not np.isfinite(rows).all():
            raise InputError(
                f"network {network.extractor.spec.name} gives features that are not finite with "
                f"the weights {network.extractor.weights.path}: check that file"
            )
        for key, row in zip(new_keys, rows, strict=True):
            network.store.add(key, row)
