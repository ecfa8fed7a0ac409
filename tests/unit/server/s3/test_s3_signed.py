"""Signatures: our own key's are verified, in header, URL and chunks; other keys' are not."""

import base64
import hashlib
import hmac
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.exceptions import ClientError
from s3_server import KEY, REGION, Answer, Credentials, Server, serving

BUCKET = "bucket"
WRONG = Credentials(secret_key="wrong")
STRANGER = Credentials(access_key="AKIASTRANGER", secret_key="unknown here")
KEYS = ["plain", "a//b", "a b+c%20é~", "x/../y", "(1)*'!@$&,;=:"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        server.send("PUT", f"/{BUCKET}")
        yield server


def answered(server: Server, url: str, method: str = "GET", body: bytes = b"", **headers) -> Answer:
    parts = urlsplit(url)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.send(method, f"{parts.path}?{parts.query}", body, fields)


@pytest.mark.parametrize("key", KEYS)
def test_a_signature_in_the_header(server, key):
    client = server.client()
    client.put_object(Bucket=BUCKET, Key=key, Body=key.encode(), Metadata={"a": "  b   c "})
    assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == key.encode()
    client.list_objects_v2(Bucket=BUCKET, Prefix=key, Delimiter="/ +")


def test_a_wrong_secret(server):
    with pytest.raises(ClientError) as caught:
        server.client(WRONG).list_objects_v2(Bucket=BUCKET)
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def test_other_keys_are_taken_as_they_are(server):
    client = server.client(STRANGER)
    client.put_object(Bucket=BUCKET, Key="by a stranger", Body=b"x")
    assert client.get_object(Bucket=BUCKET, Key="by a stranger")["Body"].read() == b"x"


def test_without_credentials_none_is_verified(tmp_path):
    with serving(tmp_path, None) as server:
        server.client(WRONG).create_bucket(Bucket=BUCKET)
        server.client().put_object(Bucket=BUCKET, Key="a", Body=b"x")


def test_a_clock_that_is_off(server):
    request = AWSRequest("GET", f"{server.url}/{BUCKET}")
    S3SigV4Auth(BotoCredentials(KEY.access_key, KEY.secret_key), "s3", REGION).add_auth(request)
    old = (datetime.now(UTC) - timedelta(minutes=20)).strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = old
    answer = server.send("GET", f"/{BUCKET}", b"", dict(request.headers.items()))
    assert answer.status == 403
    assert answer.code in {"RequestTimeTooSkewed", "SignatureDoesNotMatch"}


def test_a_body_that_is_not_what_was_signed(server):
    answer = server.put(BUCKET, "hash", b"other", x_amz_content_sha256="0" * 64)
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert server.get(BUCKET, "hash").status == 404


# presigned URLs


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls(server, version, key):
    client = server.client(signature_version=version)
    parameters = {"Bucket": BUCKET, "Key": key}
    put = client.generate_presigned_url("put_object", parameters)
    assert answered(server, put, "PUT", b"by url").status == 200
    parameters["ResponseContentType"] = "text/x; é"
    get = client.generate_presigned_url("get_object", parameters)
    answer = answered(server, get)
    assert (answer.status, answer.body) == (200, b"by url")
    assert answer.headers["content-type"].encode("latin-1").decode() == "text/x; é"
    for changed in (f"{get}x", get.replace(BUCKET, "other")):
        assert answered(server, changed).status == 403
    assert answered(server, get, "DELETE").status == 403


def test_a_presigned_url_has_its_time(server):
    server.put(BUCKET, "timed", b"x")
    parameters = {"Bucket": BUCKET, "Key": "timed"}
    kinds = [(key, version) for key in (KEY, STRANGER) for version in ("s3", "s3v4")]
    clients = [server.client(key, signature_version=version) for key, version in kinds]
    short = [
        client.generate_presigned_url("get_object", parameters, ExpiresIn=1) for client in clients
    ]
    long = [
        client.generate_presigned_url("get_object", parameters, ExpiresIn=600) for client in clients
    ]
    time.sleep(2.1)
    for early, late in zip(short, long, strict=True):
        answer = answered(server, early)
        assert (answer.status, answer.code) == (403, "AccessDenied")
        assert b"expired" in answer.body
        assert answered(server, late).status == 200


def test_a_presigned_url_for_a_wrong_host(server):
    request = AWSRequest("GET", f"http://elsewhere/{BUCKET}/timed")
    credentials = BotoCredentials(KEY.access_key, KEY.secret_key)
    S3SigV4QueryAuth(credentials, "s3", REGION).add_auth(request)
    assert answered(server, request.url).code == "SignatureDoesNotMatch"


# chunks


class Chunks:
    """A body in signed chunks, as S3's documentation says it is made."""

    def __init__(self, server: Server, key: str, hashed: str, size: int, **more: str) -> None:
        self.path = f"/{BUCKET}/{key}"
        self.stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{self.stamp[:8]}/{REGION}/s3/aws4_request"
        self.headers = {
            "host": f"127.0.0.1:{server.port}",
            "x-amz-content-sha256": hashed,
            "x-amz-date": self.stamp,
            "x-amz-decoded-content-length": str(size),
            **more,
        }
        names = ";".join(sorted(self.headers))
        fields = "".join(f"{name}:{self.headers[name]}\n" for name in sorted(self.headers))
        canonical = f"PUT\n{self.path}\n\n{fields}\n{names}\n{hashed}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        self.last = self.sign(f"AWS4-HMAC-SHA256\n{self.stamp}\n{self.scope}\n{digest}")
        self.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={KEY.access_key}/{self.scope},"
            f"SignedHeaders={names},Signature={self.last}"
        )
        self.headers["Content-Encoding"] = "aws-chunked"

    def sign(self, text: str) -> str:
        key = f"AWS4{KEY.secret_key}".encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()

    def _next(self, what: str, rest: str) -> str:
        self.last = self.sign(f"{what}\n{self.stamp}\n{self.scope}\n{self.last}\n{rest}")
        return self.last

    def chunk(self, data: bytes) -> bytes:
        empty, digest = (hashlib.sha256(piece).hexdigest() for piece in (b"", data))
        signature = self._next("AWS4-HMAC-SHA256-PAYLOAD", f"{empty}\n{digest}")
        end = b"" if not data else b"\r\n"
        return b"%x;chunk-signature=%b\r\n%b%b" % (len(data), signature.encode(), data, end)

    def trailer(self, line: bytes) -> bytes:
        digest = hashlib.sha256(line + b"\n").hexdigest()
        signature = self._next("AWS4-HMAC-SHA256-TRAILER", digest)
        return b"%b\r\nx-amz-trailer-signature:%b\r\n\r\n" % (line, signature.encode())


PIECES = [b"a" * 70_000, b"b" * 300_000, b"c"]
DATA = b"".join(PIECES)
CRC = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big"))


def test_signed_chunks(server):
    chunks = Chunks(server, "chunks", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", len(DATA))
    body = b"".join(map(chunks.chunk, [*PIECES, b""])) + b"\r\n"
    assert server.send("PUT", chunks.path, body, chunks.headers).status == 200
    found = server.get(BUCKET, "chunks")
    assert (found.body, "content-encoding" in found.headers) == (DATA, False)


@pytest.mark.parametrize("change", [(b"b" * 100, b"x" * 100), (b"signature=", b"signature=0")])
def test_a_chunk_that_is_not_what_was_signed(server, change):
    chunks = Chunks(server, "bad", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", len(DATA))
    body = b"".join(map(chunks.chunk, [*PIECES, b""])) + b"\r\n"
    answer = server.send("PUT", chunks.path, body.replace(*change), chunks.headers)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert server.get(BUCKET, "bad").status == 404


def test_chunks_that_are_not_all_there(server):
    chunks = Chunks(server, "cut", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", len(DATA))
    body = b"".join(map(chunks.chunk, [*PIECES, b""]))
    answer = server.send("PUT", chunks.path, body[:100_000], chunks.headers)
    assert (answer.status, answer.code) == (400, "IncompleteBody")
    assert server.get(BUCKET, "cut").status == 404


@pytest.mark.parametrize(
    ("crc", "signs", "status"), [(CRC, True, 200), (b"AAAAAA==", True, 400), (CRC, False, 403)]
)
def test_a_signed_trailer(server, crc, signs, status):
    hashed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    more = {"x-amz-trailer": "x-amz-checksum-crc32"}
    chunks = Chunks(server, f"trailer{status}", hashed, len(DATA), **more)
    body = b"".join(map(chunks.chunk, [*PIECES, b""]))
    body += chunks.trailer(b"x-amz-checksum-crc32:" + crc)
    if not signs:
        body = body[:-10] + b"0" * 6 + b"\r\n\r\n"
    answer = server.send("PUT", chunks.path, body, chunks.headers)
    assert answer.status == status
    found = server.get(BUCKET, f"trailer{status}", x_amz_checksum_mode="ENABLED")
    if status == 200:
        assert (found.body, found.headers["x-amz-checksum-crc32"]) == (DATA, CRC.decode())
    else:
        assert found.status == 404


def test_an_unsigned_trailer(server):
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "5",
        "x-amz-trailer": "x-amz-checksum-sha256",
        "content-encoding": "gzip,aws-chunked",
    }
    sum_ = base64.b64encode(hashlib.sha256(b"hello").digest())
    body = b"3\r\nhel\r\n2\r\nlo\r\n0\r\nx-amz-checksum-sha256:%b\r\n\r\n" % sum_
    assert server.send("PUT", f"/{BUCKET}/unsigned", body, headers).status == 200
    found = server.get(BUCKET, "unsigned", x_amz_checksum_mode="ENABLED")
    assert found.body == b"hello"
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["x-amz-checksum-sha256"] == sum_.decode()
    missing = server.send("PUT", f"/{BUCKET}/unsigned", b"0\r\n\r\n", headers)
    assert missing.status == 400


# addresses


@pytest.mark.parametrize(
    ("host", "path"),
    [(f"{BUCKET}.s3.amazonaws.com", "/by/host"),
     (f"{BUCKET}.s3.eu-west-1.amazonaws.com", "/by/host"),
     (f"{BUCKET}.s3-eu-west-1.amazonaws.com", "/by/host"), (f"{BUCKET}.localhost:4566", "/by/host"),
     (f"{BUCKET}.s3.localhost", "/by/host"), ("s3.amazonaws.com", f"/{BUCKET}/by/host"),
     ("s3.us-west-2.amazonaws.com", f"/{BUCKET}/by/host"), ("localhost", f"/{BUCKET}/by/host"),
     ("s3.localhost", f"/{BUCKET}/by/host"), ("127.0.0.1", f"/{BUCKET}/by/host"),
     (f"{BUCKET}.s3.dualstack.us-east-1.amazonaws.com", "/by/host"),
     ("host.docker.internal:4566", f"/{BUCKET}/by/host"), ("anything", f"/{BUCKET}/by%2Fhost"),
     (f"{BUCKET}.host.docker.internal", "/by/host"), (f"{BUCKET.upper()}.localhost", "/by/host")],
)  # fmt: skip
def test_a_bucket_in_the_host_or_in_the_path(server, host, path):
    server.put(BUCKET, "by/host", b"found")
    answer = server.send("GET", path, b"", {"Host": host})
    assert (answer.status, answer.body) == (200, b"found")


def test_quoting_in_the_path_is_part_of_no_key(server):
    for name in ("a+b", "a%20b", "a%2Bb"):
        server.send("PUT", f"/{BUCKET}/quoted/{name}", name.encode())
    listed = server.send("GET", f"/{BUCKET}?list-type=2&prefix={quote('quoted/')}").body
    assert b"<KeyCount>2</KeyCount>" in listed
    assert server.get(BUCKET, "quoted/a+b").body == b"a%2Bb"
    assert server.get(BUCKET, "quoted/a b").body == b"a%20b"
