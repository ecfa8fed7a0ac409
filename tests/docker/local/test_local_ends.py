"""How jobs end: exit codes, failure files, time limits, stops, Ctrl-C (A5.6 to A6.2, C3)."""

import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from local_kit import Bench, until

from sagedock.errors import JobFailedError, StoreError, ValidationError

Docker = Callable[..., "subprocess.CompletedProcess[str]"]

HEAR = """
    import os, signal, sys, time
    def stop(number, frame):
        print("heard", signal.Signals(number).name, flush=True)
        open(f"{folder}/late", "w").write("late")
        sys.exit(int(os.environ.get("CODE", "0")))
    folder = os.environ.get("FOLDER", "/opt/ml/model")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if "DEAF" in os.environ else stop)
    open(f"{folder}/early", "w").write("early")
    print("ready", flush=True)
    time.sleep(600)
"""


def names_in_model(bench: Bench, answer: Mapping) -> list[str]:
    with tarfile.open(bench.artifact(answer)) as archive:
        return sorted(archive.getnames())


# Failures


@pytest.mark.parametrize("code", [1, 3, 130, 255])
def test_exit_code_fails_the_job(bench: Bench, code: int) -> None:
    answer = bench.train(f"import os; os._exit({code})")
    assert answer["TrainingJobStatus"] == "Failed"
    assert answer["SecondaryStatus"] == "Failed"
    assert answer["FailureReason"] == f"AlgorithmError: exit code: {code}"
    with pytest.raises(StoreError):
        bench.artifact(answer)


def test_failure_file_becomes_the_reason(bench: Bench) -> None:
    answer = bench.train(
        "open('/opt/ml/output/failure', 'w').write('größe passt nicht'); raise SystemExit(3)"
    )
    assert answer["FailureReason"] == "AlgorithmError: größe passt nicht, exit code: 3"


def test_long_failure_file_is_cut_and_the_exit_code_kept(bench: Bench) -> None:
    answer = bench.train(
        "open('/opt/ml/output/failure', 'w').write('cause ' + '€' * 9000); raise SystemExit(7)"
    )
    assert len(answer["FailureReason"]) == 1024
    assert answer["FailureReason"].startswith("AlgorithmError: cause €€€")
    assert answer["FailureReason"].endswith(", exit code: 7")


def test_failure_file_beside_success_is_no_failure(bench: Bench) -> None:
    answer = bench.train("open('/opt/ml/output/failure', 'w').write('nothing')")  # A5.7
    assert answer["TrainingJobStatus"] == "Completed"
    assert "FailureReason" not in answer


def test_failure_files_that_are_no_text(bench: Bench) -> None:
    answer = bench.train(
        "open('/opt/ml/output/failure', 'wb').write(b'\\xff\\xfe bad'); raise SystemExit(1)"
    )
    assert answer["FailureReason"] == "AlgorithmError: \ufffd\ufffd bad, exit code: 1"
    answer = bench.train("import os; os.mkdir('/opt/ml/output/failure'); raise SystemExit(1)")
    assert answer["FailureReason"] == "AlgorithmError: exit code: 1"


def test_killed_by_a_signal_of_its_own(bench: Bench) -> None:
    answer = bench.train(
        "import os, subprocess as s; raise SystemExit(128 - s.call(['sh', '-c', 'kill -9 $$']))"
    )
    assert answer["FailureReason"] == "AlgorithmError: exit code: 137"


HUNGRY = """
    import time
    def limit():
        for name in ("memory.max", "memory/memory.limit_in_bytes"):
            try:
                text = open(f"/sys/fs/cgroup/{name}").read().strip()
            except OSError:
                continue
            return int(text) if text.isdigit() else 1 << 62
    print("ready", flush=True)
    while limit() > 1 << 30:
        time.sleep(0.05)
    hoard = [bytearray(b"x") * (16 << 20) for _ in range(64)]
"""


def test_out_of_memory_is_named(bench: Bench, docker_cli: Docker) -> None:
    bench.train(HUNGRY, wait=False, job_name="oom")
    bench.logged("oom", "ready")
    container = bench.session.sagemaker_client.find("oom").state.container
    docker_cli("update", "--memory", "64m", "--memory-swap", "64m", str(container))
    answer = bench.ended("oom")
    assert answer["TrainingJobStatus"] == "Failed"
    assert "ran out of memory" in answer["FailureReason"]
    assert answer["FailureReason"].endswith("exit code: 137")


def test_failed_fit_raises_with_the_reason(bench: Bench, images: Mapping, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("raise ValueError('the label is missing')\n")
    estimator = bench.estimator(image_uri=images["training"], entry_point=str(script))
    with pytest.raises(JobFailedError, match="the label is missing") as caught:
        estimator.fit()
    assert "sagedock logs" in caught.value.hint
    assert estimator.latest_training_job
    reason = estimator.latest_training_job.describe()["FailureReason"]
    assert "ValueError: the label is missing" in reason
    assert reason.endswith("exit code: 1")


def test_script_that_exits_3(bench: Bench, images: Mapping, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import sys; sys.exit(3)\n")
    estimator = bench.estimator(image_uri=images["training"], entry_point=str(script))
    with pytest.raises(JobFailedError, match="exit code: 3"):
        estimator.fit()


def test_image_without_train_says_so(bench: Bench) -> None:
    estimator = bench.estimator()
    with pytest.raises(JobFailedError, match="no program train on its PATH"):
        estimator.fit()


def test_container_entry_point_that_cant_be_run(bench: Bench) -> None:
    estimator = bench.estimator(container_entry_point=["/etc/passwd"])
    with pytest.raises(JobFailedError, match=r"(?i)permission denied"):
        estimator.fit()


# Time limits and stops


def test_max_runtime_signals_and_packs(bench: Bench) -> None:
    answer = bench.train(HEAR, max_run=1)
    assert bench.listener.lines == ["ready", "heard SIGTERM"]
    assert answer["TrainingJobStatus"] == "Stopped"
    assert answer["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert "FailureReason" not in answer
    assert names_in_model(bench, answer) == ["early", "late"]
    steps = [step["Status"] for step in answer["SecondaryStatusTransitions"]]
    assert steps[-3:] == ["Stopping", "Uploading", "MaxRuntimeExceeded"]


def test_deaf_program_is_killed_after_the_grace(bench: Bench) -> None:
    answer = bench.train(HEAR, max_run=1, environment={"DEAF": "1"})
    assert bench.listener.lines == ["ready"]
    assert answer["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert names_in_model(bench, answer) == ["early"]  # A6.1: what is there is packed
    assert 2 <= (answer["TrainingEndTime"] - answer["TrainingStartTime"]).total_seconds() < 30


def test_stop_of_a_detached_job(bench: Bench) -> None:
    bench.train(HEAR, wait=False, job_name="halt", environment={"CODE": "5"})
    bench.logged("halt", "ready")
    bench.session.sagemaker_client.stop_training_job(TrainingJobName="halt")
    assert bench.job("halt")["TrainingJobStatus"] in {"Stopping", "Stopped"}
    answer = bench.ended("halt")
    assert answer["TrainingJobStatus"] == "Stopped"
    assert answer["SecondaryStatus"] == "Stopped"
    assert names_in_model(bench, answer) == ["early", "late"]
    steps = [step["Status"] for step in answer["SecondaryStatusTransitions"]]
    assert steps.count("Stopping") == 1
    with pytest.raises(ValidationError, match="status Stopped"):
        bench.session.sagemaker_client.stop_training_job(TrainingJobName="halt")


def test_stop_before_the_container_starts(bench: Bench) -> None:
    """PID 1 that has just been started doesn't hear signals: it must not come to that."""
    bench.train(HEAR, wait=False, job_name="early", environment={"DEAF": "1"})
    bench.session.sagemaker_client.stop_training_job(TrainingJobName="early")
    answer = bench.ended("early")
    assert answer["TrainingJobStatus"] == "Stopped"


def test_processing_gets_sigint(bench: Bench) -> None:
    bench.process(
        HEAR, wait=False, job_name="halt", env={"FOLDER": "/tmp"}, max_runtime_in_seconds=600
    )
    bench.logged("halt", "ready")
    client = bench.session.sagemaker_client
    client.stop_processing_job(ProcessingJobName="halt")

    def status() -> str:
        return client.describe_processing_job(ProcessingJobName="halt")["ProcessingJobStatus"]

    until(lambda: status() == "Stopped", "the job is stopped")
    assert bench.session.logs("halt") == ["ready", "heard SIGINT"]  # C3


# Ctrl-C

FIT = """
import sys
from sagedock.launch.estimator import Estimator
from sagedock.launch.session import Session
image, program, name, *variables = sys.argv[1:]
command = ["python3", "-u", "/opt/ml/input/data/probe/main.py"]
estimator = Estimator(image, container_entry_point=command, sagemaker_session=Session(),
                      environment=dict.fromkeys(variables, "1"))
try:
    estimator.fit({"probe": program}, job_name=name, wait="LATER" not in variables)
    estimator.latest_training_job.wait()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(77)
"""


def fit_elsewhere(
    bench: Bench, name: str, *variables: str, grace: float = 2
) -> "subprocess.Popen[str]":
    """`fit` in a process of its own, once its container's program is ready."""
    temporary = bench.folder / "tmp"
    temporary.mkdir()
    process = bench.elsewhere(
        FIT, bench.image, str(bench.program(HEAR)), name, *variables,
        SAGEDOCK_STOP_GRACE=str(grace), TMPDIR=str(temporary),
    )  # fmt: skip
    assert process.stdout
    seen = []
    while (line := process.stdout.readline()) != "ready\n":
        seen.append(line)
        assert line, f"fit ended early: {seen}"
    return process


@pytest.mark.parametrize("variables", [[], ["LATER"]])
def test_ctrl_c_stops_packs_and_raises(bench: Bench, variables: list[str]) -> None:
    """Whether the job runs in the caller's process or in one of its own."""
    process = fit_elsewhere(bench, "c1", *variables)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 77
    assert output.splitlines()[-1] == "interrupted"
    assert "heard SIGTERM" in "\n".join(bench.session.logs("c1"))
    answer = bench.job("c1")
    assert answer["TrainingJobStatus"] == "Stopped"
    assert names_in_model(bench, answer) == ["early", "late"]
    assert list((bench.folder / "tmp").iterdir()) == []


def test_second_ctrl_c_kills_at_once(bench: Bench) -> None:
    process = fit_elsewhere(bench, "c2", "DEAF", grace=100)
    process.send_signal(signal.SIGINT)
    until(lambda: bench.job("c2")["TrainingJobStatus"] == "Stopping", "the first one is heard")
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert time.monotonic() - before < 50
    assert process.returncode == 77
    answer = bench.job("c2")
    assert answer["TrainingJobStatus"] == "Stopped"
    assert names_in_model(bench, answer) == ["early"]
