"""What a description of AWS's says of a job, as the record that listeners are told of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sagedock.launch.place import Ended
from sagedock.local.records import Job, JobState, Kind, Status, Transition

ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED})

_WORDS = {
    Status.IN_PROGRESS: "has been started",
    Status.STOPPING: "is being stopped",
    Status.COMPLETED: "has completed",
    Status.FAILED: "has failed",
    Status.STOPPED: "was stopped",
}


def status_of(kind: Kind, answer: Mapping[str, Any]) -> Status:
    """A description's status."""
    return Status(answer[f"{kind.capitalize()}JobStatus"])


def seen(kind: Kind, answer: Mapping[str, Any], before: Job | None) -> Job:
    """A job as described. Training has secondary statuses with their times; the others have their
    status only, and each change that is seen (`before` is what was seen last) is one."""
    word = kind.capitalize()
    state = JobState(
        status=status_of(kind, answer),
        transitions=_transitions(kind, answer, before),
        started=_seconds(answer.get(f"{word}StartTime")),
        ended=_seconds(answer.get(f"{word}EndTime")),
        failure_reason=answer.get("FailureReason"),
        exit_message=answer.get("ExitMessage"),
    )
    return Job(
        kind=kind,
        name=answer[f"{word}JobName"],
        arn=answer[f"{word}JobArn"],
        created=answer["CreationTime"].timestamp(),
        request=answer,
        state=state,
    )


def ended(job: Job) -> Ended:
    """How a job has ended that is over."""
    last = job.state.transitions[-1].message if job.state.transitions else ""
    return Ended(status=job.state.status, failure=job.state.failure_reason, message=last)


def hosts(kind: Kind, answer: Mapping[str, Any]) -> int:
    """How many instances a job has."""
    return int(resources(kind, answer).get("InstanceCount", 1))


def resources(kind: Kind, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """InstanceType and InstanceCount of a request or a description."""
    found: Mapping[str, Any]
    match kind:
        case Kind.TRAINING:
            found = answer.get("ResourceConfig", {})
        case Kind.PROCESSING:
            found = answer.get("ProcessingResources", {}).get("ClusterConfig", {})
        case Kind.TRANSFORM:
            found = answer.get("TransformResources", {})
    return found


def _transitions(
    kind: Kind, answer: Mapping[str, Any], before: Job | None
) -> tuple[Transition, ...]:
    if kind is Kind.TRAINING:
        return tuple(
            Transition(
                status=item["Status"],
                message=item.get("StatusMessage", ""),
                started=item["StartTime"].timestamp(),
                ended=_seconds(item.get("EndTime")),
            )
            for item in answer.get("SecondaryStatusTransitions", ())
        )
    status = status_of(kind, answer)
    told = before.state.transitions if before else ()
    if told and told[-1].status == status:
        return told
    moment = answer.get("LastModifiedTime") or answer["CreationTime"]
    words = f"The {kind} job {_WORDS[status]}."
    message = answer.get("FailureReason") or answer.get("ExitMessage") or words
    return (*told, Transition(status=status, message=message, started=moment.timestamp()))


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
