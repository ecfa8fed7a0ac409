"""What the tests of the local service share: a bench that runs small programs as jobs.

A program is Python text; it reaches its container as the channel (or input) `probe`, so no image
has to be built for it.
"""

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagedock.engine.plan import LogLine
from sagedock.errors import JobFailedError, ResourceNotFoundError
from sagedock.launch.estimator import Estimator
from sagedock.launch.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagedock.launch.session import Session
from sagedock.local.records import Job
from sagedock.local.settings import LocalSettings
from sagedock.store.uri import S3Uri

DEADLINE = 60.0
"""Seconds after which a test gives up waiting; far more than a busy machine needs."""

PROBE = "/opt/ml/input/data/probe/main.py"


def until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """Poll `condition` until it holds; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:g} s in vain until {what}")


@dataclass
class Recorder:
    """A listener that remembers. `on_line` is called with each line's text."""

    lines: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    on_line: Callable[[str], None] = lambda text: None

    def status(self, job: Job) -> None:
        self.statuses.append(job.state.transitions[-1].status)

    def log(self, line: LogLine) -> None:
        self.lines.append(line.text)
        self.on_line(line.text)


class Bench:
    """Runs jobs with a data folder of its own."""

    def __init__(self, folder: Path, image: str, settings: LocalSettings) -> None:
        self.folder, self.image, self.settings = folder, image, settings
        self.data = settings.data
        self.listener = Recorder()
        self.session = Session(settings=settings, listener=self.listener)
        self._programs = 0
        self._processes: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        """End what the bench has started."""
        for process in self._processes:
            process.kill()
            process.communicate()
        self.session.close()

    def elsewhere(self, code: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Run Python text in a process of its own, with this bench's data folder."""
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "SAGEDOCK_DATA": str(self.data), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)
        return process

    def program(self, text: str) -> Path:
        """A folder with `text` as main.py."""
        self._programs += 1
        folder = self.folder / f"program-{self._programs}"
        folder.mkdir()
        (folder / "main.py").write_text(textwrap.dedent(text))
        return folder

    def estimator(self, **arguments: Any) -> Estimator:
        """An Estimator of this bench's session."""
        return Estimator(
            arguments.pop("image_uri", self.image),
            sagemaker_session=arguments.pop("session", self.session),
            **arguments,
        )

    def train(
        self,
        text: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        job_name: str | None = None,
        wait: bool = True,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Run `text` as a training job; what describe says. A failed job is no error here."""
        estimator = self.estimator(
            container_entry_point=["python3", "-u", PROBE], base_job_name="probe", **arguments
        )
        channels = {"probe": self.program(text), **(inputs or {})}
        with contextlib.suppress(JobFailedError):
            estimator.fit(channels, job_name=job_name, wait=wait)
        assert estimator.latest_training_job
        return estimator.latest_training_job.describe()

    def process(
        self,
        text: str,
        *,
        inputs: Sequence[ProcessingInput] = (),
        outputs: Sequence[ProcessingOutput] = (),
        arguments: Sequence[str] = (),
        job_name: str | None = None,
        wait: bool = True,
        **settings: Any,
    ) -> dict[str, Any]:
        """Run `text` as a processing job; what describe says."""
        processor = ScriptProcessor(
            self.image,
            ["python3", "-u"],
            sagemaker_session=self.session,
            base_job_name="probe",
            **settings,
        )
        with contextlib.suppress(JobFailedError):
            processor.run(
                str(self.program(text) / "main.py"),
                inputs,
                outputs,
                arguments,
                wait,
                True,
                job_name,
            )
        assert processor.latest_job
        return processor.latest_job.describe()

    def report(self) -> Any:
        """The last line of the log as JSON: how programs tell what they saw."""
        return json.loads(self.listener.lines[-1])

    def artifact(self, answer: Mapping[str, Any]) -> Path:
        """The file that holds a job's model.tar.gz."""
        return self.session.store.path(S3Uri.parse(answer["ModelArtifacts"]["S3ModelArtifacts"]))

    def job(self, name: str) -> dict[str, Any]:
        """describe_training_job."""
        return self.session.sagemaker_client.describe_training_job(TrainingJobName=name)

    def ended(self, name: str) -> dict[str, Any]:
        """describe_training_job of the job once it has ended."""
        until(
            lambda: self.job(name)["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"},
            f"job {name} ends",
        )
        return self.job(name)

    def logged(self, name: str, text: str) -> None:
        """Wait until the job's log holds a line that is `text`."""

        def is_there() -> bool:
            with contextlib.suppress(ResourceNotFoundError):  # not made yet, by another process
                return text in self.session.logs(name)
            return False

        until(is_there, f"{text!r} is in the log of {name}")
