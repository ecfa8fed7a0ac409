"""What the demo shows: steps, log excerpts, the closing table and the picture of the curves.

On a terminal rich draws it; elsewhere (a pipe, CI) the same words come as plain lines. This module
knows the answers of describe() and the log lines of XGBoost; it must not start anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

STEPS = 7
ROUND = re.compile(r"\[(\d+)\]\s+train-error:(\S+)\s+validation-error:(\S+)")
PHASES = ("staging", "container", "packaging")


@dataclass(frozen=True, kw_only=True)
class Round:
    """Shares of rows that are predicted wrongly after one more tree."""

    number: int
    train: float
    validation: float


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """One line of the closing table. `seconds` by phase; `artifacts` are S3 URIs."""

    name: str
    status: str
    seconds: Mapping[str, float]
    metrics: Mapping[str, float]
    artifacts: Sequence[str]


def rounds(lines: Iterable[str]) -> list[Round]:
    """XGBoost's lines `[0] train-error:… validation-error:…`, in order; others are passed over."""
    found = (ROUND.search(line.replace("#011", "\t")) for line in lines)
    return [
        Round(number=int(match[1]), train=float(match[2]), validation=float(match[3]))
        for match in found
        if match
    ]


def excerpt(lines: Sequence[str], every: int = 100) -> list[str]:
    """All lines but the rounds, and of these the first three, every hundredth and the last."""
    numbers = [(line, match) for line in lines if (match := ROUND.search(line))]
    last = int(numbers[-1][1][1]) if numbers else 0
    return [line for line in lines if _is_shown(ROUND.search(line), every, last)]


def _is_shown(match: re.Match[str] | None, every: int, last: int) -> bool:
    if match is None:
        return True
    number = int(match[1])
    return number < 3 or number % every == 0 or number == last


def processing_result(description: Mapping[str, Any], seconds: Mapping[str, float]) -> JobResult:
    """From describe_processing_job's answer."""
    outputs = description["ProcessingOutputConfig"]["Outputs"]
    return JobResult(
        name=description["ProcessingJobName"],
        status=description["ProcessingJobStatus"],
        seconds=seconds,
        metrics={},
        artifacts=[output["S3Output"]["S3Uri"] for output in outputs],
    )


def training_result(
    description: Mapping[str, Any], seconds: Mapping[str, float], more: Sequence[str] = ()
) -> JobResult:
    """From describe_training_job's answer; `more` are URIs that it does not hold."""
    metrics = description.get("FinalMetricDataList", [])
    return JobResult(
        name=description["TrainingJobName"],
        status=description["TrainingJobStatus"],
        seconds=seconds,
        metrics={metric["MetricName"]: metric["Value"] for metric in metrics},
        artifacts=[description["ModelArtifacts"]["S3ModelArtifacts"], *more],
    )


def cells(result: JobResult) -> list[str]:
    """A table row: name, status, one number a phase, metrics."""
    seconds = [f"{result.seconds[phase]:.2f}" for phase in PHASES]
    metrics = "  ".join(f"{name}={value:.4f}" for name, value in result.metrics.items())
    return [result.name, result.status, *seconds, metrics or "-"]


HEADINGS = ["job", "status", *(f"{phase} s" for phase in PHASES), "metrics"]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells -> lines of text with columns under one another."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


class Screen:
    """Where the demo's words go: `console` decides between a terminal and plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def step(self, number: int, title: str) -> None:
        heading = f"{number}/{STEPS} {title}"
        if self._console.is_terminal:
            self._console.print()
            self._console.rule(f"[bold]{heading}", align="left")
        else:
            self.say(f"\n== {heading}")

    def say(self, text: str) -> None:
        """One line (or several) as it is: rich would expand tabs and wrap what is to be copied."""
        print(text, file=self._console.file, flush=True)

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.say(f"    {line.rstrip()}")

    def document(self, title: str, value: Any) -> None:
        self.say(title)
        self.lines(json.dumps(value, indent=2, default=str).splitlines())

    def working(self, text: str) -> AbstractContextManager[Any]:
        """Around something that prints nothing itself: a spinner, or one line."""
        if not self._console.is_terminal:
            self.say(text)
        return self._console.status(text)

    def table(self, results: Sequence[JobResult]) -> None:
        rows = [cells(result) for result in results]
        if self._console.is_terminal:
            table = Table()
            for heading in HEADINGS:
                # Names are folded, never cut: they are what `sagedock logs NAME` asks for.
                table.add_column(heading, overflow="fold")
            for row in rows:
                table.add_row(*row)
            self._console.print(table)
        else:
            self.lines(aligned([HEADINGS, *rows]))
        for result in results:
            self.say(f"{result.name}:")
            self.lines(result.artifacts)


def draw_curves(curves: Sequence[Round], path: Path, reference: Mapping[str, float]) -> None:
    """PNG of both errors over the rounds; `reference` has the 2020 run's last values."""
    import matplotlib as mpl  # here: --help need not pay 0.3 s for it

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    numbers = [item.number for item in curves]
    for name, colour in (("train", "tab:blue"), ("validation", "tab:orange")):
        errors = [getattr(item, name) for item in curves]
        axes.plot(numbers, errors, color=colour, label=f"{name}: ends at {errors[-1]:.4f}")
        axes.axhline(
            reference[name], color=colour, linestyle=":", label=f"{name} in 2020: {reference[name]}"
        )
    axes.set(xlabel="boosting round", ylabel="share of rows predicted wrongly", ylim=(0, None))
    axes.set_title("Customer churn, XGBoost algorithm mode")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
