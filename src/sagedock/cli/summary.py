"""What became of a job, for people: a few lines from its description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sagedock.local.records import Kind
from sagedock.store.uri import S3Uri

if TYPE_CHECKING:
    from sagedock.launch.job import LaunchedJob
    from sagedock.launch.place import Place

_LABEL = 10


def summary_lines(session: Place, job: LaunchedJob) -> list[str]:
    """Job, status, seconds, metrics, artifacts, cost, remarks: one line each."""
    return [f"{label:<{_LABEL}}{text}" for label, text in _facts(session, job)]


def _facts(session: Place, job: LaunchedJob) -> Iterator[tuple[str, str]]:
    answer = job.describe()
    yield "Job", f"{job.name} ({job.kind})"
    yield "Status", answer[f"{job.kind.capitalize()}JobStatus"]
    yield "Seconds", seconds_text(job.timings())
    for metric in answer.get("FinalMetricDataList", ()):
        yield "Metric", f"{metric['MetricName']} = {metric['Value']:g}"
    if _has_model(session, job.kind, answer):
        yield "Model", session.shown(answer["ModelArtifacts"]["S3ModelArtifacts"])
    yield from _outputs(session, job, answer)
    if answer.get("ExitMessage"):
        yield "Message", answer["ExitMessage"]
    for text in session.expenses(job.kind, job.name):
        yield "Cost", text
    for note in job.notes():
        yield "Note", note


def seconds_text(timings: Mapping[str, float]) -> str:
    """`12.4 (staging 0.1, container 12.1, packaging 0.2)`."""
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in timings.items())
    return f"{sum(timings.values()):.1f} ({parts})"


def _has_model(session: Place, kind: Kind, answer: Mapping[str, Any]) -> bool:
    """The description names the place of the model whether or not there is one."""
    if kind is not Kind.TRAINING:
        return False
    done = answer["TrainingJobStatus"] == "Completed"
    return done or session.has(answer["ModelArtifacts"]["S3ModelArtifacts"])


def _outputs(
    session: Place, job: LaunchedJob, answer: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    if job.kind is Kind.PROCESSING:
        for name, uri in job.output_uris().items():
            yield "Output", f"{name}: {uri}"
        return
    if job.kind is Kind.TRANSFORM:
        yield "Output", session.shown(answer["TransformOutput"]["S3OutputPath"])
        return
    place = S3Uri.parse(answer["OutputDataConfig"]["S3OutputPath"])
    data = str(place.join(job.name, "output", "output.tar.gz"))
    if session.has(data):
        yield "Output", session.shown(data)
