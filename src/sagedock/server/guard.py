"""Who may ask: no web page of somebody else's and, beyond this machine, only who has the key.

A browser runs other people's programs next to this server. A page can send requests to loopback
(told by their Origin), and can have its own name point there (told by their Host). Must not know
the services behind it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from sagedock.server import signature
from sagedock.server.http import MalformedError
from sagedock.server.messages import Body, Request, Response, Service, TooLargeError
from sagedock.server.protocols import json_rpc, query
from sagedock.server.proxy import aws_hosts


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A Service in front of another one.

    `addresses` are those that it listens at besides loopback. With `keys` (access key to secret
    key) a request has to be signed by one of them.
    """

    service: Service
    addresses: frozenset[str] = frozenset()
    keys: Mapping[str, str] | None = None

    def __call__(self, request: Request, /) -> Response:
        reason = self._stranger(request)
        if reason:
            return _refused(request, "AccessDenied", reason, 403)
        if self.keys is None:
            return self.service(request)
        try:
            return self.service(self._verified(request, self.keys))
        except signature.SignatureError as error:
            return _refused(request, error.code, error.message, error.status)
        except TooLargeError:
            return _refused(request, "RequestEntityTooLarge", "The body is too large.", 413)

    def _stranger(self, request: Request) -> str | None:
        origin = request.headers.get("Origin")
        if origin is not None and not _is_local(origin):
            return f"Requests of web pages of {origin[:100]} are not taken"
        if request.headers.get("Sec-Fetch-Site", "").lower() == "cross-site":
            return "Requests of other sites' web pages are not taken"
        if not self._is_ours(request.host):
            return f"{request.host[:100] or 'No host'!r} is no name of this server"
        return None

    def _is_ours(self, host: str) -> bool:
        known = (aws_hosts.is_loopback, aws_hosts.is_aws, aws_hosts.is_container_name)
        if any(is_one(host) for is_one in known) or aws_hosts.plain(host) in self.addresses:
            return True
        return self.keys is not None and bool(host)  # a page cannot sign

    def _verified(self, request: Request, keys: Mapping[str, str]) -> Request:
        found = signature.read(request)
        if found is None or found.payload_hash is not None:
            signature.verify(request, keys)
            if found is None or not found.is_body_bound:
                return request
            return replace(request, body=_BoundBody(request.body, found.payload_hash or ""))
        data = request.whole_body()
        signature.verify(request, keys, body=data)
        return replace(request, body=io.BytesIO(data), size=len(data))


class _BoundBody:
    """A body that has to have the hash it was signed with: found out when it ends."""

    def __init__(self, body: Body, expected: str) -> None:
        self._body, self._expected, self._digest = body, expected, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._body.read(size)
        self._digest.update(data)
        ended = size < 0 or len(data) < size or getattr(self._body, "left", 1) == 0
        if ended and self._digest.hexdigest() != self._expected:
            raise MalformedError("the body is not what was signed: XAmzContentSHA256Mismatch")
        return data


def _is_local(origin: str) -> bool:
    try:
        host = urlsplit(origin).hostname
    except ValueError:
        return False
    return host is not None and aws_hosts.is_loopback(host)


def _refused(request: Request, code: str, text: str, status: int) -> Response:
    if "X-Amz-Target" in request.headers or "json" in request.headers.get("Content-Type", ""):
        return json_rpc.error(code, text, status=status)
    return query.error(code, text, status=status)
