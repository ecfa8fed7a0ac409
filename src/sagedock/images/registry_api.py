"""The HTTP API that registries have in common (distribution's version 2): manifests, and logging in
by password or bearer token.

Layers are the engine's business. Must not know ECR, nor where a login comes from.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sagedock.errors import EngineError, ResourceNotFoundError, SagedockError
from sagedock.images.manifests import ACCEPTED, Manifest

if TYPE_CHECKING:
    from sagedock.engine.logins import Login

_CERTIFICATES = Path("/etc/docker/certs.d")
_TIMEOUT = 60.0
_LIMIT = 8 << 20
"""Bytes of an answer at most: manifests are small."""

_PARAMETER = re.compile(r'([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"')
_REFUSED = (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN)


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    headers: Message
    body: bytes


class RegistryApi:
    """The registry at `host`. `plain`: it may be asked over HTTP where it speaks no TLS, as the
    engine does with hosts that it trusts, and no certificate is checked. Raises EngineError,
    ResourceNotFoundError with the registry's own words."""

    def __init__(self, host: str, login: Login | None = None, *, plain: bool) -> None:
        self._host, self._plain = host, plain
        self._login = login
        self._scheme = "https"
        self._authorization: dict[str, str] = {}
        secure = urllib.request.HTTPSHandler(context=_context(host, plain=plain))
        self._opener = urllib.request.build_opener(_Redirects, secure)

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """The manifest that a tag or digest names, None where there is none."""
        what = f"{self._host}/{repository}:{reference}"
        found = self._ask("GET", repository, reference, {"Accept": ", ".join(ACCEPTED)})
        if found.status == http.HTTPStatus.NOT_FOUND:
            return None
        if found.status != http.HTTPStatus.OK:
            raise _failure(f"{what} can't be read back", found)
        digest = f"sha256:{hashlib.sha256(found.body).hexdigest()}"
        told = found.headers.get("Docker-Content-Digest", digest)
        if told.startswith("sha256:") and told != digest:
            raise EngineError(f"{what}: the registry calls {told} what is {digest}.")
        return Manifest(text=found.body.decode(), digest=digest)

    def put(self, repository: str, reference: str, text: str, media_type: str) -> Manifest:
        """Put a manifest of blobs that are there already."""
        headers = {"Content-Type": media_type}
        found = self._ask("PUT", repository, reference, headers, text.encode())
        if found.status not in {http.HTTPStatus.CREATED, http.HTTPStatus.OK}:
            raise _failure(f"{self._host}/{repository}:{reference} can't be put", found)
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        return Manifest(text=text, digest=digest)

    @contextlib.contextmanager
    def blob(self, repository: str, digest: str) -> Iterator[tuple[IO[bytes], int]]:
        """A layer or configuration as a stream, and its size in bytes."""
        path = f"/v2/{repository}/blobs/{digest}"
        answer = self._stream(path)
        if answer.status == http.HTTPStatus.UNAUTHORIZED:
            with answer:
                refused = _answer(answer)
            self._authorization = self._log_in(refused, f"repository:{repository}:pull")
            answer = self._stream(path)
        with answer:
            if answer.status != http.HTTPStatus.OK:
                raise _failure(f"{self._host}/{repository}@{digest}", _answer(answer))
            yield answer, int(answer.headers["Content-Length"])

    def _stream(self, path: str) -> Any:
        try:
            return self._asked(f"{self._scheme}://{self._host}{path}", "GET", {}, None)
        except (OSError, http.client.HTTPException) as error:
            if self._scheme == "https" and self._plain:
                self._scheme = "http"
                return self._stream(path)
            raise EngineError(
                f"The registry {self._host} does not answer: {_reason(error)}."
            ) from error

    # one request, logged in as the registry wants it

    def _ask(
        self,
        method: str,
        repository: str,
        reference: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> _Answer:
        path = f"/v2/{repository}/manifests/{reference}"
        found = self._send(method, path, headers, body)
        if found.status != http.HTTPStatus.UNAUTHORIZED:
            return found
        action = "pull" if method == "GET" else "pull,push"
        self._authorization = self._log_in(found, f"repository:{repository}:{action}")
        found = self._send(method, path, headers, body)
        if found.status in _REFUSED:
            raise EngineError(
                f"{self._host} refuses this login for {repository}: {_words(found)}",
                hint=f"Log in as somebody who may: docker login {self._host}",
            )
        return found

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> _Answer:
        try:
            return self._open(f"{self._scheme}://{self._host}{path}", method, headers, body)
        except (OSError, http.client.HTTPException) as error:
            if self._scheme == "https" and self._plain:
                self._scheme = "http"
                return self._send(method, path, headers, body)
            raise EngineError(
                f"The registry {self._host} does not answer: {_reason(error)}.",
                hint="Certificates: SSL_CERT_FILE names a bundle; plain HTTP only where the engine "
                "has the registry among its insecure ones.",
            ) from error

    def _open(
        self, url: str, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> _Answer:
        with self._asked(url, method, headers, body) as answer:
            return _answer(answer)

    def _asked(self, url: str, method: str, headers: Mapping[str, str], body: bytes | None) -> Any:
        """The answer, whatever its status, still to be read."""
        request = urllib.request.Request(url, data=body, method=method)
        for name, value in {**headers, **self._authorization}.items():
            request.add_unredirected_header(name, value)
        try:
            return self._opener.open(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            return error

    def _log_in(self, refused: _Answer, scope: str) -> dict[str, str]:
        """What to say of oneself, by what the registry asks for."""
        asked = refused.headers.get("WWW-Authenticate", "")
        scheme, _, rest = asked.partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        if scheme.lower() == "bearer" and "realm" in parameters:
            return {"Authorization": f"Bearer {self._token(parameters, scope)}"}
        if scheme.lower() == "basic" and self._login:
            return _basic(self._login)
        raise EngineError(
            f"{self._host} wants a login: {_words(refused)}", hint=f"docker login {self._host}"
        )

    def _token(self, asked: Mapping[str, str], scope: str) -> str:
        """A token of the server that the registry names, for `scope`."""
        realm, service = asked["realm"], asked.get("service", "")
        if not realm.startswith("https://") and not self._plain:
            raise EngineError(
                f"{self._host} sends logins to {realm}, which is not encrypted.",
                hint="Name it among the engine's insecure registries if that is meant.",
            )
        try:
            found = self._fetch_token(realm, service, scope)
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"{realm} does not answer: {_reason(error)}.") from error
        if found.status != http.HTTPStatus.OK:
            raise EngineError(
                f"{realm} gives no token for {scope}: {_words(found)}",
                hint=f"docker login {self._host}",
            )
        try:
            document = json.loads(found.body)
            return str(document.get("token") or document["access_token"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(f"{realm} answers with no token.") from error

    def _fetch_token(self, realm: str, service: str, scope: str) -> _Answer:
        self._authorization = {}
        if self._login and self._login.token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": self._login.token,
                "client_id": "sagedock",
                "service": service,
                "scope": scope,
            }
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            return self._open(realm, "POST", kind, urllib.parse.urlencode(form).encode())
        query = urllib.parse.urlencode({"service": service, "scope": scope})
        mark = "&" if "?" in realm else "?"
        headers = _basic(self._login) if self._login else {}
        return self._open(f"{realm}{mark}{query}", "GET", headers, None)


def _context(host: str, *, plain: bool) -> ssl.SSLContext:
    """Certificates as the engine takes them: any of a host that it trusts, else those that this
    machine knows, and those that lie where Docker looks for a registry's own."""
    if plain:
        return ssl._create_unverified_context()
    context = ssl.create_default_context()
    for path in sorted((_CERTIFICATES / host).glob("*.crt")):
        context.load_verify_locations(path)
    return context


def _answer(answer: Any) -> _Answer:
    return _Answer(status=answer.status or 0, headers=answer.headers, body=answer.read(_LIMIT))


def _basic(login: Login) -> dict[str, str]:
    pair = f"{login.username}:{login.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to where a manifest lies. What is added unredirected, a login above all, stays."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        accept = req.unredirected_hdrs.get("Accept")
        if made and accept:
            made.add_unredirected_header("Accept", accept)
        return made


def _failure(what: str, answer: _Answer) -> SagedockError:
    text = f"{what}: {_words(answer)}"
    return ResourceNotFoundError(text) if "NAME_UNKNOWN" in text else EngineError(text)


def _words(answer: _Answer) -> str:
    """The registry's own code and words."""
    try:
        fault = json.loads(answer.body)["errors"][0]
        return f"{fault['code']}: {fault.get('message') or ''} {fault.get('detail') or ''}".strip()
    except (ValueError, KeyError, IndexError, TypeError):
        text = answer.body[:200].decode("utf-8", "replace").strip()
        return f"HTTP status {answer.status} {text}".strip()


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)
