"""S3's old signatures in the query, as boto3 makes presigned URLs by default. Pure.

HMAC-SHA1 over the verb, three fields, the x-amz- fields and the resource (S3's REST
authentication, version 2).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from sagedock.server.messages import Request

_RESOURCES = frozenset((
    "accelerate", "acl", "cors", "defaultObjectAcl", "delete", "lifecycle", "location", "logging",
    "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore",
    "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
    "versions", "website",
))  # fmt: skip
"""Names in the query that are part of the resource."""

_VIRTUAL = re.compile(
    r"(?P<bucket>.+)\.(?:s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?|s3\.localhost|localhost"
    r"|host\.docker\.internal)"
)


class RefusedError(Exception):
    """A signature that is not valid, by the service's word for why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_signed(query: str) -> bool:
    """Whether the query holds such a signature."""
    return "AWSAccessKeyId=" in query and "Signature=" in query


def verify(request: Request, keys: Mapping[str, str], now: float) -> str:
    """The access key that has signed `request`. `now` is in seconds since the epoch. Raises
    RefusedError."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    expires = query.get("Expires", "")
    if not (expires.isascii() and expires.isdigit()):
        raise RefusedError("AccessDenied", "Query-string authentication needs Expires")
    if now > int(expires[:15]):
        raise RefusedError("AccessDenied", "Request has expired")
    secret = keys.get(query["AWSAccessKeyId"])
    if secret is None:
        raise RefusedError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )
    given = query["Signature"].encode()
    for resource in _resources(request):
        text = _head(request, query, expires) + resource
        made = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1"))
        if hmac.compare_digest(made, given):
            return query["AWSAccessKeyId"]
    raise RefusedError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    )


def _head(request: Request, query: Mapping[str, str], expires: str) -> str:
    lines = [request.method]
    for name in ("Content-MD5", "Content-Type"):
        lines.append(request.headers.get(name) or query.get(name, ""))
    lines.append(expires)
    fields = {name: " ".join(value.split()) for name, value in request.headers.items()}
    fields |= {name.lower(): value for name, value in query.items()}
    lines += [f"{name}:{fields[name]}" for name in sorted(fields) if name.startswith("x-amz-")]
    return "\n".join(lines) + "\n"


def _resources(request: Request) -> Iterator[str]:
    """With the bucket that the host names, and without: a bucket may be called localhost."""
    parts = [part for part in request.query.split("&") if part.partition("=")[0] in _RESOURCES]
    decoded = (parse_qsl(part, keep_blank_values=True)[0] for part in sorted(parts))
    marks = "&".join(f"{name}={value}" if value else name for name, value in decoded)
    tail = request.path + (f"?{marks}" if marks else "")
    yield tail
    virtual = _VIRTUAL.fullmatch(request.host)
    if virtual:
        yield f"/{virtual['bucket']}{tail}"
