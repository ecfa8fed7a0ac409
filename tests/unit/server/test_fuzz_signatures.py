"""A server beyond this machine: whatever a request claims about its signature, it is refused, and
what is behind is not asked."""

import http.client
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sagedock.server.guard import Guard
from sagedock.server.http import Listener
from sagedock.server.messages import Request, Response

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TARGET = {"X-Amz-Target": "SageMaker.ListModels", "Content-Type": "application/x-amz-json-1.1"}


class Behind:
    """Remembers that it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: Request) -> Response:
        request.whole_body()
        self.asked += 1
        return Response(body=b"secret")


@pytest.fixture(scope="module")
def behind() -> Behind:
    return Behind()


@pytest.fixture(scope="module")
def port(behind: Behind) -> Iterator[int]:
    listener = Listener(("127.0.0.1", 0), Guard(service=behind, keys={KEY: SECRET}))
    listener.start()
    yield listener.server_port
    listener.shutdown()
    listener.server_close()


def sent(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def signed(port: int, body: bytes) -> dict[str, str]:
    request = AWSRequest("POST", f"http://127.0.0.1:{port}/", data=body, headers=TARGET)
    SigV4Auth(Credentials(KEY, SECRET), "sagemaker", "us-east-1").add_auth(request)
    return dict(request.headers)


TODAY = datetime.now(UTC).strftime("%Y%m%d")
SCOPES = st.one_of(
    st.sampled_from([f"{KEY}/{TODAY}/us-east-1/sagemaker/aws4_request", f"{KEY}/20260101/x/s3/y",
                     KEY, "", "/", "/////", f"{KEY}/{TODAY}//sagemaker/aws4_request",
                     f"NOBODY/{TODAY}/us-east-1/s3/aws4_request"]),
    st.text("/A0 \xff", max_size=20),
)  # fmt: skip
MOMENTS = st.sampled_from([f"{TODAY}T000000Z", "", "x", "99999999T999999Z", "20260101", "\xb2" * 8,
                           "00000000T000000Z", datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
                           ])  # fmt: skip
SIGNED = st.sampled_from(["host", "", ";", "host;x-amz-date", "nothing", "HOST", "host;host"])
SIGNATURES = st.one_of(
    st.sampled_from(["0" * 64, "", "g" * 64, "\xff"]), st.text("0f", max_size=64)
)
ALGORITHMS = st.sampled_from(["AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "AWS", "Basic", ""])
HASHES = st.sampled_from(["", "UNSIGNED-PAYLOAD", "0" * 64, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                          "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x"])  # fmt: skip


@settings(max_examples=400)
@given(algorithm=ALGORITHMS, scope=SCOPES, fields=SIGNED, signature=SIGNATURES, moment=MOMENTS,
       hashed=HASHES, in_query=st.booleans(), expires=st.sampled_from(["60", "x", "9" * 5000]),
       target=st.booleans())  # fmt: skip
@example(algorithm="AWS", scope=f"{KEY}:", fields="", signature="", moment="", hashed="",
         in_query=False, expires="", target=False)  # fmt: skip
def test_no_claim_is_believed(port, behind, algorithm, scope, fields, signature, moment, hashed,
                              in_query, expires, target):  # fmt: skip
    headers = {**(TARGET if target else {}), "X-Amz-Content-Sha256": hashed}
    path = "/bucket/key"
    if in_query:
        values = {"Algorithm": algorithm, "Credential": scope, "SignedHeaders": fields,
                  "Signature": signature, "Date": moment, "Expires": expires}  # fmt: skip
        path += "?" + "&".join(f"X-Amz-{name}={quote(text)}" for name, text in values.items())
    else:
        headers["X-Amz-Date"] = moment
        claim = f"{algorithm} Credential={scope}, SignedHeaders={fields}, Signature={signature}"
        headers["Authorization"] = claim.strip()
    assert 400 <= sent(port, "PUT", path, b"{}", headers) < 500
    assert behind.asked == 0


def plain(text: str) -> list[str]:
    """Without what means nothing: the case of fields' names, what parts the claim's parts."""
    return [part for part in re.split("[ ,]+", text.lower()) if part]


@settings(max_examples=200)
@given(name=st.sampled_from(["Authorization", "X-Amz-Date", "X-Amz-Target", "body"]),
       at=st.integers(0, 300), to=st.sampled_from("0aZ/=,; "))  # fmt: skip
def test_one_character_changed_is_refused(port, behind, name, at, to):
    body = b'{"NameContains": "x"}'
    headers = signed(port, body)
    text = body.decode() if name == "body" else headers[name]
    at %= len(text)
    changed = text[:at] + to + text[at + 1 :]
    if plain(changed) == plain(text):
        return
    if name == "body":
        body = changed.encode()
    else:
        headers[name] = changed
    asked = behind.asked
    status = sent(port, "POST", "/", body, headers)
    assert 400 <= status < 500, (name, changed)
    assert behind.asked == asked


def test_what_is_signed_is_answered(port, behind):
    asked = behind.asked
    assert sent(port, "POST", "/", b"{}", signed(port, b"{}")) == 200
    assert behind.asked == asked + 1
