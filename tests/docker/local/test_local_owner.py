"""A job has one owner; whoever dies, the job ends, with its whole log, each line once."""

import itertools
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from local_kit import Bench, until

from sagedock.errors import ResourceInUseError
from sagedock.launch.session import Session
from sagedock.local.process import Owner
from sagedock.local.records import Kind, Records

Docker = Callable[..., "subprocess.CompletedProcess[str]"]

COUNT = """
    import os, sys, time
    for number in range(int(os.environ.get("FROM", "0")), 20):
        print(f"line {number}", flush=True)
        time.sleep(0.1)
    open("/opt/ml/model/m", "w").write("m")
"""
LINES = [f"line {number}" for number in range(20)]

FIT = """
import os, sys
from sagedock.launch.estimator import Estimator
from sagedock.launch.session import Session
image, program, name, wait = sys.argv[1:]
command = ["python3", "-u", "/opt/ml/input/data/probe/main.py"]
estimator = Estimator(image, container_entry_point=command, sagemaker_session=Session())
estimator.fit({"probe": program}, job_name=name, wait=wait == "wait")
"""


def owner_of(bench: Bench, name: str) -> Owner:
    records = Records(bench.data)
    try:
        owner = records.get(Kind.TRAINING, name).owner
        assert owner
        return owner
    finally:
        records.close()


def kill(owner: Owner) -> None:
    os.kill(owner.pid, signal.SIGKILL)
    until(lambda: not owner.is_alive(), "the owner is dead")


def test_without_waiting_fit_returns_at_once_and_the_job_completes(bench: Bench) -> None:
    answer = bench.train(COUNT, wait=False, job_name="later")
    assert answer["TrainingJobStatus"] == "InProgress"
    assert bench.session.logs("later") != LINES
    assert bench.ended("later")["TrainingJobStatus"] == "Completed"
    assert bench.session.logs("later") == LINES
    assert owner_of(bench, "later").pid != os.getpid()


def test_waiting_for_a_detached_job_tells_its_log_and_status(bench: Bench) -> None:
    estimator = bench.estimator(container_entry_point=["echo", "hello"])
    estimator.fit(wait=False)
    assert estimator.latest_training_job
    estimator.latest_training_job.wait()
    assert bench.listener.lines == ["hello"]
    assert bench.listener.statuses[-1] == "Completed"


def test_runner_outlives_its_caller(bench: Bench) -> None:
    caller = bench.elsewhere(FIT, bench.image, str(bench.program(COUNT)), "alone", "no")
    caller.communicate(timeout=60)
    assert caller.returncode == 0
    assert bench.job("alone")["TrainingJobStatus"] == "InProgress"
    assert bench.ended("alone")["TrainingJobStatus"] == "Completed"
    assert bench.session.logs("alone") == LINES


def test_killed_caller_is_followed_by_the_next_that_asks(bench: Bench) -> None:
    caller = bench.elsewhere(FIT, bench.image, str(bench.program(COUNT)), "orphan", "wait")
    bench.logged("orphan", "line 3")
    container = bench.session.sagemaker_client.find("orphan").state.container
    caller.kill()
    caller.communicate()
    before = bench.session.logs("orphan")
    assert bench.job("orphan")["TrainingJobStatus"] == "InProgress"  # this call adopts it
    answer = bench.ended("orphan")
    assert answer["TrainingJobStatus"] == "Completed"
    assert bench.session.logs("orphan") == LINES
    assert len(before) < len(LINES)
    assert bench.session.sagemaker_client.find("orphan").state.container == container
    assert bench.artifact(answer).stat().st_size > 0


def test_killed_caller_whose_container_has_ended_meanwhile(
    bench: Bench, docker_cli: Docker
) -> None:
    caller = bench.elsewhere(FIT, bench.image, str(bench.program(COUNT)), "over", "wait")
    bench.logged("over", "line 3")
    caller.kill()
    caller.communicate()
    records = Records(bench.data)
    container = records.get(Kind.TRAINING, "over").state.container
    records.close()
    docker_cli("wait", str(container))
    assert bench.ended("over")["TrainingJobStatus"] == "Completed"
    assert bench.session.logs("over") == LINES


def test_killed_runner_is_followed_without_losing_or_doubling_a_line(bench: Bench) -> None:
    """The runner dies in the middle of a flood: half a line may be written, seconds overlap."""
    program = """
        import sys, time
        for number in range(100_000):
            print(f"line {number} " + "x" * 50)
        time.sleep(1)
    """
    bench.train(program, wait=False, job_name="flood")
    log = bench.data / "jobs" / "training" / "flood" / "logs" / "algo-1.log"
    until(lambda: log.exists() and log.stat().st_size > 1_000_000, "the log grows")
    kill(owner_of(bench, "flood"))
    assert log.read_bytes().count(b"\n") < 100_000
    assert bench.ended("flood")["TrainingJobStatus"] == "Completed"
    numbers = [int(line.split()[1]) for line in bench.session.logs("flood")]
    assert numbers == list(range(100_000))


def test_runner_killed_before_its_container_starts(bench: Bench) -> None:
    bench.train(COUNT, wait=False, job_name="young", environment={"FROM": "19"})
    owner = until(
        lambda: (o := owner_of(bench, "young")).pid != os.getpid() and o, "the runner owns the job"
    )
    kill(owner)
    assert bench.ended("young")["TrainingJobStatus"] == "Completed"
    assert bench.session.logs("young") == ["line 19"]


def test_terminated_runner_stops_the_job(bench: Bench) -> None:
    bench.train(COUNT, wait=False, job_name="term")
    bench.logged("term", "line 1")
    os.kill(owner_of(bench, "term").pid, signal.SIGTERM)
    assert bench.ended("term")["TrainingJobStatus"] == "Stopped"


def test_container_that_somebody_removed(bench: Bench, docker_cli: Docker) -> None:
    bench.train(COUNT, wait=False, job_name="gone")
    bench.logged("gone", "line 1")
    kill(owner_of(bench, "gone"))
    records = Records(bench.data)
    container = records.get(Kind.TRAINING, "gone").state.container
    records.close()
    docker_cli("rm", "-fv", str(container))
    answer = bench.ended("gone")
    assert answer["TrainingJobStatus"] == "Failed"
    assert "was removed" in answer["FailureReason"]


ASK = """
import sys
from sagedock.launch.session import Session
session = Session()
sys.stdin.readline()
answer = session.sagemaker_client.describe_training_job(TrainingJobName=sys.argv[1])
print(answer["TrainingJobStatus"])
"""


def test_two_that_ask_at_once_adopt_only_once(bench: Bench, docker_cli: Docker) -> None:
    bench.train(COUNT, wait=False, job_name="twice")
    bench.logged("twice", "line 1")
    asking = [bench.elsewhere(ASK, "twice") for _ in range(3)]
    kill(owner_of(bench, "twice"))
    for process in asking:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0].strip() for process in asking}
    assert answers == {"InProgress"}
    assert bench.ended("twice")["TrainingJobStatus"] == "Completed"
    assert bench.session.logs("twice") == LINES
    steps = [step["Status"] for step in bench.job("twice")["SecondaryStatusTransitions"]]
    assert steps == ["Pending", "Starting", "Downloading", "Training", "Uploading", "Completed"]
    runner_log = bench.data / "jobs" / "training" / "twice" / "runner.log"
    assert runner_log.read_text() == ""


def test_only_one_of_many_creates_a_job_of_one_name(bench: Bench) -> None:
    program = bench.program("print('once')")

    def create(number: int) -> str:
        session = Session(settings=bench.settings)
        try:
            bench.estimator(
                session=session,
                container_entry_point=["python3", "-u", "/opt/ml/input/data/probe/main.py"],
            ).fit({"probe": program}, job_name="same", wait=False)
        except ResourceInUseError:
            return "taken"
        finally:
            session.close()
        return "made"

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(create, range(5))) == ["made", *itertools.repeat("taken", 4)]
    assert bench.ended("same")["TrainingJobStatus"] == "Completed"
    assert bench.session.logs("same") == ["once"]


OTHER = """
import json
from sagedock.launch.session import Session
client = Session().sagemaker_client
rows = client.list_training_jobs()["TrainingJobSummaries"]
print(json.dumps([[row["TrainingJobName"], row["TrainingJobStatus"]] for row in rows]))
client.stop_training_job(TrainingJobName="shared")
"""


def test_another_process_lists_and_stops(bench: Bench) -> None:
    bench.train(COUNT, wait=False, job_name="shared")
    bench.logged("shared", "line 0")
    output, _ = bench.elsewhere(OTHER).communicate(timeout=60)
    assert output.strip() == '[["shared", "InProgress"]]'
    assert bench.ended("shared")["TrainingJobStatus"] == "Stopped"


def test_detached_job_runs_with_the_settings_of_its_session(
    bench: Bench, tmp_path: Path, docker_cli: Docker
) -> None:
    """Not with the environment's, which may name another region or size."""
    from sagedock.local.settings import LocalSettings

    own = LocalSettings(data=bench.data, region="eu-west-3", shm_bytes=100 << 20)
    session = Session(settings=own)
    estimator = bench.estimator(
        session=session, container_entry_point=["sh", "-c", "echo $AWS_REGION; df -k /dev/shm"]
    )
    estimator.fit(wait=False, job_name="own")
    assert bench.ended("own")["TrainingJobStatus"] == "Completed"
    lines = session.logs("own")
    session.close()
    assert lines[0] == "eu-west-3"
    assert str(100 << 10) in lines[-1].split()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_caller_that_is_terminated_leaves_an_adoptable_job(bench: Bench, how: int) -> None:
    caller = bench.elsewhere(FIT, bench.image, str(bench.program(COUNT)), "left", "wait")
    bench.logged("left", "line 1")
    caller.send_signal(how)
    caller.communicate(timeout=60)
    assert bench.ended("left")["TrainingJobStatus"] in {"Completed", "Stopped"}
    assert bench.session.logs("left")[:2] == LINES[:2]
