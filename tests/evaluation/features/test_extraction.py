"""Rows land by what they were made of: batch size, workers, kills and order cannot change them."""

import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.features.extraction import ExtractionOptions, StoredNetwork, extract
from evaluation.features.sets import measure_set, plan_set
from evaluation.features.store import FeatureStore
from evaluation.protocol.presets import SHAPES
from latte.data.clips import plan_clips
from latte.data.command_line import INTERRUPTED_MESSAGE
from latte.data.errors import BrokenVideoError, InputError
from latte.data.loading import probe_in_workers
from latte.data.shapes import shapes_video_set
from latte.data.sources import VideoSet
from latte.data.video import VideoInfo

probe_here = partial(probe_in_workers, workers=0, timeout=60)

PROTOCOL = replace(SHAPES, num_real=100, num_frames=4, real_offset="random", recipe="none", size=8)
ALL = PROTOCOL.selection("real")
AS_IT_IS = PROTOCOL.preparation()


@dataclass(frozen=True)
class NumberedVideo:
    """Frame f of video i is full of 20 i + f; a negative i cannot be decoded."""

    index: int
    size: int = 8
    prepared: bool = True

    @property
    def name(self) -> str:
        return f"v{abs(self.index):03d}"

    def probe(self) -> VideoInfo:
        return VideoInfo(num_frames=10, height=self.size, width=self.size)

    def read(self, frames):
        if self.index < 0:
            raise BrokenVideoError(f"{self.name} is broken")
        values = np.array([20 * self.index + frame for frame in frames], np.uint8)
        return np.broadcast_to(values[:, None, None, None], (len(frames), self.size, self.size, 3))

    def digest(self, frames):
        return f"{self.index} {self.size}"


@dataclass
class MeanNetwork:
    """Features: the grey level of each of four frames. Counts the clips that it sees."""

    seen: int = 0
    counts: list[int] = field(default_factory=list)  # clips of each call
    stop_after: int | None = None
    spec: object = field(
        default_factory=lambda: SimpleNamespace(
            name="mean", version=1, num_features=4, output="mean", resize="none"
        )
    )
    weights: object = field(
        default_factory=lambda: SimpleNamespace(sha256="00", path=Path("mean.pt"))
    )
    implementation: str = "test"
    at_once: int = 1
    device: str = "cpu"

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        if self.stop_after is not None and self.seen + len(clips) > self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(clips)
        self.counts.append(len(clips))
        return clips.mean(axis=(2, 3, 4), dtype=np.float64).astype(np.float32)


def numbered(*indices: int) -> VideoSet:
    return VideoSet(name="set", root="set", videos=tuple(map(NumberedVideo, indices)))


def features(videos: VideoSet, store: Path, network=None, **options) -> np.ndarray:
    run = ExtractionOptions(store=store, progress=False, **{"workers": 0, **options})
    stored = StoredNetwork(network or MeanNetwork(), store)
    planned = plan_set(videos, PROTOCOL, "real", run)
    return stored.features(measure_set(planned, [stored], run).keys)


@pytest.fixture
def expected(tmp_path):
    return features(numbered(*range(11)), tmp_path / "expected")


def test_rows_stand_in_the_order_of_the_plan(expected):
    plan = plan_clips(numbered(*range(11)), ALL, probe_here)
    for i, clip in enumerate(plan.clips):
        assert expected[i].tolist() == [20 * i + frame for frame in clip.frames]


@pytest.mark.parametrize("batch_size", [1, 3, 16])
@pytest.mark.parametrize("group", [1, 4])
def test_batch_size_changes_nothing(tmp_path, expected, batch_size, group):
    network = MeanNetwork(at_once=group)
    rows = features(numbered(*range(11)), tmp_path / "store", network, batch_size=batch_size)
    np.testing.assert_array_equal(rows, expected)
    # Whole groups, so that few clips are added to fill one up.
    assert {count % group for count in network.counts[:-1]} <= {0}


def test_workers_change_nothing(tmp_path):
    videos = shapes_video_set("test", num_videos=11)  # other processes can import this kind
    here, one, four = (
        features(videos, tmp_path / str(workers), workers=workers, batch_size=2)
        for workers in (0, 1, 4)
    )
    np.testing.assert_array_equal(one, here)
    np.testing.assert_array_equal(four, here)


def test_what_is_in_the_store_is_not_seen_again(tmp_path, expected):
    network = MeanNetwork()
    features(numbered(*range(6)), tmp_path, network)
    assert network.seen == 6
    rows = features(numbered(*range(11)), tmp_path, network)
    assert network.seen == 11  # five more, for a larger plan
    np.testing.assert_array_equal(rows, expected)


def test_the_same_clip_twice_is_extracted_once(tmp_path):
    videos = VideoSet(
        name="set",
        root="set",
        videos=(NumberedVideo(1), NumberedVideo(1), NumberedVideo(2)),
    )
    network = MeanNetwork()
    rows = features(videos, tmp_path, network)
    assert network.seen == 2
    np.testing.assert_array_equal(rows[0], rows[1])


def test_an_interrupted_run_keeps_its_rows_and_goes_on(tmp_path, expected):
    stopped = MeanNetwork(stop_after=7)
    with pytest.raises(KeyboardInterrupt):
        features(numbered(*range(11)), tmp_path, stopped, batch_size=2)
    assert stopped.seen == 6
    again = MeanNetwork()
    np.testing.assert_array_equal(features(numbered(*range(11)), tmp_path, again), expected)
    assert again.seen == 5


class KilledNetwork(MeanNetwork):
    """Kills its own process, as the system does, at its fourth batch."""

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        if self.seen >= 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(clips)


def run_until_killed(store: Path) -> None:
    import evaluation.features.store

    evaluation.features.store.MAX_PENDING_ROWS = 4
    features(numbered(*range(11)), store, KilledNetwork(), batch_size=2)


def test_a_killed_run_goes_on_from_what_reached_the_disk(tmp_path, expected):
    process = multiprocessing.get_context("fork").Process(target=run_until_killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    again = MeanNetwork()
    np.testing.assert_array_equal(features(numbered(*range(11)), tmp_path, again), expected)
    assert again.seen == 7  # four of eleven had been written


def test_a_broken_video_is_an_error_that_keeps_the_others(tmp_path):
    network = MeanNetwork()
    with pytest.raises(BrokenVideoError, match="v005 is broken"):
        features(numbered(0, 1, 2, -5, 7), tmp_path, network, batch_size=2)
    features(numbered(0, 1), tmp_path, network)
    assert network.seen == 2


def test_a_skipped_video_is_replaced_by_the_next_and_listed(tmp_path):
    options = ExtractionOptions(store=tmp_path, workers=0, progress=False, skip_broken=True)
    network = StoredNetwork(MeanNetwork(), tmp_path)
    three = replace(PROTOCOL, num_real=3)
    planned = plan_set(numbered(0, -1, 2, -3, 4, 5), three, "real", options)
    measured = measure_set(planned, [network], options)
    assert (network.features(measured.keys)[:, 0] // 20).tolist() == [0, 2, 4]
    assert measured.record.broken == ("v001 is broken", "v003 is broken")
    assert measured.decoded == 3


def test_a_video_that_cannot_even_be_hashed_is_skipped_like_any_other(tmp_path, monkeypatch):
    def digest(self, frames):
        if self.index == 1:
            raise BrokenVideoError(f"{self.name} is gone")
        return str(self.index)

    monkeypatch.setattr(NumberedVideo, "digest", digest)
    with pytest.raises(BrokenVideoError, match="v001 is gone"):
        features(numbered(0, 1, 2), tmp_path)
    assert len(features(numbered(0, 1, 2), tmp_path, skip_broken=True)) == 2


def test_too_few_videos_name_what_was_left_out(tmp_path):
    options = ExtractionOptions(store=tmp_path, workers=0, progress=False, skip_broken=True)
    planned = plan_set(numbered(0, -1, 2), PROTOCOL, "real", options, 3)
    with pytest.raises(InputError, match=r"\b3 videos.*\b2\b.*v001 is broken"):
        measure_set(planned, [StoredNetwork(MeanNetwork(), tmp_path)], options)


def test_mixed_sizes_name_both_videos(tmp_path):
    videos = VideoSet(
        name="set", root="folder", videos=(NumberedVideo(0), NumberedVideo(1, size=16))
    )
    with pytest.raises(InputError, match=r"folder: v000 .*\b8×8\b.*v001 .*16×16"):
        features(videos, tmp_path)


def test_features_that_are_not_finite_are_refused_and_not_stored(tmp_path):
    class NaNNetwork(MeanNetwork):
        def __call__(self, clips):
            return np.full((len(clips), 4), np.nan, np.float32)

    with pytest.raises(InputError, match=r"\bmean\b.*not finite.*mean\.pt"):
        features(numbered(0, 1), tmp_path, NaNNetwork())
    network = MeanNetwork()
    features(numbered(0, 1), tmp_path, network)
    assert network.seen == 2


def test_two_networks_share_one_decode(tmp_path):
    first, second = MeanNetwork(), MeanNetwork()
    second.spec = SimpleNamespace(**vars(MeanNetwork().spec) | {"name": "other"})
    options = ExtractionOptions(store=tmp_path, workers=0, progress=False)
    networks = [StoredNetwork(network, tmp_path) for network in (first, second)]
    plan = plan_clips(numbered(0, 1, 2), ALL, probe_here)
    extraction = extract(plan.clips, networks, AS_IT_IS, options, label="real")
    assert (extraction.decoded, first.seen, second.seen) == (3, 3, 3)


def test_statistics_do_not_depend_on_how_rows_are_read(tmp_path, monkeypatch):
    network = StoredNetwork(MeanNetwork(), tmp_path)
    options = ExtractionOptions(store=tmp_path, workers=0, progress=False)
    plan = plan_clips(numbered(*range(11)), ALL, probe_here)
    keys = extract(plan.clips, [network], AS_IT_IS, options, label="real").keys
    whole = network.statistics(keys, 1)
    monkeypatch.setattr("evaluation.features.extraction.ROWS_AT_ONCE", 3)
    parts = network.statistics(keys, 1)
    np.testing.assert_array_equal(whole.mean, parts.mean)
    np.testing.assert_array_equal(whole.covariance, parts.covariance)
    rows = network.features(keys).astype(np.float64)
    np.testing.assert_allclose(whole.covariance, np.cov(rows, rowvar=False), rtol=1e-12)


def test_an_interruption_keeps_rows_and_does_not_wait_for_the_network(tmp_path):
    code = f"""
import sys, threading
from pathlib import Path
import numpy as np
from evaluation.features.store import FeatureStore
from evaluation.networks.equivalence import single_threads
from latte.data.command_line import new_app, run_app
app = new_app("test", "A test.")
store = FeatureStore(Path({str(tmp_path)!r}), {{"network": "test"}})

@app.command()
def forever():
    store.add(bytes(32), np.zeros(2, np.float32))
    try:
        with single_threads(1) as pool:
            computing = pool.submit(threading.Event().wait)
            print("working", flush=True)
            computing.result()
    finally:
        store.flush()

run_app(app, "test")
"""
    run = subprocess.Popen(
        [sys.executable, "-c", code, "forever"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout.readline() == "working\n"
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert (run.returncode, said) == (2, f"{INTERRUPTED_MESSAGE}\n")
    assert bytes(32) in FeatureStore(tmp_path, {"network": "test"})
