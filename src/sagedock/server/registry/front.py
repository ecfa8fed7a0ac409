"""What `docker login`, `push` and `pull` talk to: ECR's rules in front of a registry.

The registry behind it knows neither tokens, nor which repositories there are, nor tags that may
not move. All of that is looked at here; layers pass through as streams, manifests are kept here
under their tags and in the registry under their digests alone.
"""

from __future__ import annotations

import errno
import http.client
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import parse_qs

from sagedock.errors import SagedockError
from sagedock.server.messages import Body, Request, Response
from sagedock.server.registry import upstream
from sagedock.server.registry.store import DEFAULT_TYPE, MANIFEST_LIMIT, ImageStore
from sagedock.server.registry.tokens import TokenError, Tokens
from sagedock.server.services.rpc import ServiceError

_PATH = re.compile(
    r"/v2/(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)/(?P<what>manifests|blobs|tags)/(?P<rest>\S+)"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_UPLOAD = re.compile(r"uploads/[A-Za-z0-9_=-]*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,299}")
_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_BLOCK = 1 << 18
_SMALL = 1 << 20
"""An answer up to this many bytes goes out in one piece."""

_PASSED = ("Content-Type", "Content-Range", "Range", "Accept", "If-None-Match", "User-Agent")
_GIVEN = (
    "Content-Type", "Content-Range", "Range", "Accept-Ranges", "Location", "ETag", "Cache-Control",
    "Docker-Content-Digest", "Docker-Upload-UUID", "OCI-Chunk-Min-Length",
)  # fmt: skip


class RegistryError(Exception):
    """An error in the registry API's form."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status, self.code = status, code


class RegistryService:
    """The registry API on `images`, for whoever has one of `tokens`. A Service."""

    def __init__(self, images: ImageStore, tokens: Tokens) -> None:
        self._images, self._records, self._tokens = images, images.records, tokens

    def __call__(self, request: Request) -> Response:
        try:
            self._tokens.check(request.headers.get("Authorization"))
            return self._answer(request)
        except TokenError as error:
            return _refused(request, error)
        except RegistryError as error:
            return _error(error.status, error.code, str(error))
        except ServiceError as error:
            status, code = _CODES.get(error.code, (400, "MANIFEST_INVALID"))
            return _error(status, code, error.message)
        except SagedockError as error:
            return _error(400, "UNSUPPORTED", str(error))  # told at once; 503 is tried again

    def _answer(self, request: Request) -> Response:
        if request.path in {"/v2/", "/v2"}:
            return _json(200, {})
        if request.path == "/v2/_catalog":
            return _json(200, {"repositories": list(self._records.all())})
        match = _PATH.fullmatch(request.path)
        if not match:
            raise RegistryError(404, "NOT_FOUND", f"Nothing is at {request.path[:200]}")
        name, what, rest = match.group("name", "what", "rest")
        if what == "manifests" and request.method in {"GET", "HEAD"}:
            upstream.fetch(self._images, name, rest)
        self._records.get(name)
        if what == "tags":
            return self._tags(request, name)
        if what == "manifests":
            return self._manifest(request, name, rest)
        return self._blob(request, name, rest)

    def _tags(self, request: Request, name: str) -> Response:
        asked = dict(request.parameters)
        last, count = asked.get("last", ""), asked.get("n", "")
        tags = [tag for tag in sorted(self._records.tags(name)) if tag > last]
        limit = int(count) if count.isascii() and count.isdigit() and len(count) < 9 else len(tags)
        more = {}
        if limit and limit < len(tags):
            following = f"/v2/{name}/tags/list?last={tags[limit - 1]}&n={limit}"
            more["Link"] = f'<{following}>; rel="next"'
        return _json(200, {"name": name, "tags": tags[:limit]}, more)

    # manifests

    def _manifest(self, request: Request, name: str, reference: str) -> Response:
        is_digest = bool(_DIGEST.fullmatch(reference))
        if not is_digest and not _TAG.fullmatch(reference):
            raise RegistryError(400, "TAG_INVALID", f"{reference[:200]!r} is no tag or digest")
        if request.method in {"GET", "HEAD"}:
            return self._get_manifest(name, reference, is_digest)
        if request.method != "PUT":
            raise RegistryError(405, "UNSUPPORTED", "The operation is unsupported")
        body = request.body.read(MANIFEST_LIMIT + 1)
        if len(body) > MANIFEST_LIMIT:
            raise RegistryError(413, "MANIFEST_INVALID", "The manifest is too large")
        kind = request.headers.get("Content-Type", DEFAULT_TYPE)
        digest, tag = (reference, None) if is_digest else (None, reference)
        found = self._images.put(name, body, kind, tag=tag, digest=digest)
        place = f"/v2/{name}/manifests/{found}"
        return Response(
            status=201, headers={**_VERSION, "Location": place, "Docker-Content-Digest": found}
        )

    def _get_manifest(self, name: str, reference: str, is_digest: bool) -> Response:
        digest = reference if is_digest else self._records.digest(name, reference)
        image = self._records.image(name, digest) if digest else None
        if image is None or digest is None:
            raise RegistryError(404, "MANIFEST_UNKNOWN", "Requested image not found")
        return Response(
            headers={
                **_VERSION, "Content-Type": image["type"], "Docker-Content-Digest": digest,
                "ETag": f'"{digest}"',
            },
            body=image["manifest"].encode(),
        )  # fmt: skip

    # layers

    def _blob(self, request: Request, name: str, rest: str) -> Response:
        uploads = bool(_UPLOAD.fullmatch(rest))
        if not uploads and not _DIGEST.fullmatch(rest):
            raise RegistryError(400, "DIGEST_INVALID", f"{rest[:200]!r} is no digest")
        if request.method == "DELETE" and not uploads:
            raise RegistryError(405, "UNSUPPORTED", "The operation is unsupported")
        source = parse_qs(request.query).get("from")
        if uploads and source:
            self._records.get(source[0])
        return _passed_on(request, self._images.program.address)


_CODES = {
    "RepositoryNotFoundException": (404, "NAME_UNKNOWN"),
    "ImageTagAlreadyExistsException": (400, "TAG_INVALID"),
    "ImageDigestDoesNotMatchException": (400, "DIGEST_INVALID"),
    "LayersNotFoundException": (404, "MANIFEST_BLOB_UNKNOWN"),
    "UnableToGetUpstreamImageException": (404, "MANIFEST_UNKNOWN"),
}


def _passed_on(request: Request, address: tuple[str, int]) -> Response:
    """The registry's own answer; neither body is ever whole in memory."""
    connection = http.client.HTTPConnection(*address, timeout=300, blocksize=_BLOCK)
    try:
        answer = _asked(connection, request)
        headers = {**_VERSION, **{n: v for n in _GIVEN if (v := answer.getheader(n)) is not None}}
        length = answer.getheader("Content-Length")
        if request.method == "HEAD" and length is not None:
            headers["Content-Length"] = length
        if request.method == "HEAD" or ((answer.length or 0) <= _SMALL and length is not None):
            whole = answer.read()
            connection.close()
            _tell_full_disk(answer.status, whole)
            body: bytes | Iterator[bytes] = whole
        else:
            body = _blocks(connection, answer)
    except BaseException as error:
        connection.close()
        if isinstance(error, ConnectionError):
            raise
        if isinstance(error, OSError | http.client.HTTPException):
            words = f"The registry does not answer: {error}"
            raise RegistryError(503, "UNAVAILABLE", words) from error
        raise  # the client's body broke off, say
    return Response(
        status=answer.status, headers=headers, body=body, bodyless=request.method == "HEAD"
    )


def _tell_full_disk(status: int, body: bytes) -> None:
    """An engine tries again for a minute where the registry has a fault of its own; a full disk is
    told at once, by a code that no engine tries again after."""
    words = (b"no space left on device", b'"Err":%d' % errno.ENOSPC)  # as text, or as Go has it
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR and any(word in body for word in words):
        raise RegistryError(
            400,
            "UNSUPPORTED",
            "The disk of the registry on this machine is full: no space left on device",
        )


class _Incoming:
    """A request's body; remembers that it broke off: nobody else is to blame then."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.broken: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._body.read(size)
        except Exception as error:
            self.broken = error
            raise


def _asked(connection: http.client.HTTPConnection, request: Request) -> http.client.HTTPResponse:
    headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
    if request.size is None:
        headers["Transfer-Encoding"] = "chunked"
    elif request.size:
        headers["Content-Length"] = str(request.size)
    path = f"{request.path}?{request.query}" if request.query else request.path
    incoming = _Incoming(request.body)
    body = cast("Any", incoming) if request.size != 0 else b""
    try:
        connection.request(
            request.method, path, body=body, headers=headers, encode_chunked=request.size is None
        )
    except (BrokenPipeError, ConnectionResetError):
        if incoming.broken:
            raise
        # The registry has answered before it had all of the body, and will hear no more.
    return connection.getresponse()


def _blocks(
    connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
) -> Iterator[bytes]:
    try:
        while block := answer.read(_BLOCK):
            yield block
    finally:
        connection.close()


def _refused(request: Request, error: TokenError) -> Response:
    realm = f"{request.scheme}://{request.headers.get('Host', request.host)}/"
    ask = {"WWW-Authenticate": f'Basic realm="{realm}",service="ecr.amazonaws.com"'}
    if error.expired:
        return _error(403, "DENIED", str(error))
    return _error(401, "UNAUTHORIZED", str(error), ask)


def _error(status: int, code: str, text: str, more: Mapping[str, str] | None = None) -> Response:
    return _json(status, {"errors": [{"code": code, "message": text}]}, more)


def _json(status: int, document: Any, more: Mapping[str, str] | None = None) -> Response:
    headers = {**_VERSION, "Content-Type": "application/json", **(more or {})}
    return Response(status=status, headers=headers, body=json.dumps(document).encode())
