"""Two sets of videos → results: every metric of a protocol, in one pass over the clips."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.catalogue.inputs import MetricInput
from evaluation.catalogue.registry import METRICS, metric
from evaluation.features.extraction import StoredNetwork
from evaluation.features.sets import (
    MeasuredSet,
    PlannedSet,
    caveats_of_sets,
    measure_set,
    plan_set,
    statistics_set,
)
from evaluation.features.store import LostRowsError
from evaluation.measuring.networks import MetricTask, Networks, open_task
from evaluation.measuring.results import result_of
from evaluation.protocol.fields import Protocol, Side
from evaluation.results.caveats import Caveat
from evaluation.results.files import append_new_result, append_result
from evaluation.results.record import Result
from evaluation.uncertainty.cores import one_core
from latte.data.errors import InputError
from latte.data.processes.pool import Pool
from latte.data.sources import VideoSet

logger = logging.getLogger(__name__)

ATTEMPTS = 3  # to read rows that are damaged or removed as soon as they are there
MIN_RESAMPLES = 40  # intervals from fewer cover less than they say
Source = VideoSet | Path | MeasuredSet  # a path is that of a statistics file


class FailedMetricsError(InputError):
    """Some metrics could not be measured.

    `failures` are their errors by the metrics' names; `results` holds those of the others.
    """

    def __init__(
        self, failures: Mapping[str, InputError], results: Sequence[Result], num_metrics: int
    ) -> None:
        self.failures, self.results = dict(failures), tuple(results)
        reasons = "; ".join(f"{name}: {error}" for name, error in failures.items())
        number = f"{len(failures)} of {num_metrics} metrics" if results else "the metrics"
        super().__init__(f"{number} could not be measured ({reasons})")


@dataclass
class _RealSide:
    """The real set of the last measurement, measured once for each choice of networks."""

    source: Source
    planned: PlannedSet | MeasuredSet
    measured: dict[frozenset[int], MeasuredSet] = field(default_factory=dict)


class Measurer:
    """Measures sets of videos by the metrics of one protocol.

    Networks are opened once, when the measurer is made; each clip is decoded once and seen once by
    each network. The real set is measured once for any number of generated sets, as long as it is
    given as the same object. Batch sizes, workers and the order of calls cannot change a number.

        measurer = Measurer(SHAPES, ("fvd", "fid"), Networks(options), dataset="shapes")
        for fake in generated_sets:
            fvd, fid = measurer.measure(real, fake, model=fake.name)

    Sets are `VideoSet`s (`latte.data.sources.open_video_set`, `shapes_video_set`,
    `evaluation.measuring.arrays.memory_video_set`), the path of a statistics file, or what
    `extract` returned. For what is no metric of the catalogue, `extract` gives a set's features
    through every network in one pass, and `features` its rows.

    Args:
        protocol: how clips are chosen, prepared and compared.
        metrics: names of metrics (`latte-eval --help` lists them).
        networks: opened networks to share, with how features are extracted and where they are
            kept; by default in memory.
        dataset: the data set under which results are filed.
        resamples: bootstrap resamples of confidence intervals; 0 disables intervals.
        at_least: clips that each set must have.
        notes: whether to log what a careful reader must know before quoting a number.

    Raises:
        InputError: an unknown metric, or a network that cannot be had, if it is the only one.
    """

    def __init__(
        self,
        protocol: Protocol,
        metrics: Sequence[str] = ("fvd",),
        networks: Networks | None = None,
        *,
        dataset: str | None = None,
        resamples: int = 400,
        at_least: int = 1,
        notes: bool = True,
    ) -> None:
        if 0 < resamples < MIN_RESAMPLES:
            raise InputError(
                f"{resamples} resamples are too few for an interval: give at least "
                f"{MIN_RESAMPLES}, or 0 for no intervals"
            )
        if not metrics:
            raise InputError(f"no metrics: name at least one of {', '.join(METRICS)}")
        self.protocol = protocol
        self.networks = networks or Networks()
        self.dataset, self.resamples, self.at_least = dataset, resamples, at_least
        self._started: float | None = time.monotonic()
        self._notes = notes and self.networks.options.processes.is_first
        self._logged: list[Caveat] = []  # several metrics and sets deviate alike
        self._real: _RealSide | None = None
        self._num_metrics = len(metrics)
        self.tasks: list[MetricTask] = []
        self.failures: dict[str, InputError] = {}  # metrics whose networks cannot be had
        for entry in map(metric, metrics):
            try:
                self.tasks.append(open_task(entry, protocol, self.networks))
            except InputError as error:
                self._fail(self.failures, entry.name, error)
        if not self.tasks:
            raise FailedMetricsError(self.failures, (), len(metrics))

    def measure(
        self,
        real: Source | None,
        fake: Source,
        *,
        model: str | None = None,
        out: Path | None = None,
    ) -> list[Result]:
        """The results of every metric; where processes share the work, the first one computes them.

        Args:
            real: real videos; None if no metric needs them.
            fake: generated videos.
            model: what they are filed under; by default the set's name.
            out: a results file to which each result is added as soon as it is there; by several
                processes, which may have been started again, unless the file holds it.

        Raises:
            InputError: sets that cannot be measured.
            FailedMetricsError: some of several metrics cannot be measured; it holds the results of
                the others.
        """
        started, self._started = self._started or time.monotonic(), None
        failures, finished = dict(self.failures), list[Result]()
        processes = self.networks.options.processes
        write = append_result if processes.process.world == 1 else append_new_result

        def results() -> list[Result]:
            filed_under = model or _name(fake)
            for result in self._results(real_set, fake_set, failures, filed_under, started):
                if result.metric in {known.metric for known in finished}:
                    continue  # from before rows were lost
                finished.append(result)
                if out is not None:
                    write(out, result)
            if failures:
                raise FailedMetricsError(failures, finished, self._num_metrics)
            return finished

        def results_unless_lost(attempt: int) -> list[Result] | None:
            try:
                return results()
            except LostRowsError:
                if attempt == ATTEMPTS:
                    raise
                return None

        for attempt in range(1, ATTEMPTS + 1):
            real_set, fake_set = self.sets(real, fake, failures)
            self._log(caveats_of_sets([side for side in (real_set, fake_set) if side]))
            measured = processes.first("results", partial(results_unless_lost, attempt))
            if measured is not None:
                return measured
            # What was just extracted was damaged or removed: all extract it once more.
            self._real = None
        raise AssertionError("unreachable")

    def _results(
        self,
        real: MeasuredSet | None,
        fake: MeasuredSet,
        failures: dict[str, InputError],
        model: str,
        started: float,
    ) -> Iterator[Result]:
        """One result after the other; metrics that cannot be computed are added to `failures`."""
        for task in [task for task in self.tasks if task.metric.name not in failures]:
            metric_input = MetricInput(
                real=real if task.metric.needs_real else None,
                fake=fake,
                network=task.network,
                protocol=task.protocol,
                parameters=task.metric.parameters,
                resamples=self.resamples,
            )
            try:
                # Products of matrices have other last bits on other numbers of cores.
                with one_core():
                    values = task.metric.compute(metric_input)
            except LostRowsError:
                raise
            except InputError as error:
                self._fail(failures, task.metric.name, error)
                continue
            for number, value in zip(task.metric.numbers, values, strict=True):
                result = result_of(
                    task.metric,
                    number,
                    value,
                    metric_input,
                    dataset=self.dataset,
                    model=model,
                    started=started,
                )
                self._log(task.caveats(result))
                yield result

    def sets(
        self, real: Source | None, fake: Source, failures: dict[str, InputError] | None = None
    ) -> tuple[MeasuredSet | None, MeasuredSet]:
        """Both sets through all networks; the real one only through those that need it.

        Metrics that cannot be computed from them are added to `failures`.
        """
        with self._pool() as pool:
            noted = dict(self.failures) if failures is None else failures
            return self._sets(real, fake, noted, pool)

    def _sets(
        self, real: Source | None, fake: Source, failures: dict[str, InputError], pool: Pool
    ) -> tuple[MeasuredSet | None, MeasuredSet]:
        needs_real = any(task.metric.needs_real for task in self.tasks)
        if needs_real and real is None:
            raise InputError("no real videos: give real or dataset (--real, --dataset)")
        # Both plans first: what is wrong with either set shows before hours of work on the other.
        real_side = self._real_side(real, pool) if needs_real and real is not None else None
        planned = self._plan(fake, "fake", pool)
        fitting = []
        for task in self.tasks:
            try:
                if real_side is not None and task.metric.needs_real:
                    task.check(real_side.planned)
                task.check(planned)
                fitting.append(task)
            except InputError as error:
                self._fail(failures, task.metric.name, error)
        if not fitting:
            raise FailedMetricsError(failures, (), self._num_metrics)
        real_set = None
        if real_side is not None and any(task.metric.needs_real for task in fitting):
            networks = _networks_of(task for task in fitting if task.metric.needs_real)
            key = frozenset(map(id, networks))
            if key not in real_side.measured:
                real_side.measured[key] = self._extracted(real_side.planned, networks, pool)
            real_set = real_side.measured[key]
        return real_set, self._extracted(planned, _networks_of(fitting), pool)

    def extract(
        self, videos: Source, side: Side, *, also: Sequence[StoredNetwork] = ()
    ) -> MeasuredSet:
        """One set through the networks of all metrics, and through others in the same pass.

        Args:
            videos: the set.
            side: whose clips the protocol describes.
            also: networks besides those of the metrics.
        """
        networks = [*_networks_of(self.tasks), *also]
        with self._pool() as pool:
            return self._extracted(self._plan(videos, side, pool), networks, pool)

    def network(self, metric_name: str) -> StoredNetwork:
        """The opened network of one of the metrics."""
        return next(task.network for task in self.tasks if task.metric.name == metric_name)

    def features(self, measured: MeasuredSet, metric_name: str) -> NDArray[np.float64]:
        """Features of a set by the network of one of the metrics, (rows, D) float64.

        Raises:
            InputError: the set is known by its statistics alone.
        """
        return measured.features(self.network(metric_name))

    def _fail(self, failures: dict[str, InputError], name: str, error: InputError) -> None:
        """Note a metric that cannot be measured, at once; the only one is an error."""
        if self._num_metrics == 1:
            raise error
        logger.warning("skipping %s: %s", name, error)
        failures[name] = error

    def _log(self, caveats: Iterator[Caveat]) -> None:
        for caveat in caveats if self._notes else ():
            if caveat not in self._logged:
                logger.warning("%s", caveat)
                self._logged.append(caveat)

    def _pool(self) -> Pool:
        """Processes that look at videos and decode them; none is started before it is needed."""
        return Pool(self.networks.options.workers, limited=True)

    def _real_side(self, source: Source, pool: Pool) -> _RealSide:
        if self._real is None or self._real.source is not source:
            self._real = _RealSide(source, self._plan(source, "real", pool))
        return self._real

    def _plan(self, source: Source, side: Side, pool: Pool) -> PlannedSet | MeasuredSet:
        if isinstance(source, MeasuredSet):
            return source
        if isinstance(source, Path):
            return statistics_set(source, self.at_least)
        options = self.networks.options
        return plan_set(source, self.protocol, side, options, self.at_least, pool=pool)

    def _extracted(
        self, planned: PlannedSet | MeasuredSet, networks: Sequence[StoredNetwork], pool: Pool
    ) -> MeasuredSet:
        if isinstance(planned, MeasuredSet):
            return planned
        return measure_set(planned, networks, self.networks.options, pool=pool)


def _networks_of(tasks: Iterable[MetricTask]) -> list[StoredNetwork]:
    """The networks of these tasks, each once."""
    return list({id(task.network): task.network for task in tasks}.values())


def _name(source: Source) -> str:
    if isinstance(source, MeasuredSet):
        return Path(source.record.path).name
    return source.stem if isinstance(source, Path) else source.name
