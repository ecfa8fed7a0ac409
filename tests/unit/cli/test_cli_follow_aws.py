"""What goes on while a command looks: logs that grow, jobs that stop, with --aws over the wire. The
jobs are records whose owner is this process."""

import os
import signal
import subprocess
import time
from dataclasses import replace

import pytest
from cli_records import training_job
from far_kit import SAGEDOCK, local_aws, settings

from faulty_proxy import FaultyProxy
from sagedock.engine.plan import LogLine
from sagedock.local.joblog import LogWriter
from sagedock.local.process import Owner
from sagedock.local.records import Kind, Records, Status


class Running:
    """A training job `live` that this process pretends to run."""

    def __init__(self, data) -> None:
        self.records = Records(data)
        now = time.time()
        job = training_job("live", now, status=Status.IN_PROGRESS, ended=None, started=now)
        self.job = replace(job, owner=Owner.me())
        self.records.add(self.job)
        self.log = LogWriter(data / "jobs" / "training" / "live" / "logs" / "algo-1.log")

    def say(self, text) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime())
        self.log.write(LogLine(stamp=stamp, text=text))

    def end(self, status=Status.COMPLETED) -> None:
        self.records.update(self.job, lambda s: replace(s, status=status, ended=time.time()))

    def now(self):
        return self.records.get(Kind.TRAINING, "live")


@pytest.fixture
def running(data):
    found = Running(data)
    yield found
    found.log.close()
    found.records.close()


@pytest.fixture
def proxy(running, data):
    with local_aws(data) as address, FaultyProxy(*address) as between:
        yield between


@pytest.fixture
def environ(proxy, tmp_path):
    return settings(tmp_path, proxy.url)


@pytest.fixture
def start(environ, work):
    """Starts `sagedock …` and leaves it running."""
    made = []

    def run(*arguments):
        process = subprocess.Popen(
            [SAGEDOCK, *arguments, "--aws"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=work,
            env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"},
        )
        made.append(process)
        return process

    yield run
    for process in made:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_log_is_followed_to_its_last_line(start, running):
    running.say("before")
    process = start("logs", "live", "--follow")
    assert process.stdout.readline() == "before\n"  # shown while the job runs
    running.say("while")
    assert process.stdout.readline() == "while\n"
    running.end()
    running.say("after")  # CloudWatch takes the last lines in when the job has ended
    assert process.stdout.readlines() == ["after\n"]  # read ahead or not
    assert (process.wait(timeout=60), process.stderr.read()) == (0, "")


def test_following_begins_with_the_last_lines_where_that_is_wanted(start, running):
    for number in range(10):
        running.say(str(number))
    process = start("logs", "live", "-f", "-n", "2")
    assert [process.stdout.readline() for _ in range(2)] == ["8\n", "9\n"]
    running.say("10")
    assert process.stdout.readline() == "10\n"


def test_ctrl_c_ends_the_showing_and_not_the_job(start, running):
    running.say("a line")
    process = start("logs", "live", "--follow")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in err) == (130, False)
    assert running.now().state.status is Status.IN_PROGRESS
    assert not running.records.stop_requested(running.job)


def test_a_job_is_stopped_and_waited_for(start, sagedock, environ, running, proxy):
    process = start("stop", "live", "--wait")
    while proxy.asked("DescribeTrainingJob") < 3:  # one to find it, two since it was stopped
        time.sleep(0.05)
    assert running.records.stop_requested(running.job)
    assert process.poll() is None
    running.end(Status.STOPPED)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "Training job live: Stopped\n", "")
    assert sagedock("stop", "live", "--aws", env=environ).returncode == 3


def test_stopping_does_not_wait_unless_told_to(sagedock, environ, running):
    for _ in range(2):  # what stops already may be stopped again
        done = sagedock("stop", "live", "--aws", env=environ)
        assert (done.returncode, done.stdout) == (0, "Training job live: Stopping\n")
    assert "so far, at most $2.76" in sagedock("describe", "live", "--aws", env=environ).stdout


def test_a_running_job_is_listed_as_such(sagedock, environ, running):
    found = sagedock("jobs", "--status", "InProgress", "--aws", env=environ).stdout.splitlines()
    assert [line.split()[:3] for line in found[1:]] == [["live", "training", "InProgress"]]
