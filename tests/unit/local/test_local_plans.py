"""From a request to the container that is to be run: the platform's start, rule by rule."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sagedock import requests
from sagedock.contract.paths import ML
from sagedock.engine.plan import Mount, TextFile, tar_of
from sagedock.local.plans import JobPlan, Surroundings, inputs, plan, submitted_code
from sagedock.local.records import Job, Kind
from sagedock.local.settings import CA_TARGET, LocalSettings

GIB = 1 << 30
ROLE = "arn:aws:iam::123456789012:role/R"
SETTINGS = LocalSettings(data=Path("/data"), region="eu-west-1")
AROUND = Surroundings(settings=SETTINGS, data_id="abc", machine_memory=16 * GIB)


def training(**changes: Any) -> Job:
    given: dict[str, Any] = {
        "job_name": "job", "image_uri": "image", "role": ROLE, "instance_type": "ml.m5.large",
        "output_uri": "s3://bucket/out",
    }  # fmt: skip
    request = requests.training_request(**{**given, **changes})
    requests.validate("CreateTrainingJob", request)
    return Job(kind=Kind.TRAINING, name="job", arn="arn:job", created=1.0, request=request)


def processing(**changes: Any) -> Job:
    given: dict[str, Any] = {
        "job_name": "job", "image_uri": "image", "role": ROLE, "instance_type": "ml.m5.large",
    }  # fmt: skip
    request = requests.processing_request(**{**given, **changes})
    requests.validate("CreateProcessingJob", request)
    return Job(kind=Kind.PROCESSING, name="job", arn="arn:job", created=1.0, request=request)


def planned(job: Job, *mounts: Mount, **settings: Any) -> JobPlan:
    return plan(job, mounts, replace(AROUND, settings=replace(SETTINGS, **settings)))


def document(made: JobPlan, path: str) -> Any:
    (text,) = [file.content for file in made.files if file.path == path]
    assert text
    return json.loads(text)


def folders(made: JobPlan) -> set[str]:
    return {file.path for file in made.files if file.content is None}


EP, ARGS = ["bash", "-c"], ["x.sh", "1"]


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "command"),
    [([], [], ["train"]), (EP, [], None), ([], ARGS, ARGS), (EP, ARGS, ARGS)],
)
def test_how_training_is_started(entrypoint, arguments, command):
    """A1.1: `train`; A1.3: an entry point alone drops it and the image's CMD."""
    container = planned(training(entrypoint=entrypoint, arguments=arguments)).container
    assert list(container.entrypoint or []) == entrypoint
    assert container.command == command


@pytest.mark.parametrize(("entrypoint", "arguments"), [([], []), (EP, []), ([], ARGS), (EP, ARGS)])
def test_how_processing_is_started(entrypoint, arguments):
    """C1: no argument of the platform's; C2: what the request says takes the image's place."""
    container = planned(processing(entrypoint=entrypoint, arguments=arguments)).container
    assert container.entrypoint == (entrypoint or None)
    assert container.command == (arguments or None)


def test_a_training_container_is_told_its_job():
    container = planned(training()).container
    assert container.environment == {
        "TRAINING_JOB_NAME": "job", "TRAINING_JOB_ARN": "arn:job", "AWS_REGION": "eu-west-1",
    }  # fmt: skip
    assert container.hostname == "algo-1"
    assert container.network == "bridge"


MACHINE = {"PIP_INDEX_URL": "http://index", "HTTPS_PROXY": "http://proxy"}


@pytest.mark.parametrize("make", [training, processing])
def test_the_requests_environment_wins_over_all(make):
    """A4.2: it is set as it is. Below it the platform's, below that the machine's."""
    own = {"AWS_REGION": "mine", "PIP_INDEX_URL": "mine", "X": ""}
    made = planned(make(environment=own), container_environment=MACHINE)
    assert made.container.environment.items() >= own.items()
    assert made.container.environment["HTTPS_PROXY"] == "http://proxy"


@pytest.mark.parametrize("make", [training, processing])
def test_isolation_takes_the_network_away_and_the_machines_settings_too(make):
    """A4.6; B5.7: its own name must resolve all the same."""
    made = planned(
        make(network_isolation=True), ca_bundle=Path("/ca"), container_environment=MACHINE
    ).container
    assert made.network == "none"
    assert made.extra_hosts == {"algo-1": "127.0.0.1"}
    assert not set(MACHINE) & set(made.environment)
    assert [mount.target for mount in made.mounts] == []


@pytest.mark.parametrize("make", [training, processing])
def test_the_machines_certificates_are_mounted_and_named(make):
    made = planned(make(), ca_bundle=Path("/etc/ca")).container
    assert list(made.mounts) == [Mount(source=Path("/etc/ca"), target=CA_TARGET)]
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        assert made.environment[name] == CA_TARGET
    assert not planned(make()).container.mounts


def test_the_machines_settings_are_in_no_config_file():
    made = planned(processing(), ca_bundle=Path("/ca"), container_environment=MACHINE)
    text = "".join(file.content or "" for file in made.files)
    assert not any(word in text for word in ("index", "proxy", "/ca"))


@pytest.mark.parametrize(("make", "kind"), [(training, "training"), (processing, "processing")])
def test_everything_started_is_labelled(make, kind):
    container = planned(make()).container
    assert container.labels == {
        "sagedock": "abc", "sagedock.job": "job", "sagedock.kind": kind,
    }  # fmt: skip
    assert container.name == f"sagedock-abc-{kind}-job-algo-1"


@pytest.mark.parametrize(
    ("instance", "override", "size"),
    [("ml.m5.large", None, 4 * GIB), ("ml.m5.24xlarge", None, 8 * GIB), ("ml.m5.large", 7, 7)],
)
def test_shared_memory_goes_by_the_instance(instance, override, size):
    """SDK local mode leaves the engine's 64 MB."""
    for make in (training, processing):
        made = planned(make(instance_type=instance), shm_bytes=override)
        assert made.container.shm_bytes == size


def test_the_three_config_files_have_the_services_content():
    """A2.1 to A2.3, A3.7."""
    made = planned(
        training(
            hyperparameters={"eta": "0.2", "sagemaker_x": '"1"'},
            channels=[
                requests.channel("train", "s3://b/t", content_type="text/csv"),
                requests.channel("val.1", "s3://b/v"),
            ],
        )
    )
    assert document(made, ML.hyperparameters) == {"eta": "0.2", "sagemaker_x": '"1"'}
    keys = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    assert document(made, ML.input_data_config) == {
        "train": {"ContentType": "text/csv", **keys},
        "val.1": keys,
    }
    resources = document(made, ML.resource_config)
    assert resources["hosts"] == [resources["current_host"]] == ["algo-1"]
    assert resources["current_instance_type"] == "ml.m5.large"


def test_the_files_are_there_for_a_job_without_parameters_and_channels():
    """A2.1c, A2.2e."""
    made = planned(training())
    assert document(made, ML.hyperparameters) == {}
    assert document(made, ML.input_data_config) == {}
    assert folders(made) == {ML.input_data, ML.output_data, ML.checkpoints}


def test_results_start_empty_whatever_the_image_has_there():
    """A5.14."""
    assert planned(training()).container.empty_volumes == (ML.model, ML.output)


def test_submitted_code_is_delivered_to_an_empty_folder():
    """B5.4: code in the image would silently win over the submitted code."""
    code = {"sagemaker_submit_directory": '"s3://bucket/code.tar.gz"'}
    made = planned(training(hyperparameters=code))
    assert made.code == "s3://bucket/code.tar.gz"
    assert ML.code in made.container.empty_volumes
    assert made.container.environment["SAGEDOCK_CODE_DELIVERED"] == "1"
    assert planned(training()).code is None
    assert "SAGEDOCK_CODE_DELIVERED" not in planned(training()).container.environment


@pytest.mark.parametrize(
    ("text", "uri"),
    [("s3://b/c.tar.gz", "s3://b/c.tar.gz"), ('"s3://b/c"', "s3://b/c"), ("/opt/code", None),
     ("", None), ("[1]", None)],
)  # fmt: skip
def test_which_code_was_submitted(text, uri):
    """A2.1b: with an SDK's quotes and without; a local folder is the image's own (B4)."""
    assert submitted_code({"HyperParameters": {"sagemaker_submit_directory": text}}) == uri


def test_stopping():
    """A6.1: SIGTERM and 120 s for training; C3, J15: SIGINT for processing."""
    assert (planned(training()).stop_signal, planned(training()).grace) == ("SIGTERM", 120.0)
    assert planned(processing()).stop_signal == "SIGINT"
    assert planned(training(max_run=60)).max_seconds == 60
    assert planned(processing(max_run=60)).max_seconds == 60
    assert planned(processing()).max_seconds == 86400


def test_a_job_without_stopping_condition_has_a_day():
    job = training()
    request = {key: job.request[key] for key in job.request if key != "StoppingCondition"}
    assert planned(replace(job, request=request)).max_seconds == 86400


def test_metrics_come_from_the_request():
    made = planned(training(metric_definitions=[{"Name": "m", "Regex": "m=(.*)"}]))
    assert [(item.name, item.regex) for item in made.metrics] == [("m", "m=(.*)")]


def test_inputs_of_training():
    (item,) = inputs(training(channels=[requests.channel("my-val.1", "s3://b/p")]))
    assert (item.name, item.uri, item.target) == ("my-val.1", "s3://b/p", ML.channel("my-val.1"))
    assert not item.is_manifest
    channel = requests.channel("t", "s3://b/p", data_type="ManifestFile")
    assert inputs(training(channels=[channel]))[0].is_manifest


OUT = f"{ML.processing}/out"


def out(path: str = OUT) -> Mapping[str, Any]:
    return requests.processing_output("out", "s3://b/out", path)


def test_inputs_of_processing():
    item = requests.processing_input("in", "s3://b/in", f"{ML.processing}/in/")
    (made,) = inputs(processing(inputs=[item]))
    assert made.target == f"{ML.processing}/in"


def test_processing_finds_its_folders_and_its_config():
    """C7, C15, C16."""
    made = planned(processing(outputs=[out(f"{OUT}/")], entrypoint=["python3"]))
    assert folders(made) == {OUT}
    assert made.container.empty_volumes == (ML.output, OUT)
    config = document(made, ML.processing_job_config)
    assert config["AppSpecification"]["ContainerEntrypoint"] == ["python3"]
    assert config["ProcessingJobArn"] == "arn:job"
    assert document(made, ML.processing_resource_config)["current_host"] == "algo-1"


def test_processing_is_not_told_a_training_job():
    assert set(planned(processing()).container.environment) == {"AWS_REGION"}


def test_inputs_are_mounted_as_they_were_laid_down():
    mount = Mount(source=Path("/laid"), target=ML.channel("train"))
    assert list(planned(training(), mount).container.mounts) == [mount]


def test_sdk_v3s_code_and_drivers_are_the_containers_own_files():
    """It makes a driver executable and works in the code's folder; data stays a mount."""
    mounts = [
        Mount(source=Path("/laid") / name, target=ML.channel(name))
        for name in ("train", "code", "sm_drivers")
    ]
    channels = [requests.channel(name, f"s3://b/{name}") for name in ("train", "code")]
    made = planned(training(channels=channels), *mounts)
    assert (list(made.container.mounts), made.copies) == (mounts, ())
    drivers = requests.channel("sm_drivers", "s3://b/sm_drivers")
    made = planned(training(channels=[*channels, drivers]), *mounts)
    assert (list(made.container.mounts), list(made.copies)) == (mounts[:1], mounts[1:])


def test_files_go_into_a_container_as_roots():
    import io
    import tarfile

    data = tar_of([TextFile(path="/a/b", content="ü"), TextFile(path="/d")])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        file, folder = archive.getmembers()
        assert (file.name, file.uid, oct(file.mode), file.size) == ("a/b", 0, "0o644", 2)
        assert folder.isdir()
