"""AWS's request signatures: who signed a request, and whether it is what they signed. Pure.

Signature version 4 in header and query (SigV4, "AWS4-HMAC-SHA256"), the signatures of its chunks,
and S3's version 2 in the query, which boto3 still makes for presigned URLs. Must not know what a
service does with a request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_to_bytes

from sagedock.server import signature_v2
from sagedock.server.messages import Headers, Request

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-"
"""What a payload's hash begins with where chunks, or trailers, carry what belongs to them."""

EMPTY_HASH = hashlib.sha256(b"").hexdigest()
SKEW = timedelta(minutes=15)
"""How far a client's clock may be off."""

_LONGEST = 604800
_STAMP = "%Y%m%dT%H%M%SZ"
_FIELD = re.compile(r"\s*(Credential|SignedHeaders|Signature)=([^,]*)\s*")


class SignatureError(Exception):
    """A request that may not be taken: the service's word for it, its text and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What a request says of its signature. `expires` is the seconds that a presigned URL is good
    for, None for a signature in the header; `payload_hash` None where the request names none."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str
    stamp: str
    expires: int | None = None
    payload_hash: str | None = None

    @property
    def scope(self) -> str:
        """Date, region and service as they are signed."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @property
    def is_body_bound(self) -> bool:
        """Whether `payload_hash` is the hash of the body's own bytes."""
        return re.fullmatch(r"[0-9a-f]{64}", self.payload_hash or "") is not None


def read(request: Request) -> Signature | None:
    """The signature that `request` carries; None for none. Raises SignatureError for one that
    can't be read."""
    query = dict(_pairs(request.query))
    if query.get("X-Amz-Algorithm") == ALGORITHM:
        return _from_query(query, request.headers)
    text = request.headers.get("Authorization", "")
    return _from_header(text, request.headers) if text.startswith(ALGORITHM) else None


def verify(
    request: Request,
    keys: Mapping[str, str],
    *,
    now: datetime | None = None,
    body: bytes | None = None,
) -> Signature | None:
    """Check that a key of `keys` (access key to secret key) has signed `request`.

    `body` is needed where the request does not name its payload's hash, as only S3's do. A hash
    that it does name is taken as signed: comparing it with the body's bytes is the reader's part
    (`Signature.is_body_bound`). None for version 2. Raises SignatureError.
    """
    moment = now or datetime.now(UTC)
    if signature_v2.is_signed(request.query):
        try:
            signature_v2.verify(request, keys, moment.timestamp())
        except signature_v2.RefusedError as error:
            raise SignatureError(error.code, str(error)) from None
        return None
    found = read(request)
    if found is None:
        raise SignatureError("MissingAuthenticationToken", "Missing Authentication Token")
    _check_time(found, moment)
    if found.access_key not in keys:
        raise SignatureError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )
    key = signing_key(keys[found.access_key], found)
    payload = found.payload_hash or hashlib.sha256(body or b"").hexdigest()
    for canonical in _canonical_requests(request, found, payload):
        if _same(_sign(key, _to_sign(found, canonical)), found.value):
            return found
    raise SignatureError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
    )


def signing_key(secret: str, found: Signature) -> bytes:
    """The key that signs for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (found.date, found.region, found.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class ChunkVerifier:
    """Checks the chunks of STREAMING-AWS4-HMAC-SHA256-PAYLOAD, each signed with the one before."""

    def __init__(self, secret: str, found: Signature) -> None:
        self._key, self._found, self._last = signing_key(secret, found), found, found.value

    def chunk(self, digest: str, signature: str) -> None:
        """`digest` is the SHA-256 of the chunk's data in hex. Raises SignatureError."""
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{EMPTY_HASH}\n{digest}", signature)

    def trailer(self, text: bytes, signature: str) -> None:
        """`text` is the trailing fields, each as `name:value\\n`. Raises SignatureError."""
        digest = hashlib.sha256(text).hexdigest()
        self._check("AWS4-HMAC-SHA256-TRAILER", digest, signature)

    def _check(self, what: str, rest: str, signature: str) -> None:
        text = f"{what}\n{self._found.stamp}\n{self._found.scope}\n{self._last}\n{rest}"
        self._last = _sign(self._key, text)
        if not _same(self._last, signature):
            raise SignatureError(
                "SignatureDoesNotMatch", "The signature of a chunk does not match."
            )


# reading


def _from_header(text: str, headers: Headers) -> Signature:
    found = map(_FIELD.fullmatch, text[len(ALGORITHM) :].split(","))
    parts = {match[1]: match[2].strip() for match in found if match}
    if len(parts) != 3:
        raise _malformed("Authorization needs Credential, SignedHeaders and Signature")
    return _signature(
        credential=parts["Credential"],
        signed=parts["SignedHeaders"],
        value=parts["Signature"],
        stamp=headers.get("X-Amz-Date", ""),
        payload_hash=headers.get("X-Amz-Content-SHA256"),
    )


def _from_query(query: Mapping[str, str], headers: Headers) -> Signature:
    missing = [name for name in ("Credential", "SignedHeaders", "Signature", "Date", "Expires")
               if f"X-Amz-{name}" not in query]  # fmt: skip
    if missing:
        raise _malformed(f"X-Amz-{missing[0]} is missing", "AuthorizationQueryParametersError")
    expires = query["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit() and int(expires[:9]) <= _LONGEST):
        raise _malformed(
            "X-Amz-Expires must be a number of seconds, at most a week",
            "AuthorizationQueryParametersError",
        )
    named = query.get("X-Amz-Content-Sha256") or headers.get("X-Amz-Content-SHA256")
    in_s3 = "/s3/" in query["X-Amz-Credential"]
    return _signature(
        credential=query["X-Amz-Credential"],
        signed=query["X-Amz-SignedHeaders"],
        value=query["X-Amz-Signature"],
        stamp=query["X-Amz-Date"],
        payload_hash=named or (UNSIGNED if in_s3 else None),
        expires=int(expires),
    )


def _signature(*, credential: str, signed: str, stamp: str, value: str,
               payload_hash: str | None, expires: int | None = None) -> Signature:  # fmt: skip
    words = credential.split("/")
    if len(words) < 5 or words[-1] != "aws4_request":
        raise _malformed(f"the credential {credential[:100]!r} is none")
    *key, date, region, service, _ = words
    _time(stamp)
    if not stamp.startswith(date):
        raise _malformed("the credential's date is not the request's")
    return Signature(
        access_key="/".join(key), date=date, region=region, service=service,
        signed_headers=tuple(signed.lower().split(";")), value=value, stamp=stamp,
        expires=expires, payload_hash=payload_hash,
    )  # fmt: skip


def _malformed(text: str, code: str = "AuthorizationHeaderMalformed") -> SignatureError:
    return SignatureError(code, f"The signature is malformed: {text}.", 400)


def _time(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise _malformed(f"the date {stamp[:40]!r} is none") from None


def _check_time(found: Signature, now: datetime) -> None:
    signed = _time(found.stamp)
    if found.expires is not None and now > signed + timedelta(seconds=found.expires):
        raise SignatureError("AccessDenied", "Request has expired")
    ahead = signed - now > SKEW
    if ahead or (found.expires is None and now - signed > SKEW):
        raise SignatureError(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )


# the canonical request


def _canonical_requests(request: Request, found: Signature, payload: str) -> Iterator[str]:
    if "host" not in found.signed_headers:
        raise _malformed("Host has to be signed")
    headers = "".join(f"{name}:{_value(request, name)}\n" for name in found.signed_headers)
    tail = f"{_query(request.query)}\n{headers}\n{';'.join(found.signed_headers)}\n{payload}"
    for path in dict.fromkeys(_paths(request.path)):
        yield f"{request.method}\n{path}\n{tail}"


def _paths(path: str) -> Iterator[str]:
    """S3 signs a path as it is sent, other services encode it once more; clients that send what
    they need not escape have signed it escaped."""
    again = quote(unquote_to_bytes(path), safe="/-_.~")
    yield from (path or "/", again or "/", quote(path, safe="/-_.~"), quote(again, safe="/-_.~"))


def _value(request: Request, name: str) -> str:
    return " ".join(request.headers.get(name, "").split())


def _query(query: str) -> str:
    pairs = [(quote(name, safe="-_.~"), quote(value, safe="-_.~"))
             for name, value in _pairs(query) if name != "X-Amz-Signature"]  # fmt: skip
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            yield _text(name), _text(value)


def _text(part: str) -> str:
    return unquote_to_bytes(part).decode("utf-8", "surrogateescape")


def _to_sign(found: Signature, canonical: str) -> str:
    data = canonical.encode("utf-8", "surrogateescape")
    return f"{ALGORITHM}\n{found.stamp}\n{found.scope}\n{hashlib.sha256(data).hexdigest()}"


def _sign(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def _same(made: str, given: str) -> bool:
    return hmac.compare_digest(made.encode(), given.encode("utf-8", "surrogateescape"))
