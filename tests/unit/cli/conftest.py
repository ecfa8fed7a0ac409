"""The installed program, and a data folder with jobs in it that nobody had to run."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cli_records import CREATED, processing_job, training_job

from sagedock.engine.plan import LogLine
from sagedock.local.joblog import LogWriter
from sagedock.local.records import Records
from sagedock.store.disk import DiskStore

SAGEDOCK = Path(sys.executable).with_name("sagedock")
Result = subprocess.CompletedProcess[str]
Sagedock = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder the program is started in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def sagedock(data: Path, work: Path) -> Sagedock:
    """`sagedock ARGUMENTS…` on `data`, without an engine: a job that is started is a failure."""

    def run(*arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        settings = {"SAGEDOCK_DATA": str(data), "DOCKER_HOST": "unix:///nonexistent.sock"}
        return subprocess.run(
            [SAGEDOCK, *arguments],
            input=stdin,
            env={**os.environ, **settings, **(env or {})},
            cwd=work,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def jobs(data: Path) -> Path:
    """A data folder with three jobs, the newest last: `churn-train` with a log, `churn-prepare`,
    and `twin` of both kinds. Its bucket is there too."""
    store = DiskStore(data)
    store.create_bucket("results")
    store.close()
    records = Records(data)
    records.add(training_job("churn-train"))
    records.add(processing_job("churn-prepare", CREATED + 60))
    records.add(training_job("twin", CREATED + 120))
    records.add(processing_job("twin", CREATED + 180))
    records.close()
    log = LogWriter(data / "jobs" / "training" / "churn-train" / "logs" / "algo-1.log")
    for second, text in enumerate(("first line", "10%\r50%\r100%", "übrig ✓", "last line")):
        log.write(LogLine(stamp=f"2026-11-24T08:07:0{second}.000000000Z", text=text))
    log.close()
    return data
