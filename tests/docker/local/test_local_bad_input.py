"""Bad input ends with a message that names the thing and the next step, before anything starts
where that can be known."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from local_kit import Bench

from sagedock.contract.hyperparameters import encode
from sagedock.errors import (
    ImageNotFoundError,
    InputError,
    JobFailedError,
    ResourceInUseError,
    ResourceNotFoundError,
    StoreError,
    UnsupportedError,
    ValidationError,
)
from sagedock.launch.estimator import Estimator, TrainingInput
from sagedock.launch.processing import ScriptProcessor
from sagedock.local.client import LocalSageMaker
from sagedock.local.settings import LocalSettings
from sagedock.store.uri import S3Uri


def nothing_was_started(bench: Bench) -> bool:
    client = bench.session.sagemaker_client
    return (
        client.list_training_jobs()["TrainingJobSummaries"] == []
        and client.list_processing_jobs()["ProcessingJobSummaries"] == []
    )


# The engine


FIT = """
import sys
from sagedock.errors import SagedockError
from sagedock.launch.estimator import Estimator
from sagedock.launch.session import Session
try:
    Estimator(sys.argv[1], sagemaker_session=Session()).fit()
except SagedockError as error:
    print(type(error).__name__, "|", error.message, "|", error.hint)
"""


@pytest.mark.parametrize("address", ["unix:///nowhere.sock", "tcp://127.0.0.1:1"])
def test_no_engine_where_docker_host_says(bench: Bench, address: str) -> None:
    output, _ = bench.elsewhere(FIT, bench.image, DOCKER_HOST=address).communicate(timeout=60)
    kind, message, hint = output.strip().split(" | ")
    assert kind == "EngineUnavailableError"
    assert address in message
    assert "DOCKER_HOST" in hint
    assert nothing_was_started(bench)


def test_unknown_image(bench: Bench) -> None:
    name = "sagedock-test/no-such-image:1"
    with pytest.raises(ImageNotFoundError, match=name) as caught:
        bench.estimator(image_uri=name).fit()
    assert "docker images" in caught.value.hint
    assert nothing_was_started(bench)


# Inputs


def test_missing_channel_folder(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'train'.*nowhere"):
        bench.estimator().fit({"train": tmp_path / "nowhere"})
    assert nothing_was_started(bench)


def test_empty_channel_folder(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "empty" / "below").mkdir(parents=True)
    with pytest.raises(JobFailedError, match=r"'train'.*no file in .*empty"):
        bench.estimator(container_entry_point=["true"]).fit({"train": tmp_path / "empty"})
    assert bench.listener.lines == []


def test_empty_prefix_and_unknown_bucket(bench: Bench) -> None:
    bench.session.store.create_bucket("there-it-is")
    with pytest.raises(JobFailedError, match="no S3 objects found under S3 URL 's3://there-it-is/"):
        bench.estimator(container_entry_point=["true"]).fit({"train": "s3://there-it-is/nothing"})
    with pytest.raises(StoreError, match="'not-there'"):
        bench.estimator().fit({"train": "s3://not-there/x"})


def test_two_jobs_of_one_name(bench: Bench) -> None:
    estimator = bench.estimator(container_entry_point=["true"])
    estimator.fit(job_name="once")
    with pytest.raises(ResourceInUseError, match=r"must be unique.*training-job/once"):
        estimator.fit(job_name="once")
    assert bench.job("once")["TrainingJobStatus"] == "Completed"


def test_unknown_job(bench: Bench) -> None:
    with pytest.raises(ResourceNotFoundError, match="'nobody'") as caught:
        bench.job("nobody")
    assert "sagedock jobs" in caught.value.hint


def test_script_that_is_not_there(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "trian.py").write_text("")
    with pytest.raises(InputError, match=r"train\.py") as caught:
        bench.estimator(entry_point="train.py", source_dir=str(tmp_path / "src")).fit()
    assert "trian.py" in caught.value.hint
    processor = ScriptProcessor(bench.image, ["python3"], sagemaker_session=bench.session)
    with pytest.raises(InputError, match=r"step\.py"):
        processor.run(tmp_path / "step.py")
    assert nothing_was_started(bench)


def test_requirements_that_cant_be_installed(
    bench: Bench, images: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print('never')\n")
    (tmp_path / "src" / "requirements.txt").write_text("./no-such-local-package\n")
    estimator = bench.estimator(
        image_uri=images["training"], entry_point="train.py", source_dir=str(tmp_path / "src")
    )
    with pytest.raises(JobFailedError, match="no-such-local-package"):
        estimator.fit()
    assert "never" not in bench.listener.lines


def test_submitted_code_that_is_no_archive(bench: Bench) -> None:
    bench.session.store.create_bucket("code")
    bench.session.store.put(S3Uri("code", "sourcedir.tar.gz"), b"not a tar")
    estimator = bench.estimator(
        entry_point="train.py",
        source_dir="s3://code/sourcedir.tar.gz",
        container_entry_point=["true"],
    )
    with pytest.raises(JobFailedError, match=r"s3://code/sourcedir\.tar\.gz can't be unpacked"):
        estimator.fit()


# Requests


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"instance_type": "ml.m5.huge"}, ValidationError, "ml.m5.huge"),
        ({"instance_count": 0}, UnsupportedError, "0 instances"),
        ({"instance_count": 2}, UnsupportedError, "2 instances"),
        ({"input_mode": "Pipe"}, UnsupportedError, "Pipe"),
        ({"input_mode": "Tape"}, ValidationError, "Tape"),
        ({"environment": {"not-a-name": "x"}}, ValidationError, "not-a-name"),
        ({"environment": {"A": "x" * 600}}, ValidationError, "environment"),
        ({"container_entry_point": ["x" * 257]}, ValidationError, "256"),
        ({"hyperparameters": {"a": "x" * 2501}}, ValidationError, "2500"),
        ({"hyperparameters": {f"k{n}": n for n in range(101)}}, ValidationError, "100"),
        ({"hyperparameters": {"a": "two\nlines"}}, ValidationError, "pattern"),
        ({"metric_definitions": [{"Name": "m", "Regex": "(a"}]}, UnsupportedError, r"\(a"),
        ({"max_run": 0}, ValidationError, "MaxRuntimeInSeconds"),
    ],
)
def test_requests_the_service_or_this_version_refuses(
    bench: Bench, tmp_path: Path, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    (tmp_path / "x.csv").write_text("1")
    with pytest.raises(error, match=text):
        bench.estimator(**arguments).fit({"train": tmp_path / "x.csv"})
    assert nothing_was_started(bench)


@pytest.mark.parametrize("name", ["", "-x", "a_b", "x" * 64, "ä"])
def test_bad_job_names(bench: Bench, name: str) -> None:
    client = bench.session.sagemaker_client
    request, _ = bench.estimator().prepare(job_name="fine")
    with pytest.raises(ValidationError, match=r"(?i)trainingJobName"):
        client.create_training_job(**request | {"TrainingJobName": name})
    assert nothing_was_started(bench)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("CheckpointConfig", {"S3Uri": "s3://b/c"}),
        ("EnableManagedSpotTraining", True),
        ("RetryStrategy", {"MaximumRetryAttempts": 2}),
    ],
)
def test_members_that_would_be_ignored_are_refused(bench: Bench, member: str, value: Any) -> None:
    request, _ = bench.estimator().prepare()
    with pytest.raises(UnsupportedError, match=member):
        bench.session.sagemaker_client.create_training_job(**request, **{member: value})
    assert nothing_was_started(bench)


def test_settings_without_effect_are_noted(bench: Bench) -> None:
    request, _ = bench.estimator(container_entry_point=["true"]).prepare(job_name="vpc")
    client = LocalSageMaker(bench.settings, attended=True)
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    client.create_training_job(**request, VpcConfig=vpc)
    job = client.attend(client.find("vpc").kind, "vpc")
    client.close()
    assert job.state.notes[0] == "VpcConfig has no effect on a local job"


def test_compressed_channel_is_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1")
    with pytest.raises(UnsupportedError, match="Gzip"):
        bench.estimator().fit({"train": TrainingInput(tmp_path / "x.csv", compression="Gzip")})


# Hyperparameters: from a caller's value into a container and back

NASTY: dict[str, Any] = {
    "plain": "text",
    "empty": "",
    "spaces": "  two  words ",
    "double": 'say "hi"',
    "single": "it's",
    "quoted": '"quoted"',
    "backslash": "C:\\new\\table",
    "dollar": "$HOME `id` $(id) ; rm & | > <",
    "unicode": "größe 日本 🎈",
    "tab": "a\tb",
    "json-number": "1e5",
    "json-int": "007",
    "json-true": "true",
    "json-null": "null",
    "json-list": "[1, 2]",
    "json-object": '{"a": 1}',
    "broken-json": '{"a": ',
    "nan": "NaN",
    "infinity": "-Infinity",
    "option": "--other",
    "equals": "a=b",
    "percent": "100%s %d",
    "int": 7,
    "negative": -3,
    "float": 0.1,
    "tiny": 1e-300,
    "big": 2**70,
    "true": True,
    "false": False,
    "none": None,
    "list": [1, "two", None, [3.5]],
    "dict": {"a": {"b": [True]}},
    "long": "x" * 2500,
    "slash": "a/b\\/c",
    "lines": "one\ntwo\r\n",
    "line-separator": "a\u2028b",
}

DUMP = """
    import json
    print(open("/opt/ml/input/config/hyperparameters.json").read())
"""


def test_values_arrive_in_the_file_as_a_toolkit_reads_them(bench: Bench) -> None:
    """What a caller passes is what json.loads (or the bare text) gives back in the container."""
    request, _ = bench.estimator(
        container_entry_point=["python3", "-u", "/opt/ml/input/data/probe/main.py"]
    ).prepare({"probe": bench.program(DUMP)}, job_name="nasty")
    request["HyperParameters"] = encode(NASTY, script_mode=True)
    client = LocalSageMaker(bench.settings, attended=True)
    client.create_training_job(**request)
    client.attend(client.find("nasty").kind, "nasty", bench.listener)
    client.close()
    texts = bench.report()
    assert texts == encode(NASTY, script_mode=True)
    assert all(isinstance(text, str) for text in texts.values())
    decoded = {name: _decoded(text) for name, text in texts.items()}
    # Text that means the same bare or quoted arrives as what it looks like: str() of it is the same
    assert {name: str(value) for name, value in decoded.items()} == {
        name: str(value) for name, value in NASTY.items()
    }


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


ARGUMENTS = """
import json, os, sys
pairs = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print("ARGS " + json.dumps(pairs))
print("HPS " + os.environ["SM_HPS"])
"""


def test_values_arrive_as_script_arguments(
    bench: Bench, images: Mapping[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "train.py"
    script.write_text(ARGUMENTS)
    values = {name: value for name, value in NASTY.items() if isinstance(value, str | int | float)}
    bench.estimator(
        image_uri=images["training"], entry_point=str(script), hyperparameters=values
    ).fit()
    line = next(text for text in bench.listener.lines if text.startswith("ARGS "))
    arguments = json.loads(line.removeprefix("ARGS "))
    assert arguments == {f"--{name}": str(value) for name, value in values.items()}


@pytest.fixture(scope="module")
def loop(images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("loop")
    bench = Bench(folder, images["base"], LocalSettings(data=folder / "data"))
    yield bench
    bench.close()


TEXT = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=200)
VALUES = strategies.dictionaries(
    strategies.text("abcdefghijklmnop_-.", min_size=1, max_size=20),
    strategies.one_of(
        TEXT, strategies.integers(), strategies.booleans(), strategies.none(),
        strategies.floats(allow_nan=False), strategies.lists(TEXT, max_size=3),
        strategies.text('"\'\\{}[]:, 01e.+-truefalsn', max_size=30),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=VALUES)
def test_any_value_goes_into_a_container_and_back(loop: Bench, values: dict[str, Any]) -> None:
    estimator = Estimator(
        loop.image,
        sagemaker_session=loop.session,
        container_entry_point=["python3", "-c", "print(open('/opt/ml/input/config/"
                               "hyperparameters.json').read())"],
        hyperparameters={},
    )  # fmt: skip
    request, _ = estimator.prepare()
    texts = encode(values, script_mode=True)
    if texts:
        request["HyperParameters"] = texts
    client = LocalSageMaker(loop.settings, attended=True)
    client.create_training_job(**request)
    name = request["TrainingJobName"]
    client.attend(client.find(name).kind, name, loop.listener)
    client.close()
    assert loop.report() == texts
    for key, value in values.items():
        assert str(_decoded(texts[key])) == str(value)


def test_environment_is_not_changed_by_a_job(bench: Bench) -> None:
    before = dict(os.environ)
    bench.estimator(container_entry_point=["true"]).fit()
    assert dict(os.environ) == before
