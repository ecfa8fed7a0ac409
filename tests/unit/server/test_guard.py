"""Who may ask the local AWS: no page of another site and, with a key, only who signs."""

import hashlib
import io

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sagedock.server.guard import Guard
from sagedock.server.http import MalformedError
from sagedock.server.messages import Headers, Request, Response

KEY, SECRET = "AKIAEXAMPLE", "a secret of some length"


def service(request: Request, /) -> Response:
    return Response(body=b"ok:" + request.whole_body())


def request(host: str = "127.0.0.1", body: bytes = b"", **headers: str) -> Request:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        method="POST", path="/", query="", headers=Headers({"Host": host, **fields}.items()),
        body=io.BytesIO(body), size=len(body), host=host,
    )  # fmt: skip


def status(asked: Request, **options) -> int:
    return Guard(service=service, addresses=frozenset({"172.17.0.1"}), **options)(asked).status


OURS = ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST", "bucket.s3.localhost", "[::1]", "::1",
        "host.docker.internal", "bucket.host.docker.internal", "172.17.0.1", "sts.amazonaws.com",
        "b.s3.us-east-1.amazonaws.com", "sagemaker.cn-north-1.amazonaws.com.cn", "x.api.aws",
        "[::ffff:127.0.0.1]"]  # fmt: skip
STRANGE = ["", "evil.example", "amazonaws.com.evil.example", "evilamazonaws.com", "localhost.evil",
           "172.17.0.2", "10.0.0.1", "0.0.0.0", "127.0.0.1.nip.io", "notlocalhost", "2130706433",
           "%6cocalhost", "127.1"]  # fmt: skip


@pytest.mark.parametrize("host", OURS)
def test_names_of_this_server(host):
    assert status(request(host)) == 200


@pytest.mark.parametrize("host", STRANGE)
def test_a_page_that_has_its_name_point_here_is_refused(host):
    assert status(request(host)) == 403


@pytest.mark.parametrize(
    ("origin", "code"),
    [("http://localhost:3000", 200), ("http://127.0.0.1", 200), ("http://[::1]:8080", 200),
     ("https://evil.example", 403), ("null", 403), ("http://localhost.evil.example", 403),
     ("http://evil.example#localhost", 403), ("http://[::1", 403), ("", 403),
     ("https://console.aws.amazon.com", 403), ("https://x.s3.amazonaws.com", 403)],
)  # fmt: skip
def test_pages_of_other_sites_are_refused(origin, code):
    assert status(request(Origin=origin)) == code


@pytest.mark.parametrize(
    ("site", "code"), [("cross-site", 403), ("same-origin", 200), ("same-site", 200), ("none", 200)]
)
def test_what_pages_load_without_saying_whose_they_are(site, code):
    assert status(request(Sec_Fetch_Site=site)) == code


def test_a_refusal_is_spelled_as_its_reader_reads_it():
    guard = Guard(service=service)
    answer = guard(request("evil", X_Amz_Target="SageMaker.ListModels"))
    assert answer.headers["x-amzn-ErrorType"] == "AccessDenied"
    assert b"<Code>AccessDenied</Code>" in guard(request("evil")).body
    assert b"<script>" not in guard(request("<script>")).body


# with a key

KEYS = {KEY: SECRET}


def signed(kind=SigV4Auth, body: bytes = b"{}", secret: str = SECRET, sent: bytes | None = None):
    made = AWSRequest("POST", "http://box.lan:4566/", {}, body)
    kind(Credentials(KEY, secret), "s3" if kind is S3SigV4Auth else "sagemaker", "x").add_auth(made)
    fields = {name: str(value) for name, value in made.headers.items()}
    sent = body if sent is None else sent
    return Request(
        method="POST", path="/", query="",
        headers=Headers({"Host": "box.lan:4566", **fields}.items()), body=io.BytesIO(sent),
        size=len(sent), host="box.lan",
    )  # fmt: skip


@pytest.mark.parametrize("kind", [SigV4Auth, S3SigV4Auth])
def test_who_signs_is_taken_and_the_body_arrives(kind):
    answer = Guard(service=service, keys=KEYS)(signed(kind))
    assert (answer.status, answer.body) == (200, b"ok:{}")


@pytest.mark.parametrize("kind", [SigV4Auth, S3SigV4Auth])
def test_all_others_are_not(kind):
    assert status(signed(kind, secret="wrong"), keys=KEYS) == 403
    assert status(request(), keys=KEYS) == 403
    assert status(request("localhost", Authorization="AWS4-HMAC-SHA256 x"), keys=KEYS) == 400


def test_a_page_is_refused_though_it_signs():
    asked = signed()
    fields = [*asked.headers.items(), ("Origin", "https://evil.example")]
    assert status(Request(**{**vars(asked), "headers": Headers(fields)}), keys=KEYS) == 403


def test_another_body_than_the_one_that_was_signed():
    assert status(signed(sent=b"{}x"), keys=KEYS) == 403
    with pytest.raises(MalformedError, match="XAmzContentSHA256Mismatch"):
        status(signed(S3SigV4Auth, sent=b"{?"), keys=KEYS)


def test_a_bound_body_is_read_in_parts():
    body = bytes(range(256)) * 5000
    parts = []

    def reading(asked: Request, /) -> Response:
        while part := asked.body.read(7777):
            parts.append(part)
        return Response()

    Guard(service=reading, keys=KEYS)(signed(S3SigV4Auth, body))
    assert hashlib.sha256(b"".join(parts)).digest() == hashlib.sha256(body).digest()


def test_a_body_too_large_to_be_held_is_refused():
    asked = Request(**{**vars(signed()), "size": 40 << 20})
    assert status(asked, keys=KEYS) == 413
