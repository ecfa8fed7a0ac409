"""S3 as one Service: from a request to an operation, from an operation or an error to a response.

Objects are those of the store that jobs use; a bucket in memory or a copy of one is nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from sagedock.errors import OutputError, StoreError
from sagedock.server import signature, signature_v2
from sagedock.server.messages import Request, Response
from sagedock.server.s3 import routes, xml
from sagedock.server.s3.address import address
from sagedock.server.s3.call import Call, Key, Shelf
from sagedock.server.s3.errors import NotModifiedError, S3Error
from sagedock.server.signature import ChunkVerifier, Signature, SignatureError
from sagedock.store.buckets import Buckets
from sagedock.store.catalog import Catalog
from sagedock.store.disk import DiskStore
from sagedock.store.uploads import Uploads

_ACCOUNT = "000000000000"


class S3Service:
    """S3 on `store`. `close` it before the store.

    Signatures by `credentials` are verified; those by other keys are taken as they are, and with
    None all are: there is one account, and this machine is whose it is. What a presigned URL says
    of its time counts for all of them.
    """

    def __init__(
        self,
        store: DiskStore,
        *,
        region: str,
        credentials: Key | None,
        account: str = _ACCOUNT,
    ) -> None:
        catalog = Catalog(store)
        uploads = Uploads(catalog)
        self._credentials = credentials
        self._shelf = Shelf(
            store=store,
            catalog=catalog,
            uploads=uploads,
            buckets=Buckets(store, uploads),
            region=region,
            account=account,
            key=credentials,
        )

    def __call__(self, request: Request) -> Response:
        marks = {"x-amz-request-id": uuid4().hex[:16].upper(), "x-amz-id-2": uuid4().hex}
        try:
            response = self._answer(request)
        except NotModifiedError as error:
            response = Response(status=304, headers=error.headers, bodyless=True)
        except (S3Error, SignatureError, OutputError, StoreError) as error:
            response = _refusal(request, _as_s3(error), marks)
        headers = {**response.headers, **marks, "Server": "AmazonS3"}
        return replace(response, headers={name: _latin(value) for name, value in headers.items()})

    def _answer(self, request: Request) -> Response:
        bucket, key = address(request)
        verifier = self._authenticated(request)
        call = Call(request, bucket, key, _query(request), verifier)
        handler = routes.handler(call)
        self._shelf.check_owner(call.header("x-amz-expected-bucket-owner"))
        is_new = handler is routes.BUCKET["PUT", ""]
        if bucket and not is_new and not self._shelf.store.has_bucket(bucket):
            raise S3Error("NoSuchBucket", details={"BucketName": bucket})
        return handler(self._shelf, call)

    # signatures

    def _authenticated(self, request: Request) -> ChunkVerifier | None:
        """Verify what can be. The verifier of signed chunks, None where they are taken as they
        are."""
        if signature_v2.is_signed(request.query):
            self._check_old(request)
            return None
        found = signature.read(request)
        if found is None:
            self._check_unread(request)
            return None
        _check_expiry(found)
        key = self._credentials
        if key is None or key.access_key != found.access_key:
            return None
        signature.verify(request, {key.access_key: key.secret_key})
        return ChunkVerifier(key.secret_key, found)

    def _check_old(self, request: Request) -> None:
        key, query = self._credentials, _query(request)
        if key and query["AWSAccessKeyId"] == key.access_key:
            signature.verify(request, {key.access_key: key.secret_key})
            return
        expires = query.get("Expires", "")
        if not (expires.isascii() and expires.isdigit()) or time.time() > int(expires[:15]):
            raise S3Error("AccessDenied", "Request has expired")

    def _check_unread(self, request: Request) -> None:
        """A signature of a kind that can't be verified is none by our own key."""
        text, key = request.headers.get("Authorization", ""), self._credentials
        if key and text.startswith(f"AWS {key.access_key}:"):
            raise S3Error(
                "InvalidRequest",
                "The authorization mechanism you have provided is not supported. "
                "Please use AWS4-HMAC-SHA256.",
            )

    def close(self) -> None:
        """Let go of the data folder; the store stays open."""
        self._shelf.catalog.close()


def _check_expiry(found: Signature) -> None:
    if found.expires is None:
        return
    signed = datetime.strptime(found.stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    if time.time() > signed + found.expires:
        raise S3Error("AccessDenied", "Request has expired")


def _query(request: Request) -> dict[str, str]:
    try:
        pairs = request.parameters
    except ValueError:
        raise S3Error("InvalidURI") from None
    return dict(reversed(pairs))


def _as_s3(error: S3Error | SignatureError | OutputError | StoreError) -> S3Error:
    if isinstance(error, S3Error):
        return error
    if isinstance(error, SignatureError):
        return S3Error(error.code, error.message, status=error.status)
    if isinstance(error, OutputError):
        if error.message.startswith("Disk full"):
            return S3Error("InsufficientStorage", f"{error.message} {error.hint}")
        return S3Error("InvalidRequest", f"{error.message} {error.hint}")
    if "is not known on this machine" in error.message:  # it has gone while the call was made
        return S3Error("NoSuchBucket")
    return S3Error("InvalidRequest", f"{error.message} {error.hint}".strip())


def _refusal(request: Request, error: S3Error, marks: Mapping[str, str]) -> Response:
    details = {name: xml.readable(text) for name, text in error.details.items()}
    pairs: list[xml.Pair] = [
        ("Code", error.code), ("Message", xml.readable(error.message)), *details.items(),
        ("Resource", request.path), ("RequestId", marks["x-amz-request-id"]),
        ("HostId", marks["x-amz-id-2"]),
    ]  # fmt: skip
    return Response(
        status=error.status,
        headers={"Content-Type": "application/xml", **error.headers},
        body=b"" if request.method == "HEAD" else xml.document("Error", pairs, plain=True),
        bodyless=request.method == "HEAD",
    )


def _latin(value: str) -> str:
    """Header fields are bytes: those of UTF-8 for text that has more than Latin-1 has."""
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("latin-1")
    return value
