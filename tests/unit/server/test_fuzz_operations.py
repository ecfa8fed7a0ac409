"""Any parameters to any operation, over the wire: an answer of the service's, no fault of ours, no
file outside the data folder. Shapes are botocore's; there is no engine to be found."""

import base64
import contextlib
import http.client
import json
import math
import random
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import cbor2
import pytest
from botocore.model import Shape
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sagedock import requests
from sagedock.contract.patterns import matches
from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, EndpointConfig, EndpointStatus
from sagedock.local.process import Owner
from sagedock.local.records import Job, JobState, Kind, Records, Status, Transition
from sagedock.local.settings import LocalSettings
from sagedock.server.application import LocalAWS
from sagedock.server.guard import Guard
from sagedock.server.http import Listener
from sagedock.server.protocols.shapes import wire_name

LIMIT = 20.0
TARGETS = {
    "sagemaker": "SageMaker",
    "logs": "Logs_20140328",
    "ecr": "AmazonEC2ContainerRegistry_V20150921",
    "cloudwatch": "GraniteServiceVersion20100801",
}
TEXTS = [
    "", "one", "two", "../../x", "..", "/", "/etc/passwd", ".", "a" * 300, "a/b", "\x00",
    "ü", "\u2028",
    "s3://sagemaker-us-east-1-000000000000/x", "s3://../x", "s3://", "file:///etc", "https://x/y",
    "arn:aws:sagemaker:us-east-1:000000000000:training-job/one", "arn:aws:iam::000000000000:role/R",
    "arn:aws:iam::aws:policy/P", "arn:", "sagedock/training:latest", "123456789012", "us-east-1",
    "{}", '{"Version":"2012-10-17","Statement":[]}', "[", "%00", "%", "{ $.a = 1 }", "[a,b]",
    "?x -y",
    "/aws/sagemaker/TrainingJobs", "one/algo-1-1", "f/1", "sha256:" + "0" * 64, "latest", "*",
    "(" * 60,
    "2026-01-01T00:00:00Z", "-1", "0", "1", "true", "\U0001f600", "\ud800", "e30=",
    "$.a[0]", "ml.m5.large", "9" * 5000,
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 3, 60, 100, 300, 2**31, 2**63, -(2**63), 10**30, 1e308, -0.0, 1.5]
MOMENTS = [0, 1, 1.5e9, 1.8e9, 1e12, 1e18, -1e12, "2026-01-01T00:00:00Z", "never", "0001-01-01"]
ANYTHING: list[Any] = [None, True, "", "x", 0, -1, 1.5, [], {}, [[]], {"a": []}, [None], "\x00"]


class Maker:
    """Values by a shape, as `chance` has it: mostly what the model takes, sometimes not."""

    def __init__(self, chance: random.Random, wrong: float) -> None:
        self._chance, self._wrong = chance, wrong

    def value(self, shape: Shape, depth: int = 0) -> Any:
        chance = self._chance
        if chance.random() < self._wrong:
            return chance.choice(ANYTHING)
        match shape.type_name:
            case "structure":
                return self._structure(shape, depth)
            case "list":
                count = max(shape.metadata.get("min", 0), chance.choice([0, 1, 1, 2])) % 5
                return [self.value(shape.member, depth + 1) for _ in range(count)]
            case "map":
                count = chance.choice([0, 1, 2])
                return {self._text(shape.key): self.value(shape.value, depth + 1)
                        for _ in range(count)}  # fmt: skip
            case "integer" | "long" | "float" | "double":
                low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 2**31)
                fitting = [number for number in NUMBERS if low <= number <= high] or [low]
                whole = [number for number in fitting if isinstance(number, int)] or [low]
                return chance.choice(NUMBERS if self._odd() else whole)
            case "boolean":
                return chance.random() < 0.5
            case "timestamp":
                return chance.choice(MOMENTS if self._odd() else MOMENTS[:4])
            case "blob":
                return base64.b64encode(chance.randbytes(chance.randrange(40))).decode()
        return self._text(shape)

    def _structure(self, shape: Any, depth: int) -> dict[str, Any]:
        share = 0.5 / (depth + 1)
        return {
            wire_name(name, member): self.value(member, depth + 1)
            for name, member in shape.members.items()
            if depth < 8
            and self._chance.random() < (0.99 if name in shape.required_members else share)
        }

    def _text(self, shape: Shape) -> str:
        allowed = shape.metadata.get("enum")
        if allowed and self._chance.random() < 0.95:
            return str(self._chance.choice(allowed))
        fitting = fitting_texts(*(shape.metadata.get(key) for key in ("pattern", "min", "max")))
        return self._chance.choice(fitting if fitting and not self._odd() else TEXTS)

    def _odd(self) -> bool:
        return self._chance.random() < self._wrong


@cache
def fitting_texts(pattern: str | None, low: int | None, high: int | None) -> list[str]:
    """Those of TEXTS that a shape takes."""
    return [
        text
        for text in TEXTS
        if (low or 0) <= len(text) <= (high or 10_000)
        and (pattern is None or matches(pattern, text))
        and text.isascii()
    ]


class House:
    """A whole local AWS in a folder of its own, and a connection to it."""

    def __init__(self, place: Path, port: int, operations: dict[str, list[str]]) -> None:
        self.place, self.operations = place, operations
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)

    def send(
        self, method: str, target: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        begun = time.monotonic()
        try:
            self._connection.request(method, target, body, headers)
            answer = self._connection.getresponse()
            found = answer.status, answer.read()
        except BaseException:
            self._connection.close()
            raise
        assert time.monotonic() - begun < LIMIT
        return found

    def close(self) -> None:
        self._connection.close()

    def check(self, found: tuple[int, bytes], *context: object) -> None:
        status, body = found
        assert 200 <= status < 500, (status, body, *context)
        assert b"<html" not in body.lower()
        assert {path.name for path in self.place.iterdir()} == {"data", "here"}, context
        assert not list((self.place / "here").iterdir()), context
        known = {"sagedock.db", "sagedock.db-wal", "sagedock.db-shm", "objects", "uploads", "jobs",
                 "endpoints", "registry", "server"}  # fmt: skip
        assert {path.name for path in (self.place / "data").iterdir()} <= known, context


def furnish(data: Path) -> None:
    """A job of each kind and two endpoints, none of which goes on."""
    nobody, records, hosting = Owner(pid=1, started="never"), Records(data), HostingRecords(data)
    past = Transition(status="Completed", message="", started=1.5e9, ended=1.5e9)
    state = JobState(status=Status.COMPLETED, transitions=(past,), started=1.5e9, ended=1.6e9,
                     modified=1.6e9)  # fmt: skip
    for kind, operation in ((Kind.TRAINING, "CreateTrainingJob"),
                            (Kind.PROCESSING, "CreateProcessingJob"),
                            (Kind.TRANSFORM, "CreateTransformJob")):  # fmt: skip
        shape = requests.service_model().operation_model(operation).input_shape
        request = Minimal().value(shape)
        if kind is Kind.TRAINING:
            request["AlgorithmSpecification"] = {"TrainingImage": "i", "TrainingInputMode": "File"}
            request["ResourceConfig"] = {"VolumeSizeInGB": 1}
        request[f"{kind.capitalize()}JobName"] = "one"
        arn = f"arn:aws:sagemaker:us-east-1:000000000000:{kind}-job/one"
        records.add(Job(kind=kind, name="one", arn=arn, created=1.5e9, request=request, state=state,
                        owner=nobody))  # fmt: skip
    variant = {"VariantName": "v", "ModelName": "one", "InstanceType": "ml.m5.large",
               "InitialInstanceCount": 1}  # fmt: skip
    config = {"EndpointConfigName": "one", "ProductionVariants": [variant]}
    hosting.add_config(EndpointConfig(name="one", arn="arn:one", created=1.5e9, request=config))
    hosting.add(Endpoint(name="one", arn="arn:aws:one", created=1.5e9, modified=1.5e9,
                         status=EndpointStatus.FAILED, config="one", request=config,
                         owner=nobody))  # fmt: skip
    records.close()
    hosting.close()


class Minimal(Maker):
    """The least that a shape takes."""

    def __init__(self) -> None:
        super().__init__(random.Random(0), 0.0)

    def _structure(self, shape: Any, depth: int) -> dict[str, Any]:
        return {name: self.value(shape.members[name], depth + 1) for name in shape.required_members}

    def _text(self, shape: Shape) -> str:
        allowed = shape.metadata.get("enum")
        return str(allowed[0]) if allowed else "s3://bucket/x"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    place = tmp_path_factory.mktemp("fuzz")
    (place / "here").mkdir()
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as closing:
        patch.chdir(place / "here")
        patch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
        data = place / "data"
        furnish(data)
        aws = LocalAWS(LocalSettings(data=data))
        closing.callback(aws.close)
        listener = Listener(("127.0.0.1", 0), Guard(service=aws))
        listener.start()
        closing.callback(listener.server_close)
        closing.callback(listener.shutdown)
        names = {"cloudwatch": "monitoring", **{name: name for name in ("sagemaker", "logs", "ecr",
                 "sts", "iam")}}  # fmt: skip
        operations = {name: sorted(aws._services[key]._operations) for name, key in names.items()}
        house = House(place, listener.server_port, operations)
        closing.callback(house.close)
        yield house


def scope(service: str) -> str:
    return (f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/"
            "aws4_request, SignedHeaders=host, Signature=0")  # fmt: skip


def encoded(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=True).encode()


def flattened(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """A value as the Query protocol has it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flattened(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from flattened(item, f"{prefix}.member.{number}")
    elif value is not None:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        yield prefix, text.encode("utf-8", "replace").decode()


SEEDS = st.integers(0, 2**32)


def made(house: House, service: str, seed: int) -> tuple[str, Any]:
    chance = random.Random(seed)
    operation = chance.choice(house.operations[service])
    shape = requests.service_model(service).operation_model(operation).input_shape
    wrong = chance.choice([0.0, 0.0, 0.02, 0.1])
    return operation, Maker(chance, wrong).value(shape) if shape else {}


@pytest.mark.parametrize("service", sorted(TARGETS))
@settings(max_examples=500)
@given(seed=SEEDS)
def test_json(house: House, service: str, seed: int) -> None:
    operation, document = made(house, service, seed)
    headers = {"X-Amz-Target": f"{TARGETS[service]}.{operation}"}
    found = house.send("POST", "/", encoded(document), headers)
    house.check(found, operation, document)
    assert "__type" in json.loads(found[1] or b"{}") or found[0] < 400


@pytest.mark.parametrize("service", ["sts", "iam", "cloudwatch"])
@settings(max_examples=250)
@given(seed=SEEDS)
def test_forms(house: House, service: str, seed: int) -> None:
    operation, document = made(house, service, seed)
    fields = [("Action", operation), ("Version", "2010-01-01"), *flattened(document, "")]
    name = "monitoring" if service == "cloudwatch" else service
    headers = {"Authorization": scope(name), "Content-Type": "application/x-www-form-urlencoded"}
    house.check(
        house.send("POST", "/", urlencode(fields, errors="replace").encode(), headers),
        operation,
        document,
    )


@settings(max_examples=250)
@given(seed=SEEDS)
def test_cbor(house: House, seed: int) -> None:
    operation, document = made(house, "cloudwatch", seed)
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    with contextlib.suppress(UnicodeEncodeError):  # CBOR can't spell half a surrogate pair
        body = cbor2.dumps(document)
        house.check(house.send("POST", path, body, {"smithy-protocol": "rpc-v2-cbor"}), document)


BROKEN = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([
        b"{", b"null", b"[]", b'""', b"NaN", b'{"a": NaN}', b"[" * 100_000, b'{"a":' * 100_000,
        b'{"MaxResults": 1e999}', b'{"MaxResults": Infinity}', b'{"NameContains": "\xff"}',
        b'{"CreationTimeAfter": 1e999}', b'{"CreationTimeAfter": NaN}', b"{}\x00",
        b"\xef\xbb\xbf{}",
        b'{"TrainingJobName": "\\ud800"}', b'{"a": ' + b"9" * 5000 + b"}", b"\xbf", b"\x9f" * 5000,
        b"\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00", b"\xc2\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", b"\xd8\x1d\x00", b"\x81" * 5000,
        b"\xa1\x61\x61\xc0\x61\x78", b"Action=", b"Action=GetRole&RoleName=%ff", b"&" * 30_000,
        b"Action=GetRole&Action=GetRole&RoleName=a&RoleName=b", b"=&=&=",
        b"Action=ListRoles&MaxItems=x",
        b"Action=SimulatePrincipalPolicy&ActionNames.member.99999999=a&ActionNames.member.0=b",
    ]),
)  # fmt: skip


@settings(max_examples=300)
@given(body=BROKEN, seed=SEEDS)
@example(body=b'{"TrainingJobName": "one", "MaxResults": 1e400}', seed=0)
def test_bodies_that_are_none(house: House, body: bytes, seed: int) -> None:
    chance = random.Random(seed)
    service = chance.choice(sorted(TARGETS))
    operation = chance.choice(house.operations[service])
    target = {"X-Amz-Target": f"{TARGETS[service]}.{operation}"}
    house.check(house.send("POST", "/", body, target), service, operation, body[:99])
    house.check(house.send("POST", "/", body, {"Authorization": scope("iam")}), body[:99])
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    house.check(house.send("POST", path, body, {"smithy-protocol": "rpc-v2-cbor"}), body[:99])


NAMES = st.one_of(st.sampled_from(TEXTS), st.text(max_size=8)).map(
    lambda text: quote(text.encode("utf-8", "replace"), safe="/.%")
)
FIELDS = ["Content-Type", "Accept", "X-Amzn-SageMaker-Target-Model",
          "X-Amzn-SageMaker-Target-Variant",
          "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id", "X-Amz-Target",
          "X-Amzn-SageMaker-InputLocation", "X-Amzn-SageMaker-RequestTTLSeconds", "Authorization",
          "X-Amzn-SageMaker-InvocationTimeoutSeconds", "X-Amzn-SageMaker-Session-Id", "Expect",
          "X-Amzn-SageMaker-Target-Container-Hostname", "X-Amz-Date", "smithy-protocol", "Origin",
          "X-Amz-Content-Sha256", "X-Amz-Security-Token"]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["", "1", "-1", "x", "text/csv", "../../x", "s3://b/k", "9" * 30, "a" * 2000,
                     "SageMaker.", ".DescribeTrainingJob", "SageMaker.__init__", "AWS4-HMAC-SHA256",
                     "SageMaker.CreateModel.x", "rpc-v2-cbor", "Nothing_1.ListTags", "\xff\xfe",
                     "AWS4-HMAC-SHA256 Credential=/////, SignedHeaders=, Signature=", "null",
                     scope("sagemaker"), scope("iam"), scope("ecr"), scope("nothing"),
                     scope("sts"),
                     "Bearer x", "100-continue"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"),
            max_size=9),
).map(str.strip)  # fmt: skip


@settings(max_examples=400)
@given(
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]),
    name=NAMES,
    rest=st.sampled_from(["/invocations", "/async-invocations", "/invocations-response-stream", "",
                          "/", "/invocations/x", "/invocations?a=b&X-Amz-Credential=%2F%2F"]),
    headers=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    body=st.binary(max_size=20),
)  # fmt: skip
def test_invocations(house: House, method, name, rest, headers, body) -> None:
    found = house.send(method, f"/endpoints/{name}{rest}", body, headers)
    house.check(found, method, name, rest, headers)


@settings(max_examples=300)
@given(
    target=st.one_of(
        st.sampled_from(["/", "//", "/..", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/%00",
                         "/v2/", "/v2/../x", "/_sagedock/health", "/_sagedock/../x", "*",
                         "/?Action=",
                         "/?Action=GetCallerIdentity", "/service/GraniteServiceVersion20100801/",
                         "/service/../operation/ListMetrics", "/endpoints/", "/?" + "a&" * 2000,
                         "/?Action=ListRoles&Version=2010-05-08"]),
        NAMES.map(lambda name: f"/{name}"),
    ),
    headers=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    body=st.binary(max_size=20),
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE", "HEAD"]),
)  # fmt: skip
def test_anything_else(house: House, method, target, headers, body) -> None:
    status, text = house.send(method, target, body, headers)
    house.check((400 if status == 501 else status, text), method, target, headers)  # S3's own


def test_no_number_is_too_odd(house: House) -> None:
    for number in (math.inf, -math.inf, math.nan, 10**400, -0.0):
        for name in ("MaxResults", "CreationTimeAfter"):
            body = json.dumps({name: number}).encode()
            house.check(
                house.send("POST", "/", body, {"X-Amz-Target": "SageMaker.ListModels"}), body
            )


def test_a_processing_job_without_instances_is_refused(house: House) -> None:
    """The model alone would let it pass."""
    document = {
        "ProcessingJobName": "none", "RoleArn": "arn:aws:iam::000000000000:role/R",
        "AppSpecification": {"ImageUri": "i"},
        "ProcessingResources": {"ClusterConfig": {"VolumeSizeInGB": 1}},
    }  # fmt: skip
    headers = {"X-Amz-Target": "SageMaker.CreateProcessingJob"}
    status, body = house.send("POST", "/", encoded(document), headers)
    assert (status, b"clusterConfig.instanceCount" in body) == (400, True)
