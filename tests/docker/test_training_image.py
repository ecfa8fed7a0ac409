"""The training image as the platform starts it: script mode, signals, exit codes, failure file.

Each test lays down the platform-like fixture of the contract's section L and starts the container
without network, tty, stdin or privileges. Rows of the contract are named in the tests.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sagedock.contract.hyperparameters import argument, encode
from sagedock.contract.paths import ML
from sagedock.contract.training import ChannelConfig, InputDataConfig, ResourceConfig

CA_BUNDLE = "/etc/sagedock/ca-bundle.crt"
DUMP = """
import json, os, sys
json.dump({"argv": sys.argv, "env": dict(os.environ), "cwd": os.getcwd()},
          open(os.environ["SM_OUTPUT_DATA_DIR"] + "/dump.json", "w"))
print("first line of the script")
"""


class Job:
    """One container with the platform's files in it."""

    def __init__(self, container: Container) -> None:
        self.container = container

    def start(self) -> Job:
        self.container.start()
        return self

    def wait(self, seconds: int = 120) -> int:
        return int(self.container.wait(timeout=seconds)["StatusCode"])

    def run(self) -> int:
        return self.start().wait()

    @property
    def log(self) -> str:
        return self.container.logs().decode("utf-8", "replace")

    def wait_for(self, words: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while words not in self.log:
            assert time.monotonic() < end, f"{words!r} did not appear in:\n{self.log}"
            time.sleep(0.05)

    def read(self, path: str) -> str | None:
        """A file of the container, also after its end."""
        try:
            chunks, _ = self.container.get_archive(path)
        except docker.errors.NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            assert member is not None
            return member.read().decode("utf-8")

    @property
    def failure(self) -> str | None:
        return self.read(ML.failure)

    @property
    def succeeded(self) -> bool:
        return self.read(ML.success) is not None

    @property
    def dump(self) -> dict[str, Any]:
        text = self.read(f"{ML.output_data}/dump.json")
        assert text is not None, self.log
        return json.loads(text)


Make = Callable[..., Job]


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def job(engine: docker.DockerClient, images: Mapping[str, str], tmp_path: Path) -> Iterator[Make]:
    made: list[Container] = []
    yield partial(_make, engine, images["training"], tmp_path, made)
    for container in made:
        container.remove(force=True, v=True)


def _make(
    engine: docker.DockerClient,
    image: str,
    tmp_path: Path,
    made: list[Container],
    *,
    hyperparameters: Mapping[str, str] | None = None,
    code: Mapping[str, str | bytes] | None = None,
    channels: Mapping[str, Mapping[str, str]] | None = None,
    files: Mapping[str, str | bytes | None] | None = None,
    environment: Mapping[str, str] | None = None,
    resources: Mapping[str, Any] | None = None,
    network: str = "none",
    **more: Any,
) -> Job:
    """`code` goes to /opt/ml/code; `files` are further absolute paths, None takes one away."""
    channels = channels or {}
    tree: dict[str, str | bytes | None] = {
        **_config(hyperparameters or {}, channels, resources),
        **{f"{ML.code}/{name}": content for name, content in (code or {}).items()},
        **(files or {}),
    }
    container = engine.containers.create(
        image,
        **{
            "command": ["train"],
            "hostname": "algo-1",
            "network_mode": network,
            "labels": {"sagedock": "test", "sagedock.kind": "training"},
            "environment": {
                "TRAINING_JOB_NAME": "churn-1",
                "TRAINING_JOB_ARN": "arn:aws:sagemaker:us-west-2:123456789012:training-job/churn-1",
                "AWS_REGION": "us-west-2",
                **(environment or {}),
            },
            "volumes": _channel_mounts(tmp_path, channels),
            **more,
        },
    )
    made.append(container)
    container.put_archive("/", _archive(tree))
    return Job(container)


def _config(
    hyperparameters: Mapping[str, str],
    channels: Mapping[str, Any],
    resources: Mapping[str, Any] | None,
) -> dict[str, str]:
    data = InputDataConfig(channels={name: ChannelConfig() for name in channels})
    host = ResourceConfig(current_host="algo-1", hosts=["algo-1"], instance_type="ml.m5.large")
    return {
        ML.hyperparameters: json.dumps(hyperparameters),
        ML.input_data_config: json.dumps(data.to_dict()),
        ML.resource_config: json.dumps(host.to_dict() if resources is None else resources),
    }


def _channel_mounts(tmp_path: Path, channels: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    mounts: dict[str, Any] = {}
    for name, content in channels.items():
        folder = tmp_path / "channels" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in content.items():
            (folder / file).write_text(text, encoding="utf-8")
        mounts[str(folder)] = {"bind": ML.channel(name), "mode": "ro"}
    return mounts


def _archive(tree: Mapping[str, str | bytes | None]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in (ML.model, ML.output_data, ML.checkpoints):
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, content in tree.items():
            if content is not None:
                data = content.encode() if isinstance(content, str) else content
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode = len(data), 0o755
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def script(text: str, **more: Any) -> dict[str, Any]:
    """Arguments of a job whose program is `train.py` with this text."""
    hyperparameters = {"sagemaker_program": "train.py", **more.pop("hyperparameters", {})}
    code = {"train.py": text, **more.pop("code", {})}
    return {"hyperparameters": hyperparameters, "code": code, **more}


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


# ---- how it ends: B6, B7.1, B7.2, A5, A6 ------------------------------------------------------
def test_a_script_that_raises(job: Make) -> None:
    made = job(**script("import os\ndef load():\n    raise KeyError('churn')\nload()\n"))
    assert made.run() == 1
    failure = made.failure or ""
    assert failure.startswith("KeyError: 'churn'\nThe program exited with code 1.\nCommand: ")
    assert 'File "/opt/ml/code/train.py", line 3, in load' in failure
    assert not made.succeeded


def test_a_script_that_exits_3(job: Make) -> None:  # B6.1
    made = job(**script("print('giving up'); raise SystemExit(3)"))
    assert made.run() == 3
    assert (made.failure or "").startswith("The program exited with code 3.")


def test_a_script_that_is_killed(job: Make) -> None:  # B6.2
    made = job(**script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert made.run() == 137
    assert (made.failure or "").startswith("The program was killed by SIGKILL (exit code 137)")


def test_a_script_that_takes_too_much_memory(job: Make) -> None:
    made = job(**script("b = bytearray(600 * 2**20); print(len(b))", mem_limit="200m",
                        memswap_limit="200m"))  # fmt: skip
    assert made.run() == 137
    assert "ut of memory" in (made.failure or "").splitlines()[0]


def test_a_failure_file_of_the_script(job: Make) -> None:  # B6.3
    made = job(**script(f"open({ML.failure!r}, 'w').write('my words'); raise SystemExit(4)"))
    assert made.run() == 4
    assert made.failure == "my words"


def test_a_failure_file_of_an_earlier_start(job: Make) -> None:  # A5.14
    made = job(**script("pass", files={ML.failure: "old words"}))
    assert made.run() == 0
    assert made.failure is None


def test_sigterm_reaches_the_script(job: Make) -> None:  # B7.1, A6.1
    made = job(
        **script(
            "import signal, sys, time\n"
            "def save(*_):\n"
            "    open('/opt/ml/model/saved', 'w').write('yes'); print('saved'); sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, save)\n"
            "print('ready')\n"
            "time.sleep(60)\n"
        )
    ).start()
    made.wait_for("\nready")
    made.container.stop(timeout=30)
    assert made.wait() == 0
    assert made.read("/opt/ml/model/saved") == "yes"
    assert made.failure is None


def test_sigterm_without_a_handler(job: Make) -> None:  # A6.2
    made = job(**script("print('ready'); import time; time.sleep(60)")).start()
    made.wait_for("\nready")
    before = time.monotonic()
    made.container.stop(timeout=30)
    assert made.wait() == 143
    assert time.monotonic() - before < 15
    assert (made.failure or "").startswith("Stopped: SIGTERM was received")


def test_a_script_that_ignores_sigterm(job: Make) -> None:
    """It goes on, undisturbed, until the platform's SIGKILL."""
    made = job(
        **script(
            "import signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "print('ready')\n"
            "time.sleep(60)\n"
        )
    ).start()
    made.wait_for("\nready")
    made.container.stop(timeout=2)
    assert made.wait() == 137
    assert made.failure is None


def test_sigterm_while_pip_installs(job: Make) -> None:
    slow = {"requirements.txt": "--index-url https://192.0.2.1/simple\nnosuch\n"}
    made = job(**script("print('never')", code=slow, environment={"PIP_RETRIES": "50"})).start()
    made.wait_for("pip install")
    time.sleep(0.5)
    made.container.stop(timeout=30)
    assert made.wait() == 143, made.log
    assert (made.failure or "").startswith("Stopped: SIGTERM")


def test_orphans_are_reaped(job: Make) -> None:
    made = job(
        **script(
            "import os, subprocess, time\n"
            "for _ in range(20): subprocess.run(['sh', '-c', 'sleep 0.2 &'])\n"
            "time.sleep(1)\n"
            "states = [open(f'/proc/{p}/stat').read().rpartition(')')[2].split()[0]\n"
            "          for p in os.listdir('/proc') if p.isdigit()]\n"
            "print('processes', len(states), 'zombies', states.count('Z'))\n"
        )
    )
    assert made.run() == 0
    assert "processes 2 zombies 0" in made.log


def test_a_process_left_behind(job: Make) -> None:  # A5.8
    made = job(**script("import subprocess; subprocess.Popen(['sleep', '300']); print('done')"))
    before = time.monotonic()
    assert made.run() == 0
    assert time.monotonic() - before < 60
    assert "done" in made.log


def test_no_program_and_no_data(job: Make) -> None:  # A2.2e
    made = job()
    assert made.run() == 1
    assert "num_round" in (made.failure or "")
    made = job(hyperparameters={"num_round": "1", "objective": "binary:logistic"})
    assert made.run() == 1
    assert "channel" in (made.failure or "").splitlines()[0]


# ---- bad input --------------------------------------------------------------------------------
def test_a_script_that_is_not_there(job: Make) -> None:  # B6.5
    made = job(hyperparameters={"sagemaker_program": "train.py"}, code={"src/train.py": "pass"})
    assert made.run() == 1
    assert (made.failure or "").startswith(
        f"Script train.py not found in {ML.code}: it holds src/train.py.\nDid you mean src/train.py"
    )


def test_a_script_whose_name_cannot_be_used(job: Make) -> None:  # B5.2
    made = job(hyperparameters={"sagemaker_program": "../train.py"})
    assert made.run() == 1
    assert "'../train.py' can't be used" in (made.failure or "")


@pytest.mark.parametrize("name", ["hyperparameters", "input_data_config", "resource_config"])
def test_a_missing_config_file(job: Make, name: str) -> None:  # B1.4
    path = getattr(ML, name)
    made = job(**script(DUMP, files={path: None}))
    assert made.run() == 1
    assert (made.failure or "").startswith(f"Configuration file {path} is missing.")


def test_hyperparameters_that_are_no_json(job: Make) -> None:
    made = job(files={ML.hyperparameters: "{epochs: 3"})
    assert made.run() == 1
    assert f"{ML.hyperparameters} is not valid JSON" in (made.failure or "")


def test_hyperparameters_too_large_for_linux(job: Make) -> None:
    large = {f"h{n}": "x" * 2500 for n in range(60)}
    made = job(**script(DUMP, hyperparameters=large))
    assert made.run() == 1
    assert "Linux passes at most 131072" in (made.failure or "")


def _wheel() -> bytes:
    """A package as a wheel, made here, so that installing it needs no network."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("tiny_of_sagedock.py", "WORD = 'installed'\n")
        info = "tiny_of_sagedock-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-of-sagedock\n"
                                           "Version: 1.0\n")  # fmt: skip
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\n"
                                        "Root-Is-Purelib: true\nTag: py3-none-any\n")  # fmt: skip
        wheel.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


def test_requirements_are_installed(job: Make) -> None:  # B5.3
    code = {
        "requirements.txt": "./tiny_of_sagedock-1.0-py3-none-any.whl\n",
        "tiny_of_sagedock-1.0-py3-none-any.whl": _wheel(),
    }
    made = job(**script("import tiny_of_sagedock; print(tiny_of_sagedock.WORD)", code=code))
    assert made.run() == 0, made.log
    assert "\ninstalled" in made.log


def test_requirements_that_cannot_be_installed(job: Make) -> None:
    code = {"requirements.txt": "--no-index\nnosuch-of-sagedock==9.9\n"}
    made = job(**script("print('never')", code=code))
    assert made.run() == 1
    failure = made.failure or ""
    assert failure.startswith("Could not install nosuch-of-sagedock==9.9 (from /opt/ml/code/requ")
    assert "ERROR: No matching distribution found for nosuch-of-sagedock==9.9" in failure
    assert "never" not in made.log.splitlines()


def test_requirements_of_a_shell_script_are_not_installed(job: Make) -> None:  # B5.3
    made = job(
        hyperparameters={"sagemaker_program": "bin/train.sh", "name": "it's; $(id)"},
        code={
            "bin/train.sh": '#!/bin/sh\necho "got $1 $2 in $PWD"\nexit 5\n',
            "requirements.txt": "--no-index\nnosuch\n",
        },
    )
    assert made.run() == 5
    assert f"got --name it's; $(id) in {ML.code}" in made.log


def test_sigterm_reaches_a_shell_script(job: Make) -> None:
    made = job(
        hyperparameters={"sagemaker_program": "train.sh"},
        code={
            "train.sh": "#!/bin/sh\ntrap 'echo saved; exit 0' TERM\necho ready\n"
            "while :; do sleep 0.1; done\n"
        },
    ).start()
    made.wait_for("\nready")
    made.container.stop(timeout=30)
    assert made.wait() == 0
    assert "saved" in made.log


def test_a_package(job: Make) -> None:  # B5.1b
    """setup.py beside the script: installed by pip, which fetches what builds it, then `-m`."""
    setup = "from setuptools import setup\nsetup(name='churn-of-test', py_modules=['train'])\n"
    made = job(
        **script("print('as', __name__, __spec__.name)", code={"setup.py": setup}),
        **_reaching_out(),
    )
    assert made.run() == 0, made.log
    assert "\nas __main__ train" in made.log


def _reaching_out() -> dict[str, Any]:
    """Settings of the machine that a container needs to reach a package index."""
    bundle = os.environ.get("SSL_CERT_FILE", "")
    names = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    files: dict[str, str] = {}
    if bundle:
        environment |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), CA_BUNDLE)
        files[CA_BUNDLE] = Path(bundle).read_text(encoding="utf-8")
    return {"environment": environment, "files": files, "network": "bridge"}


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


# ---- the toolkit's own faults and runners: B7.2 to B7.5 ---------------------------------------
def test_an_error_without_errno_is_not_green(job: Make) -> None:  # B7.2
    made = job(
        code={"framework.py": "def main():\n    raise OSError('no number')\n"},
        environment={"SAGEMAKER_TRAINING_MODULE": "framework:main", "PYTHONPATH": ML.code},
    )
    assert made.run() == 1
    assert (made.failure or "").startswith("OSError: no number")


def test_the_toolkits_own_trainer_is_not_green_either(job: Make) -> None:  # B7.2
    made = job(
        code={"framework.py": "def main():\n    raise OSError('no number')\n"},
        environment={"SAGEMAKER_TRAINING_MODULE": "framework:main", "PYTHONPATH": ML.code},
        command=["python3", "-c", "from sagemaker_training.trainer import train; train()"],
    )
    assert made.run() == 1


def test_a_framework_that_succeeds(job: Make) -> None:
    made = job(
        code={"framework.py": "def main():\n    print('framework trained')\n"},
        environment={"SAGEMAKER_TRAINING_MODULE": "framework:main", "PYTHONPATH": ML.code},
    )
    assert made.run() == 0, made.log
    assert "framework trained" in made.log
    assert made.succeeded


def test_a_framework_that_is_not_there(job: Make) -> None:
    made = job(environment={"SAGEMAKER_TRAINING_MODULE": "nosuch:main"})
    assert made.run() == 1
    assert (made.failure or "").startswith("SAGEMAKER_TRAINING_MODULE=nosuch:main can't be loaded")


def test_functions_of_the_toolkit(job: Make) -> None:
    made = job(
        **script(
            "from sagemaker_training import encoders, environment, functions\n"
            "def f(a, b=1): pass\n"
            "print(functions.matching_args(f, {'a': 1, 'c': 2}))\n"  # B7.3
            "print(encoders.decode('1,2\\n', 'text/csv').shape)\n"  # B7.4
            "print(encoders.decode('1,2\\n3,4\\n', 'text/csv').shape)\n"
            "print(encoders.decode('1\\n2\\n3\\n', 'text/csv').shape)\n"
            "print(environment.Environment().get_current_instance_group())\n"  # B7.5
        )
    )
    assert made.run() == 0, made.log
    said = made.log.splitlines()[-5:]
    assert said == ["{'a': 1}", "(1, 2)", "(2, 2)", "(3,)", "homogeneousCluster"]


_TORCHRUN = """#!/bin/sh
echo "launched with $*"
for word; do last=$word; done
exec python3 train.py --launched
"""


@pytest.mark.parametrize("code", [0, 7])
def test_a_launcher_keeps_the_exit_code(job: Make, code: int) -> None:
    made = job(
        **script(
            f"import os, sys; print('host', os.environ['SM_CURRENT_HOST']); sys.exit({code})",
            hyperparameters={"sagemaker_torch_distributed_enabled": "true", "epochs": "3"},
            files={"/usr/local/bin/torchrun": _TORCHRUN},
        )
    )
    assert made.run() == code, made.log
    assert "launched with" in made.log
    assert "--epochs 3" in made.log
    assert "\nhost algo-1" in made.log
    assert (made.failure is None) == (code == 0)


def test_sigterm_through_a_launcher(job: Make) -> None:
    made = job(
        **script(
            "import signal, sys, time\n"
            "signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(0)))\n"
            "print('ready')\n"
            "time.sleep(60)\n",
            hyperparameters={"sagemaker_torch_distributed_enabled": "true"},
            files={"/usr/local/bin/torchrun": _TORCHRUN},
        )
    ).start()
    made.wait_for("\nready")
    made.container.stop(timeout=30)
    assert made.wait() == 0
    assert "saved" in made.log


def test_a_launcher_that_is_not_installed(job: Make) -> None:
    made = job(**script("pass", hyperparameters={"sagemaker_torch_distributed_enabled": "true"}))
    assert made.run() == 1
    assert "torchrun" in (made.failure or "").splitlines()[0]


def test_commands_and_names_are_those_of_the_toolkit(job: Make) -> None:  # B5.1, B5.2
    made = job(
        **script(
            "import os, sys\n"
            "from pathlib import Path\n"
            "from sagemaker_training import errors, process\n"
            "from sagedock.errors import TrainingError\n"
            "from sagedock.runtime.entry_point import check_name, command_of, kind_of\n"
            "words = ['--a', \"it's $(id)\", '']\n"
            "def ours(name):\n"
            "    try: check_name(name)\n"
            "    except TrainingError: return None\n"
            "    command = command_of(name, kind_of(name, os.listdir('.')), words,\n"
            "                         python=sys.executable)\n"
            "    return [word.removeprefix('exec ') for word in command]\n"
            "def theirs(name):\n"
            "    try: return process.ProcessRunner(name, words, {}, 1)._create_command()\n"
            "    except errors.ClientError: return None\n"
            "names = ['train.py', 'a/b.py', 'train.sh', 'train', 'a/x+1.sh', '-c', '/a.py', '',\n"
            "         '../a.py', 'a/../b.py', './a.py', 'a b.py', 'a;b.sh', 'a//b.py', '_x.py',\n"
            "         'x.py.py', 'a/', '.x']\n"
            "for setup in (False, True):\n"
            "    if setup: Path('setup.py').touch()\n"
            "    for name in names:\n"
            "        if name in ('', '/a.py') and ours(name) is None: continue\n"
            "        if ours(name) != theirs(name): print('DIFFERENT', ours(name), theirs(name))\n"
            "print('compared')\n"
        )
    )
    assert made.run() == 0, made.log
    assert "\ncompared" in made.log
    assert "\nDIFFERENT" not in made.log


def test_arguments_of_train(job: Make) -> None:
    made = job(**script(DUMP, command=["train", "--epochs", "3"]))
    assert made.run() == 0
    assert "warning: arguments --epochs 3 are ignored" in made.log


def test_any_command_under_supervision(job: Make) -> None:
    made = job(command=["train", "--", "sh", "-c", "echo hello; exit 6"])
    assert made.run() == 6
    assert "hello" in made.log
    assert (made.failure or "").startswith("The program exited with code 6.")
