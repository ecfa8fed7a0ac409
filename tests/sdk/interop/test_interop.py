"""Our facades as the SDKs' own objects: what both would send is compared, and runs seen through."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sdk_kit import printed

Differences = dict[str, tuple[Any, Any]]
CHANNEL = {
    "DataSource.S3DataSource.S3DataDistributionType": "FullyReplicated",
    "DataSource.S3DataSource.S3DataType": "S3Prefix",
    "InputMode": "File",
}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def differences(out: str, name: str) -> Differences:
    """Member to (ours, the SDK's), where they are not the same; None is none."""
    both = json.loads(printed(out, name))
    ours, theirs = dict(leaves(both["ours"])), dict(leaves(both["theirs"]))
    assert len(ours) > 2
    return {
        path: (ours.get(path), theirs.get(path))
        for path in sorted({*ours, *theirs})
        if ours.get(path) != theirs.get(path)
    }


PROFILER = {"ProfilerConfig.DisableProfiler": (None, True)}
"""SDK v2 says that there is no profiler; a request without the member has none, too."""

v2 = pytest.mark.program("v2", "{interop}/v2_requests.py", "{code}")
v3 = pytest.mark.program("v3", "{interop}/v3_requests.py", "{code}")


@v2
@pytest.mark.parametrize("name", ["plain", "smallest", "full"])
def test_v2_sends_our_training_request(out, name):
    assert differences(out, name) == PROFILER


@v2
@pytest.mark.parametrize("name", ["script", "lone"])
def test_v2_sends_our_script_mode(out, name):
    """It writes all of its own hyperparameters as JSON; toolkits read both (B1.3)."""
    found = differences(out, name)
    assert found.pop("ProfilerConfig.DisableProfiler") == (None, True)
    assert set(found) <= {
        f"HyperParameters.sagemaker_{word}"
        for word in ("job_name", "program", "region", "submit_directory")
    }
    for ours, theirs in found.values():
        assert json.loads(theirs) == ours


@v2
@pytest.mark.parametrize("name", ["processing", "transform", "model", "pipeline", "many"])
def test_v2_sends_our_other_requests(out, name):
    assert differences(out, name) == {}


REFUSED_BY_V2 = {
    "folder": "UsageError The output is '",
    "input": "UsageError s3_data is '",
    "tags": "UsageError SDK v2's models can't take Tags[0].Key, Tags[0].Value of the request.",
    "debugged": "UsageError SDK v2's Estimator can't take DebugHookConfig.S3OutputPath",
    "v3": "UsageError to_sdk_v3() needs SageMaker's Python SDK v3: installed is 2.",
}


@v2
def test_what_v2_has_no_place_for_is_refused(out):
    for name, message in REFUSED_BY_V2.items():
        assert printed(out, f"refused {name}").startswith(message)
    assert out.count("refused ") == len(REFUSED_BY_V2)


@v3
@pytest.mark.parametrize("name", ["plain", "transform", "model"])
def test_v3_sends_our_requests(out, name):
    assert differences(out, name) == {}


@v3
@pytest.mark.parametrize("name", ["smallest", "full"])
def test_v3_says_the_default_compression(out, name):
    assert differences(out, name) == {"OutputDataConfig.CompressionType": (None, "GZIP")}


@v3
def test_v3_leaves_false_out_of_processing(out):
    found = differences(out, "processing")
    assert len(found) == 3
    for path, values in found.items():
        assert path.endswith(".AppManaged")
        assert values == (False, None)


@v3
def test_v3_runs_a_script_by_drivers_of_its_own(out):
    """Channels and an entry point in the place of script mode's hyperparameters; else the same."""
    found = differences(out, "script")
    job = found["HyperParameters.sagemaker_job_name"][0]
    added = {path: theirs for path, (ours, theirs) in found.items() if ours is None}
    taken = {path for path, (ours, theirs) in found.items() if theirs is None}
    assert {*added, *taken} == set(found)
    assert taken == {
        f"HyperParameters.sagemaker_{word}"
        for word in ("container_log_level", "job_name", "program", "region", "submit_directory")
    }
    assert added.pop("OutputDataConfig.CompressionType") == "GZIP"
    assert added.pop("AlgorithmSpecification.ContainerEntrypoint[0]") == "/bin/bash"
    assert added.pop("AlgorithmSpecification.ContainerArguments[0]") == "-c"
    assert "sm_train.sh" in added.pop("AlgorithmSpecification.ContainerArguments[1]")
    for number, name in enumerate(("code", "sm_drivers")):
        channel = f"InputDataConfig[{number}]"
        uri = added.pop(f"{channel}.DataSource.S3DataSource.S3Uri")
        assert re.fullmatch(rf"s3://[^/]+/code/{job}/input/{name}", uri)
        assert added.pop(f"{channel}.ChannelName") == name
        for member, value in CHANNEL.items():
            assert added.pop(f"{channel}.{member}") == value
    assert added == {}
    source = json.loads(printed(out, "source"))
    assert source["entry_script"] == "sklearn_rf.py"
    assert source["requirements"] == "requirements.txt"
    assert printed(out, "lone") == "['prepare_xgboost.py'] prepare_xgboost.py"


REFUSED_BY_V3 = {
    "entrypoint": "UsageError SDK v3's ModelTrainer can't take "
    "AlgorithmSpecification.ContainerEntrypoint[0] of the request. ModelTrainer runs",
    "dependencies": "UsageError SDK v3's ModelTrainer can't take dependencies. Put these folders",
    "folder": "UsageError The output is '",
    "input": "UsageError s3_data is '",
    "unnamed": "UsageError SDK v3 needs input_name",
    "code": "UsageError code_location is 's3://far/code'",
    "debugged": "UsageError SDK v3's ModelTrainer can't take DebugHookConfig.S3OutputPath",
    "v2": "UsageError to_sdk_v2() needs SageMaker's Python SDK v2: installed is 3.",
}


@v3
def test_what_v3_has_no_place_for_is_refused(out):
    for name, message in REFUSED_BY_V3.items():
        assert printed(out, f"refused {name}").startswith(message)
    assert out.count("refused ") == len(REFUSED_BY_V3)


@pytest.mark.program("v2", "{interop}/v2_run.py", "{training}", "{serving}", "{churn}")
def test_an_estimator_of_ours_is_trained_and_deployed_by_v2(out, churn):
    assert printed(out, "class") == "sagemaker.estimator.Estimator"
    assert printed(out, "same model") == "True"
    answers = [float(text) for text in printed(out, "answers").split(",")]
    assert churn.accuracy(answers) > 0.94


@pytest.mark.program("v3", "{interop}/v3_run.py", "{processing}", "{training}", "{churn}", "{code}")
def test_a_processor_and_an_estimator_of_ours_are_run_by_v3(out):
    assert printed(out, "class") == "sagemaker.train.model_trainer.ModelTrainer"
    assert printed(out, "status") == "Completed"
    assert printed(out, "hyperparameters") == "{'n_estimators': '50'}"
    assert float(re.findall(r"accuracy=([0-9.]+);", out)[-1]) > 0.92
