"""Signatures made by botocore itself, and what is left of them when somebody changes a request."""

import hashlib
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from sagedock.server import signature
from sagedock.server.messages import Headers, Request
from sagedock.server.signature import ChunkVerifier, SignatureError, read, verify

KEY, SECRET = "AKIAEXAMPLE", "secret/with+signs"
KEYS = {KEY: SECRET}
HOST = "127.0.0.1:4566"


def as_sent(made: AWSRequest, body: bytes = b"") -> Request:
    """What our server reads of a request that botocore has prepared."""
    prepared = made.prepare()
    parts = urlsplit(prepared.url)
    fields = {name: str(value) for name, value in prepared.headers.items()}
    return Request(
        method=prepared.method,
        path=parts.path,
        query=parts.query,
        headers=Headers({"Host": parts.netloc, **fields}.items()),
        body=io.BytesIO(body),
        size=len(body),
        host=parts.hostname or "",
    )


def signed(auth=S3SigV4Auth, *, service="s3", method="PUT", path="/b/k", body=b"data", **extra):
    headers = extra.pop("headers", {})
    made = AWSRequest(method, f"http://{HOST}{path}", headers, body)
    auth(Credentials(KEY, SECRET), service, "us-east-1", **extra).add_auth(made)
    return as_sent(made, body)


def changed(request: Request, **members) -> Request:
    return Request(**{**vars(request), **members})


def with_header(request: Request, name: str, value: str) -> Request:
    return changed(request, headers=Headers([*request.headers.items(), (name, value)]))


def without(request: Request, name: str) -> Request:
    kept = [item for item in request.headers.items() if item[0] != name.lower()]
    return changed(request, headers=Headers(kept))


def refusal(request: Request, **options) -> tuple[str, int]:
    with pytest.raises(SignatureError) as caught:
        verify(request, KEYS, **options)
    return caught.value.code, caught.value.status


ODD = ["/b/k", "/", "/b/a%20b%2Fc", "/b/%C3%BC~*'()", "/b//double//", "/b/./..", "/b/a+b=c&d"]


@pytest.mark.parametrize("path", ODD)
def test_s3s_signature_in_the_header(path):
    found = verify(signed(path=path), KEYS)
    assert found is not None
    assert (found.access_key, found.service, found.region) == (KEY, "s3", "us-east-1")
    assert found.scope.endswith("/us-east-1/s3/aws4_request")


@pytest.mark.parametrize("query", ["?list-type=2&prefix=a%2Fb", "?uploads", "?a=%20%2B&a=2&A=3"])
def test_a_query_is_signed_too(query):
    request = signed(path=f"/b{query}", method="GET", body=b"")
    verify(request, KEYS)
    assert refusal(changed(request, query=request.query + "&x=1"))[0] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("path", ["/", "/endpoints/my%20end/invocations", "/service/X/operation/Y"])
def test_another_services_signature_is_made_with_the_body(path):
    body = b'{"TrainingJobName": "x"}'
    request = signed(SigV4Auth, service="sagemaker", method="POST", path=path, body=body)
    found = verify(request, KEYS, body=body)
    assert found is not None
    assert found.payload_hash is None
    assert refusal(request, body=body + b" ") == ("SignatureDoesNotMatch", 403)


def test_presigned_by_version_4():
    request = signed(S3SigV4QueryAuth, method="GET", path="/b/k%20k", body=b"", expires=60)
    found = verify(request, KEYS)
    assert found is not None
    assert (found.expires, found.payload_hash) == (60, signature.UNSIGNED)
    later = datetime.now(UTC) + timedelta(seconds=62)
    assert refusal(request, now=later) == ("AccessDenied", 403)
    assert refusal(changed(request, path="/b/other"))[0] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("version", ["s3v4", "s3-query"])
@pytest.mark.parametrize("operation", ["get_object", "put_object", "list_parts"])
def test_presigned_by_the_client(style, version, operation):
    config = Config(signature_version=version, s3={"addressing_style": style})
    client = botocore.session.Session().create_client(
        "s3", "us-east-1", endpoint_url="http://localhost:4566", config=config,
        aws_access_key_id=KEY, aws_secret_access_key=SECRET,
    )  # fmt: skip
    parameters = {"Bucket": "buck", "Key": "a key/ü+"}
    if operation == "get_object":
        parameters |= {"ResponseContentType": "text/x y", "VersionId": "null"}
    if operation == "list_parts":
        parameters |= {"UploadId": "abc"}
    url = client.generate_presigned_url(operation, parameters, ExpiresIn=100)
    parts = urlsplit(url)
    request = Request(
        method={"put_object": "PUT"}.get(operation, "GET"), path=parts.path, query=parts.query,
        headers=Headers([("Host", parts.netloc)]), body=io.BytesIO(), size=0,
        host=parts.hostname or "",
    )  # fmt: skip
    verify(request, KEYS)
    assert refusal(changed(request, path=parts.path + "x"))[0] == "SignatureDoesNotMatch"
    later = datetime.now(UTC) + timedelta(seconds=102)
    assert refusal(request, now=later) == ("AccessDenied", 403)
    with pytest.raises(SignatureError) as caught:
        verify(request, {"AKIAOTHER": SECRET})
    assert caught.value.code == "InvalidAccessKeyId"


def test_an_old_presigned_url_needs_a_time():
    request = changed(signed(), query=f"AWSAccessKeyId={KEY}&Signature=x&Expires=soon")
    assert refusal(request) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("name", "bound"),
    [("UNSIGNED-PAYLOAD", False), ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", False),
     ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", False), (hashlib.sha256(b"x").hexdigest(), True)],
)  # fmt: skip
def test_a_payloads_hash_is_taken_as_it_is_signed(name, bound):
    class Named(S3SigV4Auth):
        def payload(self, request):
            return name

    found = verify(signed(Named), KEYS)
    assert found is not None
    assert (found.payload_hash, found.is_body_bound) == (name, bound)


def test_what_else_may_not_be_changed():
    request = signed(headers={"x-amz-meta-a": "1"})
    assert refusal(changed(request, method="DELETE"))[0] == "SignatureDoesNotMatch"
    assert refusal(with_header(request, "x-amz-meta-a", "2"))[0] == "SignatureDoesNotMatch"
    assert refusal(with_header(request, "Host", "evil"))[0] == "SignatureDoesNotMatch"
    verify(with_header(request, "User-Agent", "of a proxy"), KEYS)  # not signed: free


def test_the_wrong_key_or_none():
    assert refusal(without(signed(), "Authorization")) == ("MissingAuthenticationToken", 403)
    with pytest.raises(SignatureError) as caught:
        verify(signed(), {"AKIAOTHER": SECRET})
    assert caught.value.code == "InvalidAccessKeyId"
    with pytest.raises(SignatureError) as caught:
        verify(signed(), {KEY: "another"})
    assert caught.value.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize("minutes", [-16, 16])
def test_clocks_may_be_off_by_a_quarter_of_an_hour(minutes):
    verify(signed(), KEYS, now=datetime.now(UTC) + timedelta(minutes=minutes // 2))
    now = datetime.now(UTC) + timedelta(minutes=minutes)
    assert refusal(signed(), now=now) == ("RequestTimeTooSkewed", 403)


@pytest.mark.parametrize(
    "text",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/20261124/r/s/aws4_requests, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/19990101/r/s/aws4_request, SignedHeaders=host, Signature=0",
    ],
)
def test_malformed_headers_are_refused(text):
    request = with_header(without(signed(), "Authorization"), "Authorization", text)
    assert refusal(request) == ("AuthorizationHeaderMalformed", 400)


@given(st.text(max_size=80), st.text(max_size=120))
def test_whatever_is_sent_is_refused_and_never_a_fault(authorization, query):
    base = without(signed(), "Authorization")
    for prefix in ("", "AWS4-HMAC-SHA256 "):
        request = changed(with_header(base, "Authorization", prefix + authorization), query=query)
        with pytest.raises(SignatureError):
            verify(request, KEYS)
    good = signed().headers["Authorization"].rpartition("=")[0]
    with pytest.raises(SignatureError):
        verify(with_header(base, "Authorization", f"{good}={authorization}"), KEYS)
    with pytest.raises(SignatureError):
        verify(changed(base, query=f"X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}"), KEYS)
    with pytest.raises(SignatureError):
        verify(changed(base, query=f"AWSAccessKeyId={KEY}&Signature={query}"), KEYS)


def test_signed_chunks_follow_one_another():
    """The example of S3's guide, "Signature calculations: transferring payload in chunks"."""
    example = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    seed = signature.Signature(
        access_key="AKIAIOSFODNN7EXAMPLE", date="20130524", region="us-east-1", service="s3",
        signed_headers=("host",), stamp="20130524T000000Z",
        value="4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    )  # fmt: skip
    signatures = (
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    )
    verifier = ChunkVerifier(example, seed)
    for data, value in zip((b"a" * 65536, b"a" * 1024, b""), signatures, strict=True):
        verifier.chunk(hashlib.sha256(data).hexdigest(), value)
    with pytest.raises(SignatureError):
        verifier.trailer(b"x-amz-checksum-crc32c:sOO8/Q==\n", "0" * 64)


def test_a_request_without_a_signature_reads_as_none():
    assert read(without(signed(), "Authorization")) is None
