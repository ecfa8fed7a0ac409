"""Estimator and ScriptProcessor: the request they would send, in SDK v2's words."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sagedock import (
    Estimator,
    ProcessingInput,
    ProcessingOutput,
    ScriptProcessor,
    Session,
    TrainingInput,
    cloud_requests,
)
from sagedock.contract.hyperparameters import decode
from sagedock.errors import InputError, OutputError, StoreError, UnsupportedError, UsageError
from sagedock.launch.listeners import PlainListener
from sagedock.local import support
from sagedock.local.process import Owner
from sagedock.local.records import Job, JobState, Kind, Records
from sagedock.local.settings import LocalSettings
from sagedock.requests import validate
from sagedock.store.uri import S3Uri

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/my-image:1"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    settings = LocalSettings(data=tmp_path / "data", region="eu-west-1", account="123456789012")
    session = Session(settings=settings)
    yield session
    session.close()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "train.py").write_text("print('hello')")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "my data"
    folder.mkdir()
    (folder / "a.csv").write_text("1,2")
    return folder


def estimator(session: Session, **changes: Any) -> Estimator:
    given = {"image_uri": IMAGE, "role": "MyRole", "instance_type": "ml.m5.large"}
    return Estimator(**{**given, **changes}, sagemaker_session=session)


def request_of(session: Session, inputs: Any = None, **changes: Any) -> dict[str, Any]:
    request, _ = estimator(session, **changes).prepare(inputs, job_name="job")
    validate("CreateTrainingJob", request)
    return request


# names and places


def test_a_role_name_becomes_an_arn(session):
    arn = "arn:aws:iam::123456789012:role/MyRole"
    assert request_of(session)["RoleArn"] == arn
    assert request_of(session, role=arn)["RoleArn"] == arn
    assert request_of(session, role=None)["RoleArn"].endswith(":role/SageMakerLocalRole")


@pytest.mark.parametrize("given", [None, "local", "local_gpu"])
def test_the_sdks_word_local_is_no_instance_type(session, given):
    assert request_of(session, instance_type=given)["ResourceConfig"]["InstanceType"].startswith(
        "ml."
    )


def test_names_are_made_of_the_image_or_the_base(session):
    name = estimator(session).prepare()[0]["TrainingJobName"]
    assert name.startswith("my-image-20")
    name = estimator(session, base_job_name="x_y").prepare()[0]["TrainingJobName"]
    assert name.startswith("x-y-20")
    assert estimator(session).prepare()[0]["TrainingJobName"] != "job"


def test_the_bucket_is_made_if_missing(session):
    assert request_of(session, output_path="s3://new-bucket/models/")["OutputDataConfig"] == {
        "S3OutputPath": "s3://new-bucket/models"
    }
    assert session.store.has_bucket("new-bucket")
    assert request_of(session)["OutputDataConfig"] == {"S3OutputPath": "s3://sagedock-local"}


# algorithm mode


def test_algorithm_mode_sends_plain_text(session):
    """H1: there, quotes would be an error."""
    values = {"eta": 0.2, "objective": "binary:logistic", "silent": 0, "text": "1e5", "flag": True}
    request = request_of(session, hyperparameters=values)
    assert request["HyperParameters"] == {
        "eta": "0.2", "objective": "binary:logistic", "silent": "0", "text": "1e5", "flag": "true",
    }  # fmt: skip
    assert estimator(session).prepare()[1] == []


def test_hyperparameters_can_be_set_later(session):
    made = estimator(session, hyperparameters={"a": 1, "b": 1})
    made.set_hyperparameters(b=2, c=3)
    assert made.hyperparameters() == {"a": 1, "b": 2, "c": 3}
    assert made.prepare()[0]["HyperParameters"] == {"a": "1", "b": "2", "c": "3"}


# script mode


def test_script_mode_names_script_code_and_job(session, code):
    """B4's reserved names; values as a toolkit decodes them."""
    made = estimator(
        session, entry_point="train.py", source_dir=code, hyperparameters={"lr": "1e5", "n": 3},
        output_path="s3://models/x",
    )  # fmt: skip
    request, uploads = made.prepare(job_name="job")
    validate("CreateTrainingJob", request)
    texts = request["HyperParameters"]
    assert {name: decode(text) for name, text in texts.items()} == {
        "lr": "1e5",
        "n": 3,
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": "s3://models/x/job/source/sourcedir.tar.gz",
        "sagemaker_container_log_level": 20,
        "sagemaker_job_name": "job",
        "sagemaker_region": "eu-west-1",
    }
    (upload,) = uploads
    assert str(upload.uri) == "s3://models/x/job/source/sourcedir.tar.gz"
    assert not session.store.has_bucket("nothing")
    upload.into(session.store)
    with tarfile.open(fileobj=io.BytesIO(session.read(str(upload.uri)))) as archive:
        assert archive.getnames() == ["train.py"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"code_location": "s3://code/p/"}, "s3://code/p/job/source/sourcedir.tar.gz"),
        ({"output_path": "s3://out"}, "s3://out/job/source/sourcedir.tar.gz"),
        ({}, "s3://sagedock-local/job/source/sourcedir.tar.gz"),
    ],
)
def test_where_code_goes(session, code, changes, place):
    _, uploads = estimator(
        session, entry_point="train.py", source_dir=str(code), **changes
    ).prepare(job_name="job")
    assert str(uploads[0].uri) == place


def test_code_does_not_go_into_an_output_folder(session, code, tmp_path):
    _, uploads = estimator(
        session, entry_point="train.py", source_dir=code, output_path=tmp_path / "out"
    ).prepare(job_name="job")
    assert uploads[0].uri.bucket == "sagedock-local"


def test_code_in_the_store_is_only_named(session):
    request, uploads = estimator(
        session, entry_point="train.py", source_dir="s3://code/x.tar.gz"
    ).prepare()
    assert uploads == []
    assert request["HyperParameters"]["sagemaker_submit_directory"] == "s3://code/x.tar.gz"


def test_a_folder_without_a_script(session, code):
    with pytest.raises(UsageError, match="source_dir is given without entry_point"):
        estimator(session, source_dir=code)


def test_a_script_that_is_not_there_is_told_before_anything_happens(session, code):
    with pytest.raises(InputError, match=r"entry_point 'x.py'"):
        estimator(session, entry_point="x.py", source_dir=code).prepare()
    assert session.store.buckets() == ["sagedock-local"]


# inputs and outputs


@pytest.mark.parametrize("form", [str, Path, lambda path: f"file://{path}".replace(" ", "%20")])
def test_a_local_folder_is_named_in_place(session, data, form):
    channel = request_of(session, {"train": form(data)})["InputDataConfig"][0]
    uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
    assert session.shown(uri) == f"file://{data}"
    assert [info.uri.key for info in session.store.list(S3Uri.parse(uri))] == ["a.csv"]
    assert session.store.path(S3Uri.parse(uri).join("a.csv")) == data / "a.csv"


def test_a_local_file_is_named_in_place(session, data):
    channel = request_of(session, {"train": data / "a.csv"})["InputDataConfig"][0]
    assert session.shown(channel["DataSource"]["S3DataSource"]["S3Uri"]) == f"file://{data}/a.csv"


def test_one_input_is_the_channel_training(session, data):
    assert request_of(session, data)["InputDataConfig"][0]["ChannelName"] == "training"
    assert "InputDataConfig" not in request_of(session)


def test_a_training_input_says_how(session, data):
    item = TrainingInput(data, content_type="text/csv", distribution="ShardedByS3Key")
    (channel,) = request_of(session, {"train": item})["InputDataConfig"]
    assert channel["ContentType"] == "text/csv"
    assert channel["DataSource"]["S3DataSource"]["S3DataDistributionType"] == "ShardedByS3Key"


def test_inputs_that_are_not_there(session, tmp_path):
    with pytest.raises(InputError, match="Channel 'train': Input 'nothing': no such file"):
        request_of(session, {"train": "nothing"})
    with pytest.raises(StoreError, match="'elsewhere' is not known"):
        request_of(session, {"train": "s3://elsewhere/x"})
    with pytest.raises(UsageError, match="expected a path"):
        request_of(session, {"train": "https://example.com/x"})


def test_a_local_output_folder(session, tmp_path):
    uri = request_of(session, output_path=f"file://{tmp_path}/new/out")["OutputDataConfig"]
    assert (tmp_path / "new" / "out").is_dir()
    assert session.shown(uri["S3OutputPath"]) == f"file://{tmp_path}/new/out"


def test_an_output_folder_that_cannot_be_made(session, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be made: Not a directory"):
        request_of(session, output_path=tmp_path / "file" / "out")


def test_everything_reaches_the_request(session):
    request = request_of(
        session, volume_size=50, max_run=60, instance_count=1, environment={"A": "b"},
        metric_definitions=[{"Name": "m", "Regex": "(.)"}], tags=[{"Key": "k", "Value": "v"}],
        container_entry_point=["python3"], container_arguments=["x"],
        enable_network_isolation=True, disable_output_compression=True,
    )  # fmt: skip
    assert request["ResourceConfig"]["VolumeSizeInGB"] == 50
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 60}
    assert request["Environment"] == {"A": "b"}
    assert request["AlgorithmSpecification"]["ContainerEntrypoint"] == ["python3"]
    assert request["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"] == "m"
    assert request["OutputDataConfig"]["CompressionType"] == "NONE"
    assert request["EnableNetworkIsolation"] is True
    assert request["Tags"] == [{"Key": "k", "Value": "v"}]
    assert json.loads(json.dumps(request)) == request


def test_there_is_no_model_before_training(session):
    with pytest.raises(UsageError, match="There is no model yet"):
        _ = estimator(session).model_data


# processing


def processor(session: Session, **changes: Any) -> ScriptProcessor:
    given = {"image_uri": IMAGE, "command": ["python3"], "role": "MyRole"}
    return ScriptProcessor(**{**given, **changes}, sagemaker_session=session)


def test_a_script_processor_sends_script_inputs_and_outputs(session, code, data, tmp_path):
    """C21: the script is an input of its own, and the entry point its path."""
    request, uploads = processor(session).prepare(
        code / "train.py",
        inputs=[ProcessingInput(data, "/opt/ml/processing/input", "raw")],
        outputs=[
            ProcessingOutput("/opt/ml/processing/train", tmp_path / "out"),
            ProcessingOutput("/opt/ml/processing/test"),
        ],
        arguments=["--ratio", 0.2],  # type: ignore[list-item]
        job_name="job",
    )
    validate("CreateProcessingJob", request)
    application = request["AppSpecification"]
    assert application["ContainerEntrypoint"] == [
        "python3", "/opt/ml/processing/input/code/train.py",
    ]  # fmt: skip
    assert application["ContainerArguments"] == ["--ratio", "0.2"]
    assert [item["InputName"] for item in request["ProcessingInputs"]] == ["raw", "code"]
    outputs = request["ProcessingOutputConfig"]["Outputs"]
    assert [item["OutputName"] for item in outputs] == ["output-1", "output-2"]
    assert session.shown(outputs[0]["S3Output"]["S3Uri"]) == f"file://{tmp_path}/out"
    assert outputs[1]["S3Output"]["S3Uri"] == "s3://sagedock-local/job/output/output-2"
    (upload,) = uploads
    assert str(upload.uri) == "s3://sagedock-local/job/input/code/train.py"
    upload.into(session.store)
    assert session.read(str(upload.uri)) == b"print('hello')"


def test_a_script_in_the_store_is_only_named(session):
    request, uploads = processor(session).prepare("s3://code/p/run.py")
    assert uploads == []
    assert request["AppSpecification"]["ContainerEntrypoint"][1].endswith("/code/run.py")


def test_a_processing_script_that_is_not_there(session):
    with pytest.raises(InputError, match=r"code 'x.py' is not a file"):
        processor(session).prepare("x.py")


def test_a_processing_input_that_is_not_there(session, code):
    with pytest.raises(InputError, match="Input 'input-1': Input 'nothing'"):
        processor(session).prepare(
            code / "train.py", inputs=[ProcessingInput("nothing", "/opt/ml/processing/x")]
        )


# data


def test_a_folder_goes_up_and_comes_down(session, data, tmp_path):
    (data / "sub").mkdir()
    (data / "sub" / "ü.csv").write_text("3")
    uri = session.upload_data(data, bucket="new-bucket", key_prefix="p/q/")
    assert uri == "s3://new-bucket/p/q"
    session.store.put(S3Uri("new-bucket", "p/q/folder/"), b"")
    written = session.download_data(tmp_path / "down", "new-bucket", "p/q")
    assert sorted(written) == [f"{tmp_path}/down/a.csv", f"{tmp_path}/down/sub/ü.csv"]
    assert (tmp_path / "down" / "sub" / "ü.csv").read_text() == "3"
    assert session.read("s3://new-bucket/p/q/a.csv") == b"1,2"


def test_a_file_goes_up(session, data):
    uri = session.upload_data(data / "a.csv")
    assert uri == "s3://sagedock-local/data/a.csv"
    assert session.read(uri) == b"1,2"
    assert session.read(str(data / "a.csv")) == b"1,2"


def test_nothing_to_upload(session, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is empty"):
        session.upload_data(tmp_path / "empty")
    with pytest.raises(InputError, match="is not there"):
        session.upload_data(tmp_path / "nothing")


def test_what_comes_down_stays_below_its_folder(session, tmp_path):
    session.store.create_bucket("bucket")
    session.store.put(S3Uri("bucket", "p/../../evil"), b"x")
    with pytest.raises(StoreError, match="can't be a file below"):
        session.download_data(tmp_path / "down", "bucket", "p/")
    assert not (tmp_path.parent / "evil").exists()


# who watches


def test_status_and_log_are_plain_lines():
    stream = io.StringIO()
    listener = PlainListener(stream)
    moment = datetime(2026, 11, 24, 8, 7, 1, tzinfo=UTC).timestamp()
    state = JobState().enter("Training", "Training in progress.", moment)
    job = Job(kind=Kind.TRAINING, name="j", arn="a", created=1.0, request={}, state=state)
    listener.status(job)
    assert stream.getvalue() == "2026-11-24 08:07:01 Training - Training in progress.\n"


def test_attach_gives_a_jobs_settings_as_its_caller_gave_them(
    session: Session, tmp_path: Path
) -> None:
    """What script mode added to the request is no setting of the caller's."""
    script = tmp_path / "train.py"
    script.write_text("")
    given = {"epochs": 3, "name": "1e5", "flag": True}
    first = Estimator(
        IMAGE, entry_point=str(script), hyperparameters=given, sagemaker_session=session
    )
    request, _ = first.prepare(job_name="one")
    # The only job that is there without an engine: one whose owner is this process.
    job = Job(
        kind=Kind.TRAINING,
        name="one",
        arn="arn:aws:sagemaker:eu-west-1:123456789012:training-job/one",
        created=1.0,
        request=request,
        owner=Owner.me(),
    )
    with closing(Records(session.settings.data)) as records:
        records.add(job)
    assert Estimator.attach("one", session).hyperparameters() == given


def test_an_estimator_without_a_model_has_no_transformer(session: Session) -> None:
    estimator = Estimator("image", sagemaker_session=session)
    with pytest.raises(UsageError, match="There is no model yet"):
        estimator.transformer(strategy="MultiRecord")
    assert session.sagemaker_client.list_models()["Models"] == []


# what is AWS's


def test_what_has_no_effect_here_is_said_of_every_kind_of_job():
    inside = {"subnets": ["s"], "security_groups": ["g"], "encrypt_traffic": True}
    keys = {"output_key": "k", "volume_key": "v"}
    said = {
        "training": support.notes(cloud_requests.training(**inside, **keys)),
        "processing": support.notes(cloud_requests.processing(**inside, **keys)),
        "transform": support.notes(cloud_requests.transform(volume_key="v")),
    }
    assert {kind: len(notes) for kind, notes in said.items()} == {
        "training": 4, "processing": 4, "transform": 1,
    }  # fmt: skip


def test_what_can_not_be_done_here_is_refused_by_its_name(session):
    made = estimator(
        session, use_spot_instances=True, checkpoint_s3_uri="s3://a-bucket/c", max_retry_attempts=2
    )
    request, _ = made.prepare(job_name="job")
    with pytest.raises(UnsupportedError) as caught:
        support.check(Kind.TRAINING, request)
    for member in ("EnableManagedSpotTraining", "CheckpointConfig", "RetryStrategy"):
        assert member in caught.value.message
