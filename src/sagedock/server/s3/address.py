"""Which bucket and key a request is about, by its host and path. Pure."""

from __future__ import annotations

import re

from sagedock.server.messages import Request
from sagedock.server.s3.errors import S3Error
from sagedock.store.uri import KEY_LIMIT

_AMAZON = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)
_HERE = re.compile(
    r"(?P<bucket>.+?)(?:\.s3(?:[.-][a-z0-9-]+)?)?\.(?:localhost|host\.docker\.internal)"
)
_NO_BUCKET = re.compile(r"s3(?:[.-][a-z0-9-]+)?")


def address(request: Request) -> tuple[str, str]:
    """Bucket and key, '' for none: virtual-host style where the host names a bucket, path style
    elsewhere. Raises InvalidURI, KeyTooLongError."""
    try:
        path = request.key_path
    except UnicodeDecodeError:
        raise S3Error("InvalidURI") from None
    bucket, rest = _by_host(request.host.lower()), path.removeprefix("/")
    if not bucket:
        bucket, _, rest = rest.partition("/")
    size = len(rest.encode())
    if size > KEY_LIMIT:
        details = {"Size": str(size), "MaxSizeAllowed": str(KEY_LIMIT)}
        raise S3Error("KeyTooLongError", details=details)
    return bucket, rest


def _by_host(host: str) -> str:
    match = _AMAZON.fullmatch(host)
    if match:
        return match["bucket"] or ""
    match = _HERE.fullmatch(host)
    name = match["bucket"] if match else ""
    return "" if _NO_BUCKET.fullmatch(name) else name
