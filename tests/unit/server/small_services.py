"""What tests of the small services share: one service behind a real socket, and requests of every
kind thrown at it."""

import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import cbor2
from botocore.config import Config
from hypothesis import strategies as st

from sagedock import requests
from sagedock.local.settings import LocalSettings
from sagedock.server.http import Listener
from sagedock.server.messages import Headers, Request

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"


def settings(folder) -> LocalSettings:
    return LocalSettings(data=folder, region=REGION, account=ACCOUNT)


@contextmanager
def listening(service) -> Iterator[str]:
    """The address at which `service` answers."""
    listener = Listener(("127.0.0.1", 0), service)
    thread = listener.start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def client(name: str, address: str, **more):
    """boto3's client of a service."""
    return boto3.client(
        name,
        endpoint_url=address,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0, "mode": "standard"}, proxies={}),
        **more,
    )


@contextmanager
def served(name: str, service):
    """boto3's client of `service`."""
    with listening(service) as address:
        made = client(name, address)
        try:
            yield made
        finally:
            made.close()
            getattr(service, "close", bool)()


# anything that may come

_TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["a", "/aws/sagemaker/TrainingJobs", "..", "../../etc", "/", "f/1", "b/0/s", "x" * 600, "1"]
    ),
)
_SCALARS = {
    "integer": st.one_of(st.integers(-3, 12), st.integers(-(1 << 70), 1 << 70)),
    "long": st.one_of(st.integers(-3, 12), st.integers(-(1 << 70), 1 << 70)),
    "float": st.floats(),
    "double": st.floats(),
    "boolean": st.booleans(),
    "timestamp": st.one_of(st.floats(-1e10, 1e10), st.integers(-(1 << 70), 1 << 70), st.floats()),
    "blob": st.sampled_from(["", "e30=", "?"]),
}


def values(shape, depth: int = 0) -> st.SearchStrategy:
    """Values of about the form that `shape` wants."""
    match shape.type_name:
        case "structure" if depth < 5:
            wanted = set(shape.required_members)
            members = {name: values(one, depth + 1) for name, one in shape.members.items()}
            return st.fixed_dictionaries(
                {name: one for name, one in members.items() if name in wanted},
                optional={name: one for name, one in members.items() if name not in wanted},
            )
        case "list" if depth < 5:
            return st.lists(values(shape.member, depth + 1), max_size=3)
        case "map" if depth < 5:
            return st.dictionaries(_TEXTS, values(shape.value, depth + 1), max_size=2)
        case "string" if shape.metadata.get("enum"):
            return st.one_of(st.sampled_from(shape.metadata["enum"]), _TEXTS)
    return _SCALARS.get(shape.type_name, _TEXTS)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def documents(service: str, operations) -> st.SearchStrategy:
    """Pairs of an operation's name and a document for it, mostly of the right form."""
    model = requests.service_model(service)

    def of(name: str) -> st.SearchStrategy:
        shape = model.operation_model(name).input_shape if name in model.operation_names else None
        fit = values(shape) if shape else st.just({})
        broken = st.dictionaries(st.sampled_from([*(shape.members if shape else ()), "x"]), _ANY)
        return st.tuples(st.just(name), st.one_of(fit, fit, broken, _ANY))

    return st.sampled_from([*operations, "Nothing"]).flatmap(of)


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int = -1, /) -> bytes:
        found = self._data if size < 0 else self._data[:size]
        self._data = self._data[len(found) :]
        return found


def request(method="POST", path="/", query="", body=b"", **headers) -> Request:
    """A request as the Listener would hand it on; `_` in names of fields are `-`."""
    fields = Headers((name.replace("_", "-"), value) for name, value in headers.items())
    return Request(
        method=method, path=path, query=query, headers=fields, host="127.0.0.1",
        body=_Body(body) if body else io.BytesIO(), size=len(body),
    )  # fmt: skip


def json_request(target: str, operation: str, document) -> Request:
    return request(body=json.dumps(document).encode(), X_Amz_Target=f"{target}.{operation}")


def cbor_request(operation: str, document) -> Request:
    path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
    body = cbor2.dumps(document)
    return request(path=path, body=body, smithy_protocol="rpc-v2-cbor")


def query_request(operation: str, document) -> Request:
    from urllib.parse import urlencode

    fields = {"Action": operation, "Version": "2010-05-08", **_flat(document, "")}
    return request(body=urlencode(fields, errors="surrogatepass").encode())


def _flat(value, prefix: str) -> dict[str, str]:
    if isinstance(value, dict):
        parts = [_flat(item, f"{prefix}.{key}".lstrip(".")) for key, item in value.items()]
    elif isinstance(value, list):
        parts = [_flat(item, f"{prefix}.member.{at}") for at, item in enumerate(value, 1)]
    else:
        return {prefix: str(value)}
    return {key: text for part in parts for key, text in part.items()}


def free_socket() -> socket.socket:
    """A socket that nobody listens at, bound so that nobody will."""
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    return found
