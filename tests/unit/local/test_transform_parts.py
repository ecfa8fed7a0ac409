"""Models and the parts of batch transform that need no engine."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_local_describe import departures
from transform_kit import cut

from sagedock import hosting_requests, requests
from sagedock.errors import (
    InputError,
    JobFailedError,
    ResourceNotFoundError,
    StoreError,
    UnsupportedError,
    ValidationError,
)
from sagedock.local import describe, packing
from sagedock.local.client import LocalSageMaker
from sagedock.local.records import Job, Kind
from sagedock.local.settings import LocalSettings
from sagedock.local.support import check
from sagedock.local.transform.records import assembled
from sagedock.local.transform.settings import MEGABYTE, TransformSettings, environment
from sagedock.requests import service_model
from sagedock.store.uri import S3Uri

ROLE = "arn:aws:iam::111122223333:role/Role"
TEXT = st.lists(st.binary(max_size=30).filter(lambda b: not set(b) & set(b"\r\n")), max_size=60)


@given(TEXT, st.integers(31, 200))
def test_payloads_hold_every_line_once_and_in_order(lines: list[bytes], limit: int) -> None:
    bodies = cut(b"\n".join(lines), limit=limit)
    assert all(len(body) <= limit for body in bodies)
    got = [line for body in bodies for line in body.split(b"\n") if line]
    assert got == [line for line in lines if line]
    singles = cut(b"\n".join(lines), strategy="SingleRecord", limit=limit)
    assert singles == [line for line in lines if line]


def test_a_payload_is_as_large_as_the_limit_lets_it_be() -> None:
    assert cut(b"aa\nbb\ncc\ndd\n", limit=5) == [b"aa\nbb", b"cc\ndd"]
    assert cut(b"aa\nbb\ncc", limit=0) == [b"aa\nbb\ncc"]
    assert cut(b"aa\nbb\n", split="None", limit=6) == [b"aa\nbb\n"]


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
def test_a_line_over_the_limit_is_refused(strategy: str) -> None:
    with pytest.raises(InputError, match="a line is larger than MaxPayloadInMB"):
        cut(b"short\n" + b"x" * (MEGABYTE + 1), strategy=strategy, limit=MEGABYTE)


def test_answers_are_joined_without_blank_lines() -> None:
    """E8."""
    assert assembled(b"1\n2\n", "Line") == assembled(b"1\n2", "Line") == b"1\n2\n"
    assert assembled(b"1\n2\n", "None") == b"1\n2\n"


def request(**more: Any) -> dict[str, Any]:
    made = requests.transform_request(
        job_name="job", model_name="model", data_uri="s3://bucket/in", output_uri="s3://bucket/out",
        instance_type="ml.m5.large",
    )  # fmt: skip
    return {**made, **more}


def test_the_request_wins_over_the_container_over_defaults() -> None:
    """E3, E4."""
    nothing = TransformSettings.resolve(request(), {})
    assert (nothing.concurrent, nothing.strategy, nothing.payload) == (1, "MultiRecord", 6 << 20)
    advised = {
        "MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 2,
    }  # fmt: skip
    told = TransformSettings.resolve(request(), advised)
    assert (told.concurrent, told.strategy, told.payload) == (3, "SingleRecord", 2 << 20)
    asked = request(MaxConcurrentTransforms=5, BatchStrategy="MultiRecord", MaxPayloadInMB=0)
    chosen = TransformSettings.resolve(asked, advised)
    assert (chosen.concurrent, chosen.strategy, chosen.payload) == (5, "MultiRecord", 0)


@pytest.mark.parametrize("answer", [{"MaxPayloadInMB": "6"}, {"BatchStrategy": "MultiRecord"}])
def test_advice_of_the_wrong_form_fails_the_job(answer: dict[str, Any]) -> None:
    with pytest.raises(JobFailedError, match="/execution-parameters answered"):
        TransformSettings.resolve(request(), answer)


def test_variables_are_set_only_where_asked_for() -> None:
    """E2."""
    assert environment(request()) == {"SAGEMAKER_BATCH": "true"}


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}, "instances"),
    ],
)
def test_what_cannot_be_done_is_refused_aloud(more: dict[str, Any], word: str) -> None:
    with pytest.raises(UnsupportedError, match=word):
        check(Kind.TRANSFORM, request(**more))


def test_describe_answers_as_the_model_demands() -> None:
    arn = "arn:aws:sagemaker:us-east-1:000000000000:transform-job/job"
    job = Job(kind=Kind.TRANSFORM, name="job", arn=arn, created=1.0, request=request())
    shape = service_model().operation_model("DescribeTransformJob").output_shape
    assert list(departures(describe.describe(job), shape)) == []


@pytest.fixture
def client(tmp_path: Path) -> Iterator[LocalSageMaker]:
    client = LocalSageMaker(LocalSettings(data=tmp_path / "data"))
    yield client
    client.close()


def model(**more: Any) -> dict[str, Any]:
    container = hosting_requests.model_container(
        "i", more.get("model_data"), more.get("environment", {})
    )
    return hosting_requests.model_request(
        name="m", containers={"PrimaryContainer": container}, role=ROLE
    )


def test_a_models_life(client: LocalSageMaker) -> None:
    client.store.create_bucket("bucket")
    client.store.put(S3Uri("bucket", "model.tar.gz"), b"")
    client.create_model(**model(model_data="s3://bucket/model.tar.gz", environment={"A": "1"}))
    found = client.describe_model(ModelName="m")
    shape = service_model().operation_model("DescribeModel").output_shape
    assert list(departures(found, shape)) == []
    assert found["PrimaryContainer"]["Environment"] == {"A": "1"}
    with pytest.raises(ValidationError, match="already existing model"):
        client.create_model(**model())
    assert [row["ModelName"] for row in client.list_models()["Models"]] == ["m"]
    client.delete_model(ModelName="m")
    with pytest.raises(ResourceNotFoundError, match="Could not find model 'm'"):
        client.describe_model(ModelName="m")
    with pytest.raises(ResourceNotFoundError):
        client.create_transform_job(**request(ModelName="m"))


def test_model_data_that_is_not_there_is_found_at_once(client: LocalSageMaker) -> None:
    with pytest.raises(StoreError, match="is not known"):
        client.create_model(**model(model_data="s3://nowhere/model.tar.gz"))


def container(**more: Any) -> dict[str, Any]:
    return {"Image": "i", **more}


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"Containers": [container(), container()]}, "several containers"),
        (
            {"PrimaryContainer": container(Mode="MultiModel", ModelDataUrl="s3://bucket/models/")},
            "MultiModel",
        ),
    ],
)
def test_models_that_only_endpoints_take_are_refused_aloud(
    client: LocalSageMaker, members: dict[str, Any], word: str
) -> None:
    client.create_model(ModelName="m", ExecutionRoleArn=ROLE, **members)
    with pytest.raises(UnsupportedError, match=word):
        client.create_transform_job(**request(ModelName="m"))


def archive(*entries: tarfile.TarInfo) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for entry in entries:
            packed.addfile(entry)
    buffer.seek(0)
    return buffer


def test_a_model_with_a_link_is_refused(tmp_path: Path) -> None:
    """D2.2."""
    link = tarfile.TarInfo("latest")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(InputError, match="is a link"):
        packing.unpack(archive(link), "s3://b/model.tar.gz", tmp_path / "model")


def test_a_model_that_would_leave_its_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leads out of that folder"):
        packing.unpack(archive(tarfile.TarInfo("../x")), "s3://b/model.tar.gz", tmp_path / "model")
    assert not (tmp_path / "x").exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be unpacked as a model"):
        packing.unpack(io.BytesIO(b"PK\x03\x04"), "s3://b/model.tar.gz", tmp_path / "model")


def test_a_models_vpc_is_refused_aloud(client: LocalSageMaker) -> None:
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    with pytest.raises(UnsupportedError, match="VpcConfig"):
        client.create_model(**model(), VpcConfig=vpc)
