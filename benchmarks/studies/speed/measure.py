"""What `latte-bench speed` times: one part after the other, the ways of a part in turns."""

import importlib.util
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.studies.speed.processes import Finished, run_timed
from benchmarks.studies.speed.timings import (
    AGAIN,
    CACHED,
    CD_FVD,
    COLD,
    COMMANDS,
    DECODE,
    FIRST,
    OURS,
    SCRIPT,
    TWO,
    Timing,
)
from benchmarks.studies.speed.videos import make_sets

logger = logging.getLogger(__name__)

PEERS = "benchmarks.studies.speed.peers"
PARTS = "benchmarks.studies.speed.parts"
INSTALL = (
    "cd-fvd is not installed: pip install --no-deps cd-fvd einops torchcodec, with FFmpeg's shared "
    "libraries."
)
ONLY_I3D = "It knows no other network than I3D, which this size leaves out."


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    network: str = "i3d"
    count: int  # videos in each set
    side: int = 256  # pixels of drawn videos
    rounds: int = 2  # times that whole evaluations run
    repetitions: int = 6  # times that a network runs, and a short command
    dimensions: tuple[int, ...] = (400, 768, 1024, 2048)
    clips: tuple[int, ...]  # in the runs whose memory is measured


SIZES: Mapping[str, Size] = {
    "tiny": Size(
        network="shapes",
        count=3,
        side=64,
        rounds=1,
        repetitions=2,
        dimensions=(16, 48),
        clips=(8, 16),
    ),
    "small": Size(count=24, repetitions=4, clips=(64, 256)),
    "full": Size(count=96, clips=(256, 1024, 4096)),
}


@dataclass
class SpeedBench:
    """A folder to work in, the sets and weights in it, and what was said of them."""

    size: Size
    work: Path
    workers: int
    videos: Path | None = None
    facts: dict[str, str] = field(default_factory=dict)  # for the report

    def parts(self) -> Iterator[list[Timing]]:
        """The parts, each when it is measured."""
        measure: dict[str, Callable[[], list[Timing]]] = {
            "starting": self.starting,
            "network": self.network,
            "distance": self.distance,
            "evaluation": self.evaluation,
            "memory": self.memory,
        }
        for name, part in measure.items():
            started = time.monotonic()
            logger.info("measuring: %s …", name)
            yield part()
            logger.info("measured: %s, %.0f s", name, time.monotonic() - started)

    def starting(self) -> list[Timing]:
        """`--help` of each command."""
        times: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(self.size.repetitions):
            for name, module in COMMANDS.items():
                times[name].append(run_timed(["-m", module, "--help"]).seconds)
        return [
            Timing(part="starting", way=f"{name} --help", seconds=tuple(seconds))
            for name, seconds in times.items()
        ]

    def network(self) -> list[Timing]:
        """The network on a few clips, in several ways."""
        from benchmarks.studies.speed.ways import clips_at_once, time_ways

        times, missing, implementation = time_ways(
            self.size.network, *self.weights, self.size.repetitions
        )
        clips = clips_at_once()
        self.facts["network"] = f"{self.size.network}, ours: {implementation}"
        return [
            *(
                Timing(part=self.size.network, way=way, seconds=tuple(seconds), clips=clips)
                for way, seconds in times.items()
            ),
            *(
                Timing(part=self.size.network, way=way, reason=reason)
                for way, reason in missing.items()
            ),
        ]

    def distance(self) -> list[Timing]:
        """Fréchet distances from statistics."""
        from benchmarks.studies.speed.distances import time_distances

        timings = []
        for dimension in self.size.dimensions:
            repetitions = 2 if dimension > 1024 else self.size.repetitions
            times, values = time_distances(dimension, repetitions)
            timings += [
                Timing(part=f"distance {dimension}", way=way, seconds=tuple(seconds))
                for way, seconds in times.items()
            ]
            largest, smallest = max(values.values()), min(values.values())
            self.facts[f"distance {dimension}"] = f"{largest / smallest - 1:.1e}"
        return timings

    @property
    def weights(self) -> tuple[Path, Path]:
        """A state dict and TorchScript with the same random weights; made when first needed."""
        from benchmarks.studies.speed.ways import write_weights

        name = self.size.network
        files = self.work / f"{name}.weights", self.work / f"{name}-torchscript.pt"
        return files if files[1].exists() else write_weights(name, self.work)

    def folder(self, name: str) -> str:
        """One of the sets."""
        return str(self.work / "sets" / name)

    def evaluation(self) -> list[Timing]:
        """Two folders of videos to their distance, by everything that can do it."""
        made_of = make_sets(self.videos, self.work / "sets", self.size.count, self.size.side)
        self.facts["videos"] = made_of
        runs: dict[tuple[str, str], list[Finished]] = {}
        # The first run on a machine compares ways of running the network, and may compile one.
        runs[FIRST, OURS] = [self.ours(self.work / "store-first", "fake")]
        missing = self._missing()
        for turn in range(self.size.rounds):
            for key, job in self._turn(turn).items():
                if key[1] in missing:
                    continue
                logger.info("turn %d of %d: %s", turn + 1, self.size.rounds, ", ".join(key))
                try:
                    runs.setdefault(key, []).append(job())
                except RuntimeError as error:
                    if key[1] not in (CD_FVD, SCRIPT):
                        raise
                    missing[key[1]] = f"It fails here: {str(error).strip().splitlines()[-1]}"
        self._compare_values(runs)
        return [
            *(
                Timing(
                    part=part,
                    way=way,
                    seconds=tuple(one.seconds for one in finished),
                    megabytes=tuple(one.megabytes for one in finished if one.megabytes),
                    clips=2 * self.size.count,
                )
                for (part, way), finished in runs.items()
                if way not in missing
            ),
            *(
                Timing(part=part, way=peer, reason=reason)
                for peer, reason in missing.items()
                for part in (COLD, CACHED)
            ),
        ]

    def _turn(self, turn: int) -> dict[tuple[str, str], Callable[[], Finished]]:
        """What is run in each turn, by part and way; the order matters to what is cached."""
        store = self.work / f"store-{turn}"
        jobs: dict[tuple[str, str], Callable[[], Finished]] = {
            (COLD, OURS): partial(self.ours, store, "fake"),
            (CACHED, OURS): partial(self.ours, store, "second"),
            (AGAIN, OURS): partial(self.ours, store, "second"),
            (COLD, TWO): partial(self.two_processes, turn),
            (DECODE, OURS): self.decode,
        }
        for peer in (CD_FVD, SCRIPT):
            file = self.work / f"{peer}-{turn}"
            jobs[COLD, peer] = partial(self.peer, peer, file, "fake")
            jobs[CACHED, peer] = partial(self.peer, peer, file, "second")
        return jobs

    def ours(self, store: Path, fake: str, *launcher: str) -> Finished:
        """`latte-eval fvd` as a user calls it."""
        count, i3d = str(self.size.count), self.size.network == "i3d"
        words = [*("-m", *launcher, "evaluation", "fvd"), "--real", self.folder("real")]
        words += ["--fake", self.folder(fake), "--num-videos", count, "--store", str(store)]
        words += ["--protocol", "cd-fvd" if i3d else "shapes", "--weights", str(self.weights[0])]
        words += ["--json", "--quiet", "--out", str(self.work / "results.jsonl")]
        # What is remembered of networks on this machine is not known to the first run.
        return run_timed(words, environment={"LATTE_CACHE": str(self.work / "cache")})

    def two_processes(self, turn: int) -> Finished:
        """The same by two processes of torchrun, cold."""
        launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
        return self.ours(self.work / f"store-two-{turn}", "fake", *launcher)

    def decode(self) -> Finished:
        """Decoding and preparing the same clips, without a network."""
        folders = self.folder("real"), self.folder("fake")
        return run_timed(["-m", PARTS, "decode", str(self.workers), *folders])

    def peer(self, name: str, statistics_file: Path, fake: str) -> Finished:
        """cd-fvd or the script, whose real side is in the file after its first run."""
        weights = self.weights[0] if name == CD_FVD else self.weights[1]
        words = [self.folder("real"), self.folder(fake), str(weights), str(statistics_file)]
        if name == CD_FVD:  # it writes into the folders of videos, and would find that again
            words[:2] = (self._copy(which) for which in ("real", fake))
        else:
            words[3] += ".npz"
        return run_timed(["-m", PEERS, name, *words, str(self.workers)])

    def memory(self) -> list[Timing]:
        """Peak memory against the number of clips, frames of 256×256, by a small network."""
        timings = []
        for clips in self.size.clips:
            finished = run_timed(["-m", PARTS, "memory", str(self.workers), str(clips)])
            timings.append(
                Timing(
                    part="memory",
                    way=f"{clips} clips",
                    seconds=(finished.seconds,),
                    clips=clips,
                    megabytes=(finished.megabytes,) if finished.megabytes else (),
                )
            )
        return timings

    def _copy(self, name: str) -> str:
        target = self.work / "copies" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder(name), target)
        return str(target)

    def _missing(self) -> dict[str, str]:
        """The peers that cannot be run here, with the reason."""
        if self.size.network != "i3d":
            return {CD_FVD: ONLY_I3D}
        return {} if importlib.util.find_spec("cdfvd") else {CD_FVD: INSTALL}

    def _compare_values(self, runs: Mapping[tuple[str, str], list[Finished]]) -> None:
        """How far the distances of the others are from ours: their clips and frames differ."""
        ours = _value(runs[COLD, OURS][0])
        for (part, way), finished in runs.items():
            if part == COLD and way != OURS and len(finished) == self.size.rounds:
                self.facts[f"value {way}"] = f"{_value(finished[0]) / ours - 1:+.1%}"
        if all(_value(one) == ours for one in runs[COLD, TWO]):
            self.facts[f"value {TWO}"] = "equal"


def _value(finished: Finished) -> float:
    lines = [line for line in finished.output.splitlines() if line.startswith("{")]
    content: dict[str, Any] = json.loads(lines[-1])
    return float(content["value"])
