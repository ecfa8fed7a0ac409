"""The metrics of training jobs, as SageMaker has them in CloudWatch: read from the jobs' logs by
their MetricDefinitions, each value at its line's time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sagedock.contract.metrics import MetricDefinition, MetricScanner
from sagedock.errors import ResourceNotFoundError
from sagedock.local.records import Job, Kind, Records
from sagedock.server.services.log_events import SLOP_MS
from sagedock.server.services.log_files import FileStream
from sagedock.server.services.metric_records import Sample, Series

NAMESPACE = "/aws/sagemaker/TrainingJobs"
_DIMENSION = "TrainingJobName"
_TAB = "#011"
"""How a stream shows a TAB (A7.3); definitions are tried against both."""


class JobMetrics:
    """Metrics of the training jobs in the data folder `data`."""

    def __init__(self, data: Path) -> None:
        self._data, self._records = data, Records(data)

    def series(self, since: float = 0.0) -> Iterator[Series]:
        """A metric for each that a job has, or still may have."""
        for job in self._records.list(Kind.TRAINING):
            if job.is_running or (job.state.ended or 0.0) >= since:
                found = {metric.name for metric in job.state.metrics}
                defined = {one.name for one in _definitions(job)} if job.is_running else found
                for name in sorted(defined | found):
                    yield Series(
                        namespace=NAMESPACE, name=name, dimensions=((_DIMENSION, job.name),)
                    )

    def between(self, series: Series, start: float, end: float) -> list[Sample]:
        """A metric's values from `start` on and before `end`; none for what is no job's metric."""
        if series.namespace != NAMESPACE or [name for name, _ in series.dimensions] != [_DIMENSION]:
            return []
        try:
            job = self._records.get(Kind.TRAINING, series.dimensions[0][1])
        except ResourceNotFoundError:
            return []
        logs = sorted((self._data / "jobs" / Kind.TRAINING / job.name / "logs").glob("*.log"))
        found = (
            [sample for path in logs for sample in self._scanned(job, path, series, start, end)]
            if logs
            else _final(job, series)
        )
        return sorted(
            (sample for sample in found if start <= sample.at < end), key=lambda one: one.at
        )

    @staticmethod
    def _scanned(
        job: Job, path: Path, series: Series, start: float, end: float
    ) -> Iterator[Sample]:
        scanner = MetricScanner(one for one in _definitions(job) if one.name == series.name)
        stream = FileStream(path.stem, path, 0)
        for event in stream.forward(stream.position_of(int(start * 1000))):
            if event.at > end * 1000 + SLOP_MS:
                return
            for value in scanner.feed(event.message.replace(_TAB, "\t"), event.at / 1000):
                yield Sample.of(value.value, value.timestamp)

    def close(self) -> None:
        """Let go of the database."""
        self._records.close()


def _definitions(job: Job) -> list[MetricDefinition]:
    algorithm = job.request.get("AlgorithmSpecification", {})
    return [
        MetricDefinition(name=item["Name"], regex=item["Regex"])
        for item in algorithm.get("MetricDefinitions", ())
    ]


def _final(job: Job, series: Series) -> list[Sample]:
    """What the record has, where the log is gone."""
    return [
        Sample.of(metric.value, metric.timestamp)
        for metric in job.state.metrics
        if metric.name == series.name
    ]
