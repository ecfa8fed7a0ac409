"""Endpoints without containers: plans, deployments, what an update keeps, what records say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_local_describe import departures

from sagedock.engine.plan import ISOLATED
from sagedock.errors import InputError, UnsupportedError, ValidationError
from sagedock.local.hosting import answers, support
from sagedock.local.hosting.owner.deployment import deployment, mixed
from sagedock.local.hosting.owner.instance import Instance, Shop
from sagedock.local.hosting.owner.plans import Around, container_plan, start_seconds
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, EndpointStatus, Hop, Route, Update
from sagedock.local.models import Model
from sagedock.local.process import Owner
from sagedock.local.settings import LocalSettings
from sagedock.requests import service_model

VARIANT = {
    "VariantName": "v",
    "ModelName": "m",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
}
AROUND = Around(
    settings=LocalSettings(data=Path("/data"), container_environment={"PIP_INDEX_URL": "x"}),
    data_id="d",
    endpoint="e",
    machine_memory=64 << 30,
)


def model(**request):
    return Model(name="m", arn="arn", created=1.0, request={"ModelName": "m", **request})


def plan(request, variant=VARIANT, number=0):
    return container_plan(
        variant, model(**request), number, instance="i-1", mounts=(), around=AROUND
    )


def test_one_container_listens_where_the_service_says():
    planned = plan({"PrimaryContainer": {"Image": "i", "Environment": {"A": "1"}}})
    assert planned.ports == (8080,)
    assert planned.command == ["serve"]
    assert planned.environment == {"AWS_REGION": "us-east-1", "PIP_INDEX_URL": "x", "A": "1"}
    assert (planned.user, planned.read_only, planned.memory_bytes) == (None, False, None)
    assert planned.shm_bytes == 4 << 30


def test_several_containers_have_ports_of_their_own():
    """D5.11, D5.12: ranges of safe ports don't meet, and hold no other's port."""
    containers = [{"Image": str(number)} for number in range(15)]
    planned = [plan({"Containers": containers}, number=number) for number in range(15)]
    ports = [int(item.environment["SAGEMAKER_BIND_TO_PORT"]) for item in planned]
    assert ports == [item.ports[0] for item in planned] == list(range(8080, 8095))
    ranges = [item.environment["SAGEMAKER_SAFE_PORT_RANGE"].split("-") for item in planned]
    taken = [number for low, high in ranges for number in range(int(low), int(high) + 1)]
    assert len(set(taken) | set(ports)) == len(taken) + len(ports)


def test_a_multi_model_container_knows_it():
    """D5.2."""
    many = {"Image": "i", "Mode": "MultiModel", "ModelDataUrl": "s3://b/m/"}
    assert plan({"PrimaryContainer": many}).environment["SAGEMAKER_MULTI_MODEL"] == "true"


def test_an_isolated_container_gets_no_address_of_the_machine():
    """D1.9."""
    planned = plan({"PrimaryContainer": {"Image": "i"}, "EnableNetworkIsolation": True})
    assert planned.network == ISOLATED
    assert planned.environment == {"AWS_REGION": "us-east-1"}


def test_a_serverless_variant_has_its_own_limits():
    """D6.2, D6.3, D6.4."""
    variant = {"VariantName": "v", "ModelName": "m", "ServerlessConfig": {"MemorySizeInMB": 1024}}
    planned = plan({"PrimaryContainer": {"Image": "i"}}, variant)
    assert (planned.user, planned.read_only) == ("1234:1234", True)
    assert planned.memory_bytes == 1 << 30
    assert start_seconds(variant) == 180
    assert start_seconds(VARIANT) == 480  # D3.3
    assert start_seconds({**VARIANT, "ContainerStartupHealthCheckTimeoutInSeconds": 60}) == 60


# deployments


def policy(**routing):
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}


def shares(config, instances=4):
    return [(step.share, step.seconds) for step in deployment(config, instances).steps]


def test_traffic_moves_in_the_steps_that_were_asked_for():
    assert shares({}) == [(1.0, 0)]
    assert shares(policy(Type="ALL_AT_ONCE", WaitIntervalInSeconds=9)) == [(1.0, 9)]
    one = {"Type": "INSTANCE_COUNT", "Value": 1}
    assert shares(policy(Type="CANARY", WaitIntervalInSeconds=5, CanarySize=one)) == [
        (0.25, 5),
        (1.0, 5),
    ]
    third = {"Type": "CAPACITY_PERCENT", "Value": 30}
    linear = shares(policy(Type="LINEAR", WaitIntervalInSeconds=1, LinearStepSize=third))
    assert [round(share, 2) for share, _ in linear] == [0.3, 0.6, 0.9, 1.0]
    half = {"Type": "CAPACITY_PERCENT", "Value": 50}
    rolling = {"RollingUpdatePolicy": {"MaximumBatchSize": half, "WaitIntervalInSeconds": 2}}
    assert shares(rolling) == [(0.5, 2), (1.0, 2)]


def route(name, weight):
    hop = Hop(name="container_1", host="127.0.0.1", port=1)
    return Route(variant=name, instance=f"i-{name}", weight=weight, hops=(hop,))


def test_old_and_new_share_the_requests_whatever_their_weights():
    found = mixed([route("a", 6), route("b", 2)], [route("c", 0.5)], 0.2)
    assert {item.variant: round(item.weight, 3) for item in found} == {
        "a": 0.6,
        "b": 0.2,
        "c": 0.2,
    }
    assert [item.variant for item in mixed([route("a", 1)], [route("c", 1)], 1.0)] == ["c"]
    assert [item.variant for item in mixed([route("a", 1)], [route("c", 1)], 0.0)] == ["a"]
    assert mixed([route("a", 0)], [], 0.0)[0].weight == 0


# what an update keeps


def test_an_update_keeps_what_it_is_told_to():
    old = {"ProductionVariants": [{**VARIANT, "InitialInstanceCount": 3}], "DataCaptureConfig": 1}
    new = {"ProductionVariants": [{**VARIANT, "InitialVariantWeight": 7.0}]}
    assert support.retained(old, {"v": 2.0}, new, {}) == new
    kept = support.retained(old, {"v": 2.0}, new, {"RetainAllVariantProperties": True})
    assert kept["DataCaptureConfig"] == 1
    assert kept["ProductionVariants"][0]["InitialInstanceCount"] == 3
    assert kept["ProductionVariants"][0]["InitialVariantWeight"] == 2.0
    but = [
        {"VariantPropertyType": name}
        for name in ("DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig")
    ]
    request = {"RetainAllVariantProperties": True, "ExcludeRetainedVariantProperties": but}
    assert support.retained(old, {}, new, request) == new


def test_updates_that_cannot_be_done_are_refused():
    alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}}
    with pytest.raises(UnsupportedError, match="no alarms on this machine"):
        support.check_update({"DeploymentConfig": alarms})
    with pytest.raises(ValidationError, match="needs RetainAllVariantProperties"):
        support.check_update({"ExcludeRetainedVariantProperties": [1]})


def test_settings_without_effect_are_said():
    config = {"KmsKeyId": "k", "ProductionVariants": [VARIANT], "DataCaptureConfig": {}}
    assert support.notes(config) == ("KmsKeyId has no effect on this machine",)


# records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[HostingRecords]:
    records = HostingRecords(tmp_path)
    yield records
    records.close()


def endpoint(**members):
    return Endpoint(**{
        "name": "e", "arn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e",
        "created": 1.0, "modified": 1.0, "status": EndpointStatus.CREATING, "config": "c",
        "request": {"ProductionVariants": [VARIANT]}, "owner": Owner(pid=1, started="s"),
        **members,
    })  # fmt: skip


def test_an_endpoint_goes_through_an_update_and_back(records):
    records.add(endpoint())
    assert records.in_service("e", (route("v", 1),))
    assert not records.in_service("e", ())
    request = {"ProductionVariants": [{**VARIANT, "InitialVariantWeight": 3.0}]}
    update = Update(config="d", request=request)
    assert records.ask_update("e", update)
    assert not records.ask_update("e", update)
    assert records.get("e").update == update
    assert records.get("e").status.takes_requests
    assert records.rolling_back("e", "no luck")
    assert records.rolled_back("e", (route("v", 1),))
    found = records.get("e")
    assert (found.status, found.config, found.failure) == ("InService", "c", "no luck")
    assert found.update is None
    assert records.ask_update("e", update)
    assert records.updated("e", update, ())
    found = records.get("e")
    assert (found.config, found.failure, found.request) == ("d", None, request)
    assert found.weight(found.request["ProductionVariants"][0]) == 3.0


def test_what_ended_is_not_turned_again(records):
    records.add(endpoint())
    assert records.failed("e", "broken")
    assert not records.failed("e", "again")
    assert records.deleting("e")
    assert not records.deleting("e")
    assert not records.failed("e", "late")
    with pytest.raises(ValidationError, match="already existing endpoint"):
        records.add(endpoint())


def test_a_new_owner_begins_an_endpoint_anew_and_goes_on_with_its_update(records):
    records.add(endpoint())
    records.in_service("e", (route("v", 1),))
    assert records.claim(endpoint(), Owner(pid=2, started="t"))
    assert not records.claim(endpoint(), Owner(pid=3, started="u"))
    found = records.get("e")
    assert (found.status, found.routes) == ("Creating", ())
    records.in_service("e", ())
    records.ask_update("e", Update(config="d", request=found.request))
    assert records.claim(found, Owner(pid=3, started="u"))
    assert records.get("e").status == "Updating"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"routes": (route("v", 1),), "status": EndpointStatus.IN_SERVICE},
        {"failure": "broken", "status": EndpointStatus.FAILED},
        {"update": Update(config="d", request={}), "status": EndpointStatus.UPDATING},
        {
            "request": {
                "ProductionVariants": [
                    {
                        "VariantName": "v",
                        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
                    }
                ],
                "DataCaptureConfig": {
                    "EnableCapture": True,
                    "InitialSamplingPercentage": 5,
                    "DestinationS3Uri": "s3://b/c",
                    "CaptureOptions": [],
                },
                "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://b/o"}},
            }
        },
    ],
)
def test_answers_are_what_the_model_demands(more):
    found = endpoint(**more)
    for operation, answer in (
        ("DescribeEndpoint", answers.description(found)),
        ("ListEndpoints", {"Endpoints": [answers.summary(found)]}),
    ):
        shape = service_model().operation_model(operation).output_shape
        assert list(departures(answer, shape)) == []


def instance(tmp_path: Path, **variant):
    shop = Shop(engine=None, store=None, folder=tmp_path, files=tmp_path, around=AROUND)
    return Instance({**VARIANT, **variant}, model(PrimaryContainer={"Image": "i"}), shop)


def test_a_model_has_to_fit_on_its_volume_and_to_be_there_in_time(tmp_path):
    """D2.7, D3.4."""
    with (tmp_path / "weights").open("wb") as file:
        file.truncate((2 << 30) + 1)  # a hole: nothing is written
    instance(tmp_path).check_limits(1.0, tmp_path)
    with pytest.raises(InputError, match=r"2,147,483,649 bytes unpacked; its volume has 2 GB"):
        instance(tmp_path, VolumeSizeInGB=2).check_limits(1.0, tmp_path)
    with pytest.raises(InputError, match="took 61 s to be laid down, and may take 60 s"):
        instance(tmp_path, ModelDataDownloadTimeoutInSeconds=60).check_limits(61.0, tmp_path)
