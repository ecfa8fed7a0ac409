"""Processing jobs: start, config files, inputs, outputs, exit message (contract C)."""

import json
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from local_kit import Bench

from sagedock import requests
from sagedock.errors import ValidationError
from sagedock.launch.job import LaunchedJob
from sagedock.launch.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagedock.local.records import Kind
from sagedock.store.uri import S3Uri

Docker = Callable[..., "subprocess.CompletedProcess[str]"]


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def run_plain(bench: Bench, name: str, **settings: object) -> list[str]:
    """A processing job as a plain Processor makes it: no script; its log."""
    session = bench.session
    request = requests.processing_request(
        job_name=name,
        role=session.role_arn(None),
        instance_type="ml.m5.large",
        **{"image_uri": bench.image, **settings},
    )
    session._attending.create_processing_job(**request)
    LaunchedJob(session, Kind.PROCESSING, name).wait()
    return session.logs(name)


def test_both_config_files_and_the_environment(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("1\n")
    answer = bench.process(
        """
        import json, os, sys
        files = {}
        for folder, _, names in os.walk("/opt/ml/config"):
            files |= {n: json.load(open(f"{folder}/{n}")) for n in names}
        outputs = "/opt/ml/processing/out"
        env = {k: v for k, v in os.environ.items() if k in ("MINE", "AWS_REGION")}
        training = os.path.exists("/opt/ml/input") or "TRAINING_JOB_NAME" in os.environ
        print(json.dumps([files, os.path.isdir(outputs), env, sys.argv, training]))
        """,
        inputs=[ProcessingInput(str(tmp_path / "in"), "/opt/ml/processing/input")],
        outputs=[ProcessingOutput("/opt/ml/processing/out", output_name="out")],
        arguments=["--ratio", "0.2", "two words"],
        job_name="conf",
        env={"MINE": "x"},
    )
    files, output_is_there, env, argv, training = bench.report()
    job = files["processingjobconfig.json"]
    assert job["ProcessingJobName"] == "conf"
    assert job["ProcessingJobArn"] == answer["ProcessingJobArn"]
    assert job["AppSpecification"] == {
        "ImageUri": bench.image,
        "ContainerEntrypoint": ["python3", "-u", "/opt/ml/processing/input/code/main.py"],
        "ContainerArguments": ["--ratio", "0.2", "two words"],
    }
    assert job["Environment"] == {"MINE": "x"}
    names = {item["InputName"]: item["S3Input"]["LocalPath"] for item in job["ProcessingInputs"]}
    assert names == {
        "input-1": "/opt/ml/processing/input",
        "code": "/opt/ml/processing/input/code",
    }
    assert job["ProcessingInputs"][0]["S3Input"]["S3DownloadMode"] == "StartOfJob"
    output = job["ProcessingOutputConfig"]["Outputs"][0]
    assert output["S3Output"]["LocalPath"] == "/opt/ml/processing/out"
    assert job["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] is None
    assert job["StoppingCondition"]["MaxRuntimeInSeconds"] == 86400
    resources = files["resourceconfig.json"]
    assert (resources["current_host"], resources["hosts"]) == ("algo-1", ["algo-1"])
    assert output_is_there  # C7
    assert env == {"MINE": "x", "AWS_REGION": bench.settings.region}
    assert argv[1:] == ["--ratio", "0.2", "two words"]
    assert not training


def test_describe_shows_inputs_and_outputs(bench: Bench) -> None:
    answer = bench.process(
        "open('/opt/ml/processing/out/x.csv', 'w').write('1')",
        outputs=[ProcessingOutput("/opt/ml/processing/out", output_name="out")],
        job_name="told",
    )
    assert answer["ProcessingJobStatus"] == "Completed"
    assert answer["ProcessingInputs"][0]["InputName"] == "code"
    target = answer["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    assert target == "s3://sagedock-local/told/output/out"
    assert bench.session.read(f"{target}/x.csv") == b"1"


def test_no_argument_by_default(bench: Bench, docker_cli: Docker, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        f'FROM {bench.image}\nENTRYPOINT ["/bin/echo", "entry"]\nCMD ["cmd"]\n'
    )
    image = "sagedock-test/processing-start"
    docker_cli("build", "-q", "-t", image, "-f", str(tmp_path / "Dockerfile"), str(tmp_path))
    try:
        assert run_plain(bench, "p1", image_uri=image) == ["entry cmd"]  # C1
        assert run_plain(bench, "p2", image_uri=image, arguments=["a b"]) == ["entry a b"]  # C2
        assert run_plain(bench, "p3", image_uri=image, entrypoint=["/bin/echo", "m"]) == ["m"]
        both = {"entrypoint": ["/bin/echo", "m"], "arguments": ["z"]}
        assert run_plain(bench, "p4", image_uri=image, **both) == ["m z"]
    finally:
        docker_cli("rmi", image)


@pytest.mark.parametrize(("code", "status"), [(0, "Completed"), (9, "Failed")])
def test_message_becomes_exit_message(bench: Bench, code: int, status: str) -> None:
    answer = bench.process(
        f"""
        open("/opt/ml/output/message", "w").write("ende: " + "€" * 3000)
        open("/opt/ml/output/failure", "w").write("not for processing")
        raise SystemExit({code})
        """
    )
    assert answer["ProcessingJobStatus"] == status
    assert answer["ExitMessage"].startswith("ende: €")
    assert len(answer["ExitMessage"]) == 1024
    if code:
        assert "not for processing" not in answer["FailureReason"]  # C19
        assert answer["FailureReason"].endswith("exit code: 9")


def test_message_that_is_not_utf8_fails_the_job(bench: Bench) -> None:
    answer = bench.process("open('/opt/ml/output/message', 'wb').write(b'caf\\xe9')")
    assert answer["ProcessingJobStatus"] == "Failed"  # C18: even with exit code 0
    assert answer["FailureReason"].startswith("ClientError: ")
    assert "/opt/ml/output/message" in answer["FailureReason"]


WRITE = """
    import os
    out = "/opt/ml/processing/out"
    os.makedirs(f"{out}/sub/empty")
    open(f"{out}/a b.csv", "w").write("a")
    open(f"{out}/sub/größe.csv", "w").write("g")
    open(f"{out}/secret", "w").write("s")
    os.chmod(f"{out}/secret", 0o600)
    os.chown(f"{out}/secret", 1001, 1001)
    os.chmod(f"{out}/sub", 0o700)
    os.symlink("/etc/passwd", f"{out}/link")
    os.symlink("/etc", f"{out}/folder-link")
    os.mkfifo(f"{out}/fifo")
"""


def test_outputs_belong_to_the_caller_and_links_are_not_followed(
    bench: Bench, tmp_path: Path
) -> None:
    target = tmp_path / "kept"
    bench.process(WRITE, outputs=[ProcessingOutput("/opt/ml/processing/out", target)])
    assert tree(target) == ["a b.csv", "secret", "sub", "sub/größe.csv"]  # C8
    assert {path.stat().st_uid for path in [target, *target.rglob("*")]} == {0}
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600 for path in target.rglob("*"))


def test_outputs_of_a_failed_job_are_not_uploaded(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    answer = bench.process(
        "open('/opt/ml/processing/out/x', 'w').write('x'); raise SystemExit(1)",
        outputs=[ProcessingOutput("/opt/ml/processing/out", target)],
    )
    assert answer["ProcessingJobStatus"] == "Failed"
    assert tree(target) == []


def test_inputs_are_read_only_and_exactly_what_was_named(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "named.csv").write_text("n")
    (tmp_path / "in" / "beside.csv").write_text("b")
    bench.process(
        """
        import errno, json, os
        seen = os.listdir("/opt/ml/processing/one")
        try:
            open("/opt/ml/processing/one/named.csv", "a")
        except OSError as error:
            seen.append(errno.errorcode[error.errno])
        print(json.dumps(seen))
        """,
        inputs=[ProcessingInput(str(tmp_path / "in" / "named.csv"), "/opt/ml/processing/one")],
    )
    assert bench.report() == ["named.csv", "EROFS"]


def test_nested_inputs_and_an_output_inside_an_input(bench: Bench, tmp_path: Path) -> None:
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text(name)
    target = tmp_path / "kept"
    answer = bench.process(
        """
        import json, os
        print(json.dumps(sorted(
            os.path.join(folder, n) for folder, _, names in os.walk("/opt/ml/processing/data")
            for n in names)), flush=True)
        open("/opt/ml/processing/data/out/result", "w").write("r")
        """,
        inputs=[
            ProcessingInput(str(tmp_path / "inner"), "/opt/ml/processing/data/deep/inner"),
            ProcessingInput(str(tmp_path / "outer"), "/opt/ml/processing/data"),
        ],
        outputs=[ProcessingOutput("/opt/ml/processing/data/out", target)],
    )
    assert answer["ProcessingJobStatus"] == "Completed", answer.get("FailureReason")
    assert bench.report() == [
        "/opt/ml/processing/data/deep/inner/inner.csv",
        "/opt/ml/processing/data/outer.csv",
    ]
    assert tree(target) == ["result"]
    assert tree(tmp_path / "outer") == ["outer.csv"]  # nothing was made in the user's folder


def test_no_network_when_isolated(bench: Bench) -> None:
    bench.process(
        "import json, os, socket\n"
        "print(json.dumps([os.listdir('/sys/class/net'), socket.gethostbyname('algo-1')]))",
        enable_network_isolation=True,
    )
    interfaces, address = bench.report()
    assert "eth0" not in interfaces
    assert address == "127.0.0.1"


def test_paths_outside_processing_are_refused(bench: Bench) -> None:
    with pytest.raises(ValidationError, match="/opt/ml/processing/"):  # C6
        bench.process("pass", outputs=[ProcessingOutput("/opt/ml/model")])


def test_script_from_the_store_runs_in_the_processing_image(
    bench: Bench, images: Mapping[str, str]
) -> None:
    uri = S3Uri("code-bucket", "steps/step.py")
    bench.session.store.create_bucket("code-bucket")
    bench.session.store.put(uri, b"import pandas, json; print(json.dumps(pandas.__version__))")
    processor = ScriptProcessor(images["processing"], ["python3"], sagemaker_session=bench.session)
    processor.run(str(uri))
    assert json.loads(bench.listener.lines[-1])
