"""A job on AWS, watched over a real wire that throttles, fails, lags and refuses."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from aws_kit import QUICK

from sagedock.aws.logs import LogReader, cleaned
from sagedock.engine.plan import LogLine
from sagedock.errors import AwsError
from sagedock.launch.aws.watching import host_of
from sagedock.launch.job import LaunchedJob
from sagedock.local.joblog import LogWriter
from sagedock.local.process import Owner
from sagedock.local.records import Job, JobState, Kind, Records, Status
from sagedock.local.settings import LocalSettings

NAME = "churn"
DESCRIBE = "SageMaker.DescribeTrainingJob"
EVENTS = "Logs_20140328.GetLogEvents"
STREAMS = "Logs_20140328.DescribeLogStreams"
REQUEST = {
    "TrainingJobName": NAME,
    "AlgorithmSpecification": {"TrainingImage": "an/image", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/R",
    "OutputDataConfig": {"S3OutputPath": "s3://results"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
}


class Running:
    """A job of this process that nobody runs: its record and log are moved by hand."""

    def __init__(self, data) -> None:
        LocalSettings(data=data)
        self._records = Records(data)
        now = time.time()
        state = JobState(modified=now, started=now).enter("Starting", "Preparing", now)
        self._job = Job(
            kind=Kind.TRAINING,
            name=NAME,
            arn=f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{NAME}",
            created=now,
            request=REQUEST,
            state=state,
            owner=Owner.me(),
        )
        self._records.add(self._job)
        self._log = LogWriter(data / "jobs" / "training" / NAME / "logs" / "algo-1.log")

    def enter(self, status: str) -> None:
        moment = time.time()
        self._records.update(self._job, lambda s: s.enter(status, f"{status}.", moment))

    def say(self, text: str, moment: float | None = None) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment or time.time()))
        self._log.write(LogLine(stamp=f"{stamp}.000000000Z", text=text))

    def end(self, status: Status = Status.COMPLETED, reason: str | None = None) -> None:
        moment = time.time()
        self._records.update(
            self._job,
            lambda s: replace(
                s.enter(status, f"{status}.", moment),
                status=status,
                ended=moment,
                failure_reason=reason,
            ),
        )

    def close(self) -> None:
        self._log.close()
        self._records.close()


@pytest.fixture
def job(proxy, server_data) -> Iterator[Running]:
    running = Running(server_data)
    yield running
    running.close()


def watch(far):
    return far.attend(Kind.TRAINING, NAME, logs=True)


def beside(*steps):
    """The steps one after the other while somebody watches."""

    def run():
        for step in steps:
            time.sleep(0.15)
            step()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


# what is seen


def test_each_status_and_each_line_is_told_once(far, job, heard):
    thread = beside(
        lambda: job.enter("Downloading"),
        lambda: job.say("one"),
        lambda: job.enter("Training"),
        lambda: job.say("two\tand\t3"),
        lambda: job.say("10%\r50%\r100%"),
        lambda: job.enter("Uploading"),
        job.end,
    )
    found = watch(far)
    thread.join()
    assert (found.status, found.failure, found.message) == ("Completed", None, "Completed.")
    assert heard.statuses == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert heard.lines == ["one", "two\tand\t3", "10%\r50%\r100%"]


def test_lines_that_come_after_the_end_are_told(far, job, heard):
    job.say("early")
    job.end()
    thread = beside(lambda: job.say("late"), lambda: job.say("later"))
    watch(far)
    thread.join()
    assert heard.lines == ["early", "late", "later"]


def test_many_lines_come_whole_and_in_order(far, job, heard):
    for number in range(25_000):
        job.say(f"line {number}", 1_800_000_000)
    job.end()
    watch(far)
    assert heard.lines == [f"line {number}" for number in range(25_000)]


def test_equal_lines_of_one_moment_are_as_many_as_there_were(far, job, heard):
    for _ in range(3):
        job.say("same", 1_800_000_000)
    job.end()
    watch(far)
    assert heard.lines == ["same"] * 3


def test_a_failure_is_told_with_its_reason(far, job):
    job.end(Status.FAILED, "AlgorithmError: it broke")
    found = watch(far)
    assert (found.status, found.failure) == ("Failed", "AlgorithmError: it broke")


def test_who_watches_again_goes_on_where_the_watching_stopped(far, job, heard, proxy):
    job.say("one")
    proxy.rule(DESCRIBE, times=0)
    interrupted = threading.Event()

    def interrupting(line):
        heard.lines.append(line.text)
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt

    heard.log = interrupting
    with pytest.raises(KeyboardInterrupt):
        watch(far)
    job.say("two")
    job.end()
    watch(far)
    assert heard.lines == ["one", "two"]
    assert heard.statuses == ["Starting", "Completed"]


# trouble


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 400, "body": b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'},
        {"status": 500, "body": b'{"__type": "InternalFailure", "message": "again"}'},
        {"status": 502, "body": b"<html>bad gateway</html>"},
        {"cut_down": 0},
    ],
)
@pytest.mark.parametrize("which", [DESCRIBE, EVENTS, STREAMS])
def test_what_passes_is_waited_out(far, job, heard, proxy, fault, which):
    proxy.rule(which, times=7, **fault)  # more than botocore itself tries
    job.say("one")
    job.end()
    assert watch(far).status == "Completed"
    assert heard.lines == ["one"]


def test_before_the_first_line_there_is_no_log_group(far, job, heard, proxy):
    absent = b'{"__type": "ResourceNotFoundException", "message": "no such log group"}'
    proxy.rule(STREAMS, times=3, status=400, body=absent)
    job.say("one")
    job.end()
    watch(far)
    assert heard.lines == ["one"]


def test_credentials_that_expire_are_told_and_that_the_job_goes_on(far, job, proxy):
    old = b'{"__type": "ExpiredTokenException", "message": "The security token is expired"}'
    rule = proxy.rule(DESCRIBE, times=0, status=400, body=old)
    beside(lambda: setattr(rule, "times", 100))
    with pytest.raises(AwsError, match="ExpiredTokenException") as caught:
        watch(far)
    assert "get new ones" in caught.value.hint
    assert f"sagedock logs -f {NAME} --aws --region eu-west-1" in caught.value.hint


def test_a_log_that_may_not_be_read_does_not_end_the_watching(far, job, heard, proxy):
    denied = b'{"__type": "AccessDeniedException", "message": "not authorized"}'
    proxy.rule(STREAMS, times=100, status=400, body=denied)
    job.say("one")
    job.end()
    assert watch(far).status == "Completed"
    assert heard.lines == []
    assert heard.notes == [
        "The log can't be read: DescribeLogStreams: AccessDeniedException: not authorized"
    ]


def test_trouble_that_does_not_pass_is_told(session_of, job, proxy):
    proxy.rule(DESCRIBE, times=10_000, status=500)
    far = session_of(pace=replace(QUICK, trouble=0.5))
    with pytest.raises(AwsError, match="DescribeTrainingJob"):
        watch(far)


# streams


class Wire:
    """CloudWatch as a real client would be answered: a proxy that answers all by itself."""

    def __init__(self, proxy) -> None:
        self._proxy = proxy

    def answers(self, pattern, *documents):
        for document in documents:
            body = json.dumps(document).encode()
            self._proxy.rule(pattern, status=200, body=body)


def page(token, *events):
    return {
        "events": [{"timestamp": moment, "message": text} for moment, text in events],
        "nextForwardToken": token,
        "nextBackwardToken": "b",
    }


@pytest.fixture
def reader(account):
    return LogReader(account.client("logs"), "/aws/sagemaker/TrainingJobs", f"{NAME}/")


def test_hosts_are_merged_by_time_and_empty_pages_are_no_end(reader, proxy):
    wire = Wire(proxy)
    streams = [{"logStreamName": f"{NAME}/algo-{n}-1"} for n in (1, 2)]
    wire.answers(
        STREAMS, {"logStreams": streams[:1], "nextToken": "n"}, {"logStreams": streams[1:]}
    )
    wire.answers(EVENTS, page("1", (10, "a"), (30, "c")), page("2"), page("3", (40, "d")),
                 page("3"), page("9", (20, "b")), page("9"))  # fmt: skip
    assert [event.text for event in reader.read()] == ["a", "b", "c", "d"]
    assert [host_of(name) for name in reader.streams] == ["algo-1", "algo-2"]


def test_what_was_read_before_an_error_is_not_lost(reader, proxy):
    wire = Wire(proxy)
    streams = [{"logStreamName": f"{NAME}/algo-{n}-1"} for n in (1, 2)]
    wire.answers(STREAMS, {"logStreams": streams}, {"logStreams": streams})
    wire.answers(EVENTS, page("1", (10, "a")), page("1"))
    denied = b'{"__type": "AccessDeniedException", "message": "no"}'
    proxy.rule(EVENTS, status=400, body=denied)
    with pytest.raises(AwsError):
        reader.read()
    wire.answers(EVENTS, page("1"), page("9", (20, "b")), page("9"))
    assert [event.text for event in reader.read()] == ["a", "b"]


def test_late_events_are_found_and_told_once(reader, proxy):
    wire = Wire(proxy)
    wire.answers(STREAMS, {"logStreams": [{"logStreamName": f"{NAME}/algo-1-1"}]})
    base = 1_800_000_000_000
    wire.answers(EVENTS, page("1", (base, "a"), (base, "a"), (base + 2000, "c")), page("1"))
    assert [event.text for event in reader.read()] == ["a", "a", "c"]
    again = page("5", (base, "a"), (base, "a"), (base, "a"), (base + 1000, "b"), (base + 2000, "c"))
    wire.answers(EVENTS, again, page("5"))
    assert [event.text for event in reader.late()] == ["a", "b"]
    wire.answers(EVENTS, again, page("5"))
    assert reader.late() == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a#011b", "a\tb"),
        ("10%#015100%", "10%\r100%"),
        ("#033[31mred", "\x1b[31mred"),
        ("issue #0112", "issue \t2"),
        ("#01 and #99", "#01 and #99"),
    ],
)
def test_control_characters_are_what_they_were(written, meant):
    assert cleaned(written) == meant


@pytest.mark.parametrize(
    ("stream", "host"),
    [
        ("job/algo-12-1700000000", "algo-12"),
        ("job/i-0abc-123/data-log", "i-0abc"),
        ("job/other", "other"),
        ("odd", "odd"),
    ],
)
def test_hosts_by_their_streams(stream, host):
    assert host_of(stream) == host


def test_statuses_stand_among_the_lines_by_their_time(far, job, heard):
    order = []
    heard.status = lambda seen: order.append(seen.state.transitions[-1].status)
    heard.log = lambda line: order.append(line.text)
    job.say("in training", time.time() - 3000)
    job.end()
    watch(far)
    assert order == ["in training", "Starting", "Completed"]


def test_what_was_not_told_before_an_interrupt_is_told_after_it(far, job, heard):
    for number in range(5):
        job.say(str(number))
    job.end()

    def interrupting(line):
        heard.lines.append(line.text)
        if line.text == "2" and len(heard.lines) == 3:
            raise KeyboardInterrupt

    heard.log = interrupting
    with pytest.raises(KeyboardInterrupt):
        watch(far)
    watch(far)
    assert heard.lines == ["0", "1", "2", "3", "4"]


def test_an_interrupt_in_python_tells_what_stops_the_job(far, job, heard):
    job.say("one")

    def interrupting(line):
        raise KeyboardInterrupt

    heard.log = interrupting
    with pytest.raises(KeyboardInterrupt):
        LaunchedJob(far, Kind.TRAINING, NAME).wait()
    assert heard.notes == [
        f"interrupted: {NAME} goes on. Stop it: sagedock stop {NAME} --aws --region eu-west-1"
    ]
    job.end()
