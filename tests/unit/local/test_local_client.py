"""LocalSageMaker without an engine: what it refuses, remembers, lists. The engine is a stand-in
that has some images; jobs wait to be attended, and so never start."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sagedock import requests
from sagedock.errors import (
    EngineUnavailableError,
    ImageNotFoundError,
    OutputError,
    ResourceInUseError,
    ResourceNotFoundError,
    StoreError,
    UnsupportedError,
    ValidationError,
)
from sagedock.local.client import LocalSageMaker, data_id
from sagedock.local.records import Kind, Status
from sagedock.local.settings import LocalSettings

ROLE = "arn:aws:iam::123456789012:role/R"


class Shelf:
    """An engine of which only the images are asked."""

    def image(self, reference: str) -> object | None:
        return object() if reference == "image" else None

    def pull(self, reference: str) -> None:
        raise ImageNotFoundError(f"Image {reference!r} is not here.")

    def close(self) -> None:
        pass


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LocalSageMaker]:
    settings = LocalSettings(data=tmp_path / "data", region="eu-west-1", account="123456789012")
    client = LocalSageMaker(settings, attended=True, engine=Shelf)  # type: ignore[arg-type]
    client.store.create_bucket("bucket")
    yield client
    client.close()


def training(name: str = "job", **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "job_name": name, "image_uri": "image", "role": ROLE, "instance_type": "ml.m5.large",
        "output_uri": "s3://bucket/out",
    }  # fmt: skip
    return requests.training_request(**{**given, **changes})


def processing(name: str = "job", **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "job_name": name, "image_uri": "image", "role": ROLE, "instance_type": "ml.m5.large",
    }  # fmt: skip
    return requests.processing_request(**{**given, **changes})


def test_a_job_is_remembered_as_it_was_asked_for(client):
    answer = client.create_training_job(**training("My-Job"))
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/my-job"
    assert answer == {"TrainingJobArn": arn}
    found = client.describe_training_job(TrainingJobName="My-Job")
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("InProgress", "Pending")
    assert client.job(Kind.TRAINING, "My-Job").request == training("My-Job")
    arn = client.create_processing_job(**processing())["ProcessingJobArn"]
    assert arn.endswith(":processing-job/job")
    assert client.find("job").kind is Kind.PROCESSING


def test_two_jobs_of_one_name(client):
    client.create_training_job(**training())
    with pytest.raises(ResourceInUseError, match="must be unique"):
        client.create_training_job(**training())


@pytest.mark.parametrize(
    ("error", "request_"),
    [
        (ValidationError, training("my_job")),
        (UnsupportedError, training(instance_count=2)),
        (ImageNotFoundError, training(image_uri="no-image")),
        (StoreError, training(output_uri="s3://elsewhere/out")),
        (StoreError, training(output_uri="https://bucket/out")),
    ],
)
def test_what_is_refused_leaves_no_record(client, error, request_):
    with pytest.raises(error):
        client.create_training_job(**request_)
    assert client.jobs() == []


def test_an_output_folder_that_cannot_be_written_is_told_before_the_job(client, tmp_path):
    place = client.store.folder_bucket(tmp_path / "file" / "out")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=re.escape(str(tmp_path / "file"))):
        client.create_training_job(**training(output_uri=str(place)))
    output = requests.processing_output("o", str(place), "/opt/ml/processing/o")
    with pytest.raises(OutputError):
        client.create_processing_job(**processing(outputs=[output]))


def test_looking_whether_an_output_can_be_written_leaves_nothing(client, tmp_path):
    (tmp_path / "out").mkdir()
    place = client.store.folder_bucket(tmp_path / "out")
    client.create_training_job(**training(output_uri=str(place)))
    assert list((tmp_path / "out").iterdir()) == []


def test_no_engine_is_an_error_of_creating_not_of_asking(tmp_path):
    def nothing() -> Any:
        raise EngineUnavailableError("No Docker engine answers.")

    client = LocalSageMaker(LocalSettings(data=tmp_path), engine=nothing)
    client.store.create_bucket("bucket")
    with pytest.raises(EngineUnavailableError):
        client.create_training_job(**training())
    assert client.list_training_jobs() == {"TrainingJobSummaries": []}
    client.close()


@pytest.mark.parametrize("act", ["describe_training_job", "stop_training_job"])
def test_an_unknown_job(client, act):
    with pytest.raises(ResourceNotFoundError, match="No training job is named 'x'"):
        getattr(client, act)(TrainingJobName="x")


def test_notes_are_kept(client):
    client.create_training_job(
        **training(), VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["s-1"]}
    )
    assert client.job(Kind.TRAINING, "job").state.notes == (
        "VpcConfig has no effect on a local job",
    )


# stopping


def test_stopping_is_remembered_for_the_owner(client):
    client.create_training_job(**training())
    client.stop_training_job(TrainingJobName="job")
    answer = client.describe_training_job(TrainingJobName="job")
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("Stopping", "Stopping")
    assert client._records.stop_requested(client.job(Kind.TRAINING, "job"))
    client.stop_training_job(TrainingJobName="job")  # twice is no error
    steps = client.describe_training_job(TrainingJobName="job")["SecondaryStatusTransitions"]
    assert [step["Status"] for step in steps] == ["Pending", "Stopping"]


def test_a_job_that_ended_cannot_be_stopped(client):
    client.create_processing_job(**processing())
    end(client, Kind.PROCESSING, "job", Status.COMPLETED)
    with pytest.raises(ValidationError, match="is in status Completed"):
        client.stop_processing_job(ProcessingJobName="job")


def end(client: LocalSageMaker, kind: Kind, name: str, status: Status) -> None:
    job = client.job(kind, name)
    client._records.update(job, lambda state: replace(state, status=status, ended=1.0))


# lists


@pytest.fixture
def many(client: LocalSageMaker) -> LocalSageMaker:
    for number in range(25):
        client.create_training_job(**training(f"job-{number:02d}"))
    for number in (3, 5):
        end(client, Kind.TRAINING, f"job-{number:02d}", Status.FAILED)
    client.create_processing_job(**processing())
    return client


def names(answer: dict[str, Any]) -> list[str]:
    return [row["TrainingJobName"] for row in answer["TrainingJobSummaries"]]


ALL = [f"job-{number:02d}" for number in range(25)]


def test_lists_come_in_pages_newest_first(many):
    found, token = [], {}
    while True:
        page = many.list_training_jobs(MaxResults=7, **token)
        found += names(page)
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == ALL[::-1]
    assert len(names(many.list_training_jobs())) == 10
    assert many.list_training_jobs(MaxResults=100).keys() == {"TrainingJobSummaries"}


def test_lists_can_be_sorted(many):
    answer = many.list_training_jobs(SortBy="Name", SortOrder="Ascending", MaxResults=100)
    assert names(answer) == ALL
    answer = many.list_training_jobs(SortBy="Status", SortOrder="Ascending", MaxResults=2)
    assert names(answer) == ["job-05", "job-03"]


def test_lists_can_be_filtered(many):
    assert names(many.list_training_jobs(StatusEquals="Failed")) == ["job-05", "job-03"]
    assert names(many.list_training_jobs(NameContains="B-1", MaxResults=100)) == ALL[19:9:-1]
    assert names(many.list_training_jobs(StatusEquals="Stopped")) == []
    assert [row["ProcessingJobName"] for row in
            many.list_processing_jobs()["ProcessingJobSummaries"]] == ["job"]  # fmt: skip


def test_lists_can_be_filtered_by_time_in_any_form(many):
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    for moment in (now - hour, (now - hour).isoformat(), (now - hour).timestamp()):
        assert len(names(many.list_training_jobs(CreationTimeAfter=moment, MaxResults=100))) == 25
        assert names(many.list_training_jobs(CreationTimeBefore=moment)) == []
        assert names(many.list_training_jobs(LastModifiedTimeBefore=moment)) == []


@pytest.mark.parametrize(
    "filters",
    [{"MaxResults": 101}, {"SortBy": "Colour"}, {"NextToken": "x"}, {"NextToken": "-1"},
     {"Colour": "red"}],
)  # fmt: skip
def test_bad_filters(client, filters):
    with pytest.raises(ValidationError):
        client.list_training_jobs(**filters)


# between clients


def test_another_client_sees_the_job_as_running_while_its_owner_lives(client):
    client.create_training_job(**training())
    other = LocalSageMaker(client.settings, engine=Shelf)  # type: ignore[arg-type]
    job = other.job(Kind.TRAINING, "job")
    assert job.is_running
    assert job.owner == client.job(Kind.TRAINING, "job").owner
    assert other.logs(job) == []
    other.close()


def test_a_data_folders_id_goes_by_where_it_really_is(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert data_id(tmp_path / "link") == data_id(tmp_path)
    assert re.fullmatch("[0-9a-f]{8}", data_id(tmp_path))
    assert data_id(tmp_path / "other") != data_id(tmp_path)
