"""Script mode in the training image: what a script gets, and whose code runs.

Rows of the contract are named in the tests.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from training_container import DUMP, Make, script

from sagedock.contract.hyperparameters import argument, encode
from sagedock.contract.paths import ML


# ---- what a script gets: B1 to B3 -------------------------------------------------------------
def test_variables_and_arguments(job: Make) -> None:
    made = job(
        **script(
            DUMP,
            hyperparameters={
                "epochs": "10",
                "lr": "1e-3",
                "flag": "true",
                "none": "null",
                "code": "007",
                "quoted": '"abc"',
                "list": "[1,2]",
                "map": '{"a":1}',
                "x": "1",
                "batch-size": "32",
                "sagemaker_region": "eu-west-1",
                "sagemaker_job_name": "churn-1",
                "sagemaker_custom": "1",
                "_tuning_objective_metric": "validation:auc",
            },
            channels={"train": {"a.csv": "1"}, "my-val.1": {"b.csv": "2"}},
        )
    )
    assert made.run() == 0, made.log
    dump = made.dump
    pairs = dict(zip(dump["argv"][1::2], dump["argv"][2::2], strict=True))
    assert list(pairs) == [
        "--batch-size", "--code", "--epochs", "--flag", "--list", "--lr", "--map", "--none",
        "--quoted", "-x",
    ]  # fmt: skip
    assert list(pairs.values()) == [
        "32", "007", "10", "True", "[1, 2]", "0.001", "a=1", "", "abc", "1",
    ]  # fmt: skip
    env = dump["env"]
    assert dump["cwd"] == ML.code
    assert env["SM_CHANNELS"] == '["my-val.1","train"]'
    assert env["SM_CHANNEL_MY-VAL.1"] == ML.channel("my-val.1")  # B1.2, A2.2d
    assert env["SM_HP_BATCH-SIZE"] == "32"
    assert (env["SM_HP_FLAG"], env["SM_HP_NONE"], env["SM_HP_LIST"]) == ("true", "", "[1,2]")
    assert json.loads(env["SM_HPS"])["lr"] == 0.001
    assert json.loads(env["SM_FRAMEWORK_PARAMS"]) == {"sagemaker_custom": 1}
    assert (env["SM_MODEL_DIR"], env["SM_OUTPUT_DATA_DIR"]) == (ML.model, ML.output_data)
    assert (env["SM_CURRENT_HOST"], env["SM_HOSTS"]) == ("algo-1", '["algo-1"]')
    assert (env["SM_CURRENT_INSTANCE_TYPE"], env["SM_USER_ENTRY_POINT"]) == (
        "ml.m5.large",
        "train.py",
    )
    assert (env["CURRENT_HOST"], env["SAGEMAKER_REGION"]) == ("algo-1", "eu-west-1")
    assert json.loads(env["SM_TRAINING_ENV"])["job_name"] == "churn-1"
    assert env["TRAINING_JOB_NAME"] == "churn-1"
    assert env["PYTHONPATH"].split(":")[0] == ML.code
    assert made.succeeded
    assert made.failure is None


# What a request may carry: text without line breaks (A2.1a), which environment variables can hold.
_TEXT = st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40)
_SCALAR = (
    _TEXT
    | st.sampled_from(["1e5", "true", "null", "NaN", "007", '"q"', "[1]", "{}", "-1", " 1", "--x"])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)
_VALUE = _SCALAR | st.lists(_SCALAR, max_size=3)
_NAME = st.from_regex(r"[a-z][a-z0-9_-]{1,12}", fullmatch=True).filter(
    lambda name: not name.startswith("sagemaker_")
)


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a container for each step is too slow to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(values=st.dictionaries(_NAME, _VALUE, min_size=20, max_size=60))
def test_hyperparameters_into_the_container_and_back(job: Make, values: dict[str, Any]) -> None:
    made = job(**script(DUMP, hyperparameters=encode(values, script_mode=True)))
    assert made.run() == 0, made.log
    dump = made.dump
    arguments = dump["argv"][1:]
    expected = [word for name in sorted(values) for word in (f"--{name}", argument(values[name]))]
    assert arguments == expected
    for name, value in values.items():
        text = dump["env"][f"SM_HP_{name.upper()}"]
        plain = value if isinstance(value, str) else "" if value is None else None
        assert text == plain if plain is not None else json.loads(text) == value
    found = {name: argument(value) for name, value in json.loads(dump["env"]["SM_HPS"]).items()}
    assert found == {name: argument(value) for name, value in values.items()}


@pytest.mark.parametrize("value", ["train.py", '"train.py"'])
def test_a_program_with_and_without_quotes(job: Make, value: str) -> None:  # A2.1b
    made = job(**script(DUMP, hyperparameters={"sagemaker_program": value}))
    assert made.run() == 0, made.log
    assert made.dump["argv"] == ["train.py"]


@pytest.mark.parametrize(
    "resources",
    [
        {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"},
        {"current_host": "host-b", "hosts": ["host-b"], "future": {"key": 1}, "topology": None},
    ],
)
def test_short_and_unknown_resource_config(job: Make, resources: dict[str, Any]) -> None:  # A2.3
    made = job(**script(DUMP, resources=resources))
    assert made.run() == 0, made.log
    assert made.dump["env"]["SM_CURRENT_HOST"] == resources["current_host"]


@pytest.mark.parametrize("entrypoint", [["train"], ["/bin/sh", "-c", "exec train train"]])
def test_container_entrypoint(job: Make, entrypoint: list[str]) -> None:  # A1.3
    made = job(**script(DUMP, entrypoint=entrypoint, command=[]))
    assert made.run() == 0, made.log


def test_a_user_without_privileges(job: Make) -> None:  # A1.9
    """Root-owned 0755 folders can't be written: the job says so and ends red."""
    made = job(**script("open('/opt/ml/model/m', 'w')", user="1000:1000"))
    assert made.run() == 1
    assert "PermissionError" in made.log


# ---- whose code: B4, B5.4 ---------------------------------------------------------------------
def test_the_jobs_program_beats_the_images(job: Make) -> None:  # B4
    made = job(
        **script(
            DUMP, code={"baked.py": "print('baked')"}, environment={"SAGEMAKER_PROGRAM": "baked.py"}
        )
    )
    assert made.run() == 0
    assert made.dump["env"]["SM_USER_ENTRY_POINT"] == "train.py"
    assert "SAGEMAKER_PROGRAM=baked.py is ignored" in made.log


def test_a_program_that_only_the_image_names(job: Make) -> None:  # B4
    made = job(code={"baked.py": DUMP}, environment={"SAGEMAKER_PROGRAM": "baked.py"})
    assert made.run() == 0, made.log
    assert made.dump["argv"] == ["baked.py"]


def _source(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("_", "."))
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_submitted_code_beats_code_of_the_image(job: Make) -> None:  # B5.4
    made = job(
        **script(
            "print('baked')",
            code={"setup.py": "print('baked')"},
            hyperparameters={"sagemaker_submit_directory": "/tmp/sourcedir.tar.gz"},
            files={"/tmp/sourcedir.tar.gz": _source(train_py="print('submitted')")},
        )
    )
    assert made.run() == 0, made.log
    assert "\nsubmitted" in made.log
    assert "warning: /opt/ml/code of the image held setup.py, train.py" in made.log


def test_code_that_the_machine_has_delivered(job: Make) -> None:
    made = job(
        **script(
            "print('delivered')",
            hyperparameters={"sagemaker_submit_directory": "s3://bucket/source/sourcedir.tar.gz"},
            environment={"SAGEDOCK_CODE_DELIVERED": "1"},
        )
    )
    assert made.run() == 0, made.log
    assert "\ndelivered" in made.log


def test_submitted_code_that_cannot_be_fetched(job: Make) -> None:
    uri = "s3://bucket/source/sourcedir.tar.gz"
    made = job(
        **script(
            "print('baked')",
            hyperparameters={"sagemaker_submit_directory": uri},
            environment={"AWS_EC2_METADATA_DISABLED": "true"},
        )
    )
    assert made.run() == 1
    assert (made.failure or "").startswith(f"The submitted code {uri} can't be fetched")
    assert "\nbaked" not in made.log


class _Bucket(BaseHTTPRequestHandler):
    """One object over HTTP, as much of S3 as a download and an upload ask for."""

    body = b""
    uploaded: dict[str, bytes]

    def _answer(self) -> bytes:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        return self.body

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def do_PUT(self) -> None:
        self.uploaded[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _bucket(body: bytes = b"") -> Iterator[tuple[dict[str, Any], dict[str, bytes]]]:
    """Arguments of a job that takes this for S3, and what was uploaded, by path."""
    uploaded: dict[str, bytes] = {}
    handler = type("Bucket", (_Bucket,), {"body": body, "uploaded": uploaded})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    environment = {
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    }
    try:
        yield {"environment": environment, "network": "host", "hostname": None}, uploaded
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_submitted_code_comes_from_s3(job: Make) -> None:
    with _bucket(_source(train_py="print('from s3')")) as (reaching_s3, _):
        made = job(
            hyperparameters={
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": "s3://bucket/source/sourcedir.tar.gz",
            },
            **reaching_s3,
        )
        assert made.run() == 0, made.log
    assert "\nfrom s3" in made.log


@pytest.mark.parametrize("code", [0, 7])
def test_intermediate_output_goes_to_s3(job: Make, code: int) -> None:  # B4: sagemaker_s3_output
    text = (
        "import os, sys\n"
        "with open(os.environ['SM_OUTPUT_INTERMEDIATE_DIR'] + '/a.txt', 'w') as f: f.write('A')\n"
        f"sys.exit({code})\n"
    )
    with _bucket() as (reaching_s3, uploaded):
        made = job(
            **script(
                text, hyperparameters={"sagemaker_s3_output": "s3://bucket/out"}, **reaching_s3
            )
        )
        assert made.run() == code, made.log
    assert uploaded == {"/bucket/out/churn-1/output/intermediate/a.txt": b"A"}
    assert made.succeeded == (code == 0)
    assert (made.failure is None) == (code == 0)


# ---- hosts: B5.7 ------------------------------------------------------------------------------
def test_one_host_needs_no_address(job: Make) -> None:
    made = job(**script(DUMP, resources={"current_host": "nosuch", "hosts": ["nosuch"]}))
    before = time.monotonic()
    assert made.run() == 0, made.log
    assert time.monotonic() - before < 30


def test_hosts_that_never_come(job: Make) -> None:
    made = job(
        **script(
            DUMP,
            resources={"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]},
            environment={"SAGEDOCK_HOST_WAIT_SECONDS": "1"},
            network="bridge",
        )
    )
    assert made.run() == 1
    assert "Host names that do not resolve after 1 s: algo-2" in (made.failure or "")
