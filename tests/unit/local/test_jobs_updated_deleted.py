"""DeleteTrainingJob, DeleteProcessingJob, UpdateTrainingJob: which states allow them, and what is
left afterwards. Jobs wait to be attended; their records are ended by hand."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_local_client import Shelf, processing, training

from sagedock.engine.plan import LogLine
from sagedock.errors import (
    ResourceInUseError,
    ResourceNotFoundError,
    UnsupportedError,
    ValidationError,
)
from sagedock.local import joblog
from sagedock.local.client import LocalSageMaker
from sagedock.local.process import Owner
from sagedock.local.records import Job, Kind, Records, Status
from sagedock.local.settings import LocalSettings
from sagedock.server.services.log_files import ServiceLogs


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LocalSageMaker]:
    settings = LocalSettings(data=tmp_path / "data", region="eu-west-1", account="123456789012")
    client = LocalSageMaker(settings, attended=True, engine=Shelf)  # type: ignore[arg-type]
    client.store.create_bucket("bucket")
    yield client
    client.close()


def end(client: LocalSageMaker, kind: Kind, name: str, status: Status = Status.COMPLETED) -> Job:
    records = Records(client.settings.data)
    try:
        return records.update(records.get(kind, name), lambda s: replace(s, status=status))
    finally:
        records.close()


def write_log(client: LocalSageMaker, text: str) -> None:
    folder = client.settings.data / "jobs" / "training" / "job"
    log = joblog.LogWriter(folder / "logs" / "algo-1.log")
    log.write(LogLine(stamp=f"2026-11-24T08:07:0{len(text) % 10}.000000000Z", text=text))
    log.close()


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.STOPPED])
def test_an_ended_job_is_deleted_and_its_name_is_free(client, status):
    client.create_training_job(**training(), Tags=[{"Key": "a", "Value": "1"}])
    job = end(client, Kind.TRAINING, "job", status)
    (client.settings.data / "jobs" / "training" / "job").mkdir(parents=True)
    client.delete_training_job(TrainingJobName="job")
    with pytest.raises(ResourceNotFoundError):
        client.describe_training_job(TrainingJobName="job")
    assert client.list_tags(ResourceArn=job.arn)["Tags"] == []
    client.create_training_job(**training())
    assert client.list_tags(ResourceArn=job.arn)["Tags"] == []


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, Status.STOPPING])
def test_a_running_job_is_not_deleted(client, status):
    client.create_processing_job(**processing())
    end(client, Kind.PROCESSING, "job", status)
    with pytest.raises(ResourceInUseError, match=f"status {status}") as caught:
        client.delete_processing_job(ProcessingJobName="job")
    assert "sagedock stop --wait job" in caught.value.hint
    end(client, Kind.PROCESSING, "job")
    client.delete_processing_job(ProcessingJobName="job")


def test_kinds_are_apart_and_unknown_names_are_told(client):
    client.create_training_job(**training())
    end(client, Kind.TRAINING, "job")
    with pytest.raises(ResourceNotFoundError, match="processing job"):
        client.delete_processing_job(ProcessingJobName="job")
    client.delete_training_job(TrainingJobName="job")
    with pytest.raises(ResourceNotFoundError):
        client.delete_training_job(TrainingJobName="job")


def test_logs_stay_under_a_name_of_their_own_as_cloudwatch_keeps_them(client):
    folder = client.settings.data / "jobs" / "training" / "job"
    for round_ in ("a", "bb", "ccc"):
        client.create_training_job(**training())
        write_log(client, round_)
        (folder / "inputs" / "train").mkdir(parents=True)
        (folder / "runner.log").write_text("")
        job = end(client, Kind.TRAINING, "job")
        assert [line.text for line in client.logs(job)] == [round_]
        client.delete_training_job(TrainingJobName="job")
        assert [path.name for path in folder.iterdir()] == ["logs"]
    streams = list(ServiceLogs(client.settings.data).streams("/aws/sagemaker/TrainingJobs", "job/"))
    names = [stream.name for stream in streams]
    assert len(set(names)) == 3
    assert all(name.startswith("job/algo-1-17") for name in names)


def test_an_owner_that_takes_its_leave_is_waited_for(client):
    client.create_training_job(**training())
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"])
    records = Records(client.settings.data)
    job = records.get(Kind.TRAINING, "job")
    leaving = Owner.of(child.pid)
    assert records.claim(job, leaving)
    records.close()
    end(client, Kind.TRAINING, "job")
    client.delete_training_job(TrainingJobName="job")
    assert not leaving.is_alive()
    child.wait()
    assert client.jobs() == []


# UpdateTrainingJob


def test_updates_without_meaning_here_are_noted(client):
    arn = client.create_training_job(**training())["TrainingJobArn"]
    update = {"TrainingJobName": "job", "ProfilerConfig": {"DisableProfiler": True}}
    assert client.update_training_job(**update) == {"TrainingJobArn": arn}
    client.update_training_job(**update)
    found = client.job(Kind.TRAINING, "job").state.notes
    assert found == ("the profiler has no effect on a local job",)


def test_what_is_refused_at_creation_is_refused_in_an_update(client):
    client.create_training_job(**training())
    rule = {"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}
    with pytest.raises(UnsupportedError, match="ProfilerRuleConfigurations"):
        client.update_training_job(TrainingJobName="job", ProfilerRuleConfigurations=[rule])
    with pytest.raises(UnsupportedError, match="RemoteDebugConfig"):
        client.update_training_job(
            TrainingJobName="job", RemoteDebugConfig={"EnableRemoteDebug": True}
        )


def test_a_warm_pool_is_kept_longer_only_where_there_is_one(client):
    client.create_training_job(**training("cold"))
    longer = {"KeepAlivePeriodInSeconds": 600}
    with pytest.raises(ValidationError, match="no warm pool"):
        client.update_training_job(TrainingJobName="cold", ResourceConfig=longer)
    request = training("warm")
    request["ResourceConfig"]["KeepAlivePeriodInSeconds"] = 60
    client.create_training_job(**request)
    end(client, Kind.TRAINING, "warm")
    client.update_training_job(TrainingJobName="warm", ResourceConfig=longer)
    found = client.describe_training_job(TrainingJobName="warm")["ResourceConfig"]
    assert found == {**request["ResourceConfig"], **longer}
    notes = client.job(Kind.TRAINING, "warm").state.notes
    assert "ResourceConfig.KeepAlivePeriodInSeconds (warm pools) has no effect" in notes[0]


def test_states_and_names_of_an_update_are_checked(client):
    with pytest.raises(ResourceNotFoundError):
        client.update_training_job(TrainingJobName="nobody")
    client.create_training_job(**training())
    with pytest.raises(ValidationError):
        client.update_training_job(
            TrainingJobName="job", ResourceConfig={"KeepAlivePeriodInSeconds": 99999}
        )
    end(client, Kind.TRAINING, "job")
    for given in ({"ProfilerConfig": {}}, {"RemoteDebugConfig": {}}):
        with pytest.raises(ValidationError, match="status Completed"):
            client.update_training_job(TrainingJobName="job", **given)
