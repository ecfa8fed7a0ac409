"""What became of a job, for people: a few lines from its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sagedock.local.records import Kind
from sagedock.store.uri import S3Uri

if TYPE_CHECKING:
    from sagedock.launch.session import Session
    from sagedock.local.records import Job

_LABEL = 10


def summary_lines(session: Session, job: Job) -> list[str]:
    """Job, status, seconds, metrics, artifacts, remarks: one line each."""
    return [f"{label:<{_LABEL}}{text}" for label, text in _facts(session, job)]


def _facts(session: Session, job: Job) -> Iterator[tuple[str, str]]:
    state = job.state
    yield "Job", f"{job.name} ({job.kind})"
    yield "Status", str(state.status)
    yield "Seconds", seconds_text(job)
    for metric in state.metrics:
        yield "Metric", f"{metric.name} = {metric.value:g}"
    if state.model_artifacts:
        yield "Model", session.shown(state.model_artifacts)
    yield from _outputs(session, job)
    if state.exit_message:
        yield "Message", state.exit_message
    for note in state.notes:
        yield "Note", note


def seconds_text(job: Job) -> str:
    """`12.4 (staging 0.1, container 12.1, packaging 0.2)`."""
    timings = job.state.timings()
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in timings.items())
    return f"{sum(timings.values()):.1f} ({parts})"


def _outputs(session: Session, job: Job) -> Iterator[tuple[str, str]]:
    if job.kind is Kind.PROCESSING:
        for item in job.request.get("ProcessingOutputConfig", {}).get("Outputs", ()):
            yield "Output", f"{item['OutputName']}: {session.shown(item['S3Output']['S3Uri'])}"
        return
    if job.kind is Kind.TRANSFORM:
        yield "Output", session.shown(job.request["TransformOutput"]["S3OutputPath"])
        return
    place = S3Uri.parse(job.request["OutputDataConfig"]["S3OutputPath"])
    data = place.join(job.name, "output", "output.tar.gz")
    for info in session.store.list(data):
        if info.uri == data:
            yield "Output", session.shown(str(data))
