"""Uploads by an HTML form: the policy is kept to, and its signature is verified."""

import base64
import json
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s3_server import KEY, Answer, Credentials, Server, serving

BUCKET = "bucket"
EDGE = "----edge"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        server.send("PUT", f"/{BUCKET}")
        yield server


def form(fields: Mapping[str, str], data: bytes, filename: str = "my file.txt") -> bytes:
    head = "".join(
        f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    head += "Content-Type: text/x\r\n\r\n"
    return head.encode() + data + f"\r\n--{EDGE}--\r\n".encode()


def send(server: Server, fields: Mapping[str, str], data: bytes = b"data") -> Answer:
    headers = {"Content-Type": f"multipart/form-data; boundary={EDGE}"}
    return server.send("POST", f"/{BUCKET}", form(fields, data), headers)


def signed(server: Server, key: str, version: str = "s3v4", by: Credentials = KEY, **more):
    client = server.client(by, signature_version=version)
    return client.generate_presigned_post(BUCKET, key, **more)["fields"]


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_form_as_boto3_makes_it(server, version):
    fields = signed(server, "form/${filename}", version)
    data = b"a" * 300_000 + b"\r\n--" + EDGE[:-1].encode() + b"\r\n"
    answer = send(server, fields, data)
    assert answer.status == 204
    found = server.get(BUCKET, "form/my file.txt")
    assert (found.body, found.headers["content-type"]) == (data, "text/x")
    assert found.headers["etag"] == answer.headers["etag"]


def test_what_the_policy_allows(server):
    more = {
        "Fields": {"x-amz-meta-a": "1", "success_action_status": "201", "Content-Type": "a/b"},
        "Conditions": [["starts-with", "$x-amz-meta-a", ""], {"success_action_status": "201"},
                       ["eq", "$Content-Type", "a/b"], ["content-length-range", 2, 5]],
    }  # fmt: skip
    fields = signed(server, "allowed", **more)
    answer = send(server, fields)
    assert answer.status == 201
    assert b"<Key>allowed</Key>" in answer.body
    found = server.get(BUCKET, "allowed")
    assert (found.headers["x-amz-meta-a"], found.headers["content-type"]) == ("1", "a/b")
    assert send(server, fields, b"too long").code == "EntityTooLarge"
    assert send(server, fields, b"x").code == "EntityTooSmall"
    assert send(server, {**fields, "Content-Type": "c/d"}).code == "AccessDenied"
    assert send(server, {**fields, "key": "other"}).code == "AccessDenied"
    assert send(server, {**fields, "x-amz-meta-b": "2"}).code == "AccessDenied"
    assert server.get(BUCKET, "allowed").body == b"data"
    assert server.get(BUCKET, "other").status == 404


def test_a_policy_that_is_not_signed_or_too_old(server):
    fields = signed(server, "signed")
    assert send(server, {**fields, "x-amz-signature": "0" * 64}).code == "SignatureDoesNotMatch"
    assert send(server, signed(server, "late", ExpiresIn=-5)).code == "AccessDenied"
    stranger = signed(server, "signed", by=Credentials(access_key="AKIAOTHER", secret_key="x"))
    assert send(server, stranger).status == 204
    odd = json.dumps({"expiration": "2100-01-01T00:00:00Z", "conditions": [["x"]]}).encode()
    for policy in ("!", *(base64.b64encode(text).decode() for text in (b"[", b"{}", odd))):
        assert send(server, {"key": "a", "policy": policy}).code == "InvalidPolicyDocument"


def test_without_a_policy(server):
    tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"
    fields = {"key": "free", "success_action_redirect": "http://there/x?y=1", "tagging": tags}
    answer = send(server, fields)
    assert answer.status == 303
    assert answer.headers["location"].startswith(f"http://there/x?y=1&bucket={BUCKET}&key=free")
    assert b"<Value>b c</Value>" in server.send("GET", f"/{BUCKET}/free?tagging").body
    assert send(server, {}).code == "InvalidArgument"


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "multipart/form-data; x=y"])
def test_a_body_that_is_no_form(server, kind):
    answer = server.send("POST", f"/{BUCKET}", b"data", {"Content-Type": kind})
    assert (answer.status, answer.code) == (412, "PreconditionFailed")


@given(cut=st.integers(0, 400), noise=st.binary(max_size=8), at=st.integers(0, 400))
def test_broken_forms_have_an_answer(server, cut, noise, at):
    whole = form({"key": "broken", "policy": "e30="}, b"x" * 50)
    body = (whole[:at] + noise + whole[at:])[:cut]
    headers = {"Content-Type": f"multipart/form-data; boundary={EDGE}"}
    answer = server.send("POST", f"/{BUCKET}", body, headers)
    assert answer.status < 500
    assert answer.status < 300 or answer.code
