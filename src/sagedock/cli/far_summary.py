"""What became of a job on AWS, for people: a few lines from its description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagedock.aws.account import Account
    from sagedock.aws.jobs import Described
    from sagedock.launch.cost import Bill

_LABEL = 10


def summary_lines(account: Account, job: Described, data: Path) -> list[str]:
    """As of a local job, and where the console shows it, and what it has cost. `data` is the folder
    with the user's prices."""
    return [f"{label:<{_LABEL}}{text}" for label, text in _facts(account, job, data)]


def _facts(account: Account, job: Described, data: Path) -> Iterator[tuple[str, str]]:
    from sagedock.aws.console import console_url, logs_url
    from sagedock.launch.aws.watching import GROUPS
    from sagedock.local.records import Kind

    found = job.document
    yield "Job", f"{job.name} ({job.kind})"
    yield "Status", job.status
    yield "Seconds", seconds_text(job.kind, found, datetime.now(UTC))
    for metric in found.get("FinalMetricDataList", ()):
        yield "Metric", f"{metric['MetricName']} = {metric['Value']:g}"
    yield from _results(job)
    if found.get("ExitMessage"):
        yield "Message", found["ExitMessage"]
    if found.get("FailureReason"):
        yield "Failure", found["FailureReason"].partition("\n")[0]
    place = {"region": account.region, "partition": account.partition}
    links = {
        "Console": console_url(job.kind, job.name, **place),
        "Logs": logs_url(GROUPS[Kind(job.kind)], prefix=f"{job.name}/", **place),
    }
    yield from ((label, link) for label, link in links.items() if link)
    yield from _costs(account.region, job, data)


def seconds_text(kind: str, found: Mapping[str, Any], now: datetime) -> str:
    """`412.0 (waiting 61.2, on instances 350.8)`."""
    word = kind.capitalize()
    created, started = found["CreationTime"], found.get(f"{word}StartTime")
    running = found[f"{word}JobStatus"] in {"InProgress", "Stopping"}
    ended = found.get(f"{word}EndTime") or (
        now if running else found.get("LastModifiedTime", created)
    )
    whole = (ended - created).total_seconds()
    if started is None:
        return f"{whole:.1f}"
    waited, worked = (started - created).total_seconds(), (ended - started).total_seconds()
    return f"{whole:.1f} (waiting {waited:.1f}, on instances {worked:.1f})"


def _results(job: Described) -> Iterator[tuple[str, str]]:
    found = job.document
    if job.kind == "training" and job.status == "Completed":
        yield "Model", found["ModelArtifacts"]["S3ModelArtifacts"]
    for item in found.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        place = item.get("S3Output", {}).get("S3Uri")
        if place:
            yield "Output", f"{item['OutputName']}: {place}"
    if job.kind == "transform":
        yield "Output", found["TransformOutput"]["S3OutputPath"]


def _costs(region: str, job: Described, data: Path) -> Iterator[tuple[str, str]]:
    from sagedock.aws.prices import load
    from sagedock.launch.cost import of_job

    bill = of_job(job.kind, job.document, load(data), region, datetime.now(UTC))
    if bill is None:
        return
    yield "Cost", cost_text(bill, region, running=job.is_running)
    if bill.saved is not None:
        yield "Saved", f"{bill.saved:.0%} by managed spot training"


def cost_text(bill: Bill, region: str, *, running: bool) -> str:
    """What has been billed by list prices, and at most will be; or which price is not known."""
    what = " + ".join(f"{count} {name}" for name, count in bill.instances)
    if bill.cost is None:
        return (
            f"unknown: no price of {', '.join(bill.lacking)} for {bill.component} in {region} "
            f"(sagedock prices --refresh --region {region})"
        )
    most = f", at most {bill.limit}" if running and bill.limit else ""
    dates = ", ".join(bill.published)
    so_far = " so far" if running else ""
    return f"{bill.cost}{so_far}{most} ({bill.seconds:.0f} s of {what}; list price of {dates})"
