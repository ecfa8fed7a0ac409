"""Pull-through: an image that the registry does not have comes from the one behind a rule, when it
is first asked for, and again a day later at the earliest.

Upstream registries are asked without a login: there is no Secrets Manager here.
"""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from sagedock.errors import ResourceNotFoundError, SagedockError
from sagedock.images import manifests
from sagedock.images.manifests import Manifest
from sagedock.images.registry_api import RegistryApi
from sagedock.server.registry.program import RegistryProgram
from sagedock.server.services.rpc import ServiceError

if TYPE_CHECKING:
    from sagedock.server.registry.store import ImageStore

_DAY = 86400.0
_ROOT = "ROOT"
_LOCK = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a repository comes from: `host` and `repository` there; `url` as the rule has it."""

    host: str
    repository: str
    url: str

    @property
    def api(self) -> RegistryApi:
        """The registry there. One on loopback may speak plain HTTP."""
        name = self.host.rpartition(":")[0] or self.host
        return RegistryApi(self.host, plain=name in {"localhost", "127.0.0.1"})


def source_of(images: ImageStore, name: str) -> Source | None:
    """Where a repository of that name comes from, None where no rule serves it."""
    rules = images.records.documents.list("through")
    fitting = [prefix for prefix in rules if prefix == _ROOT or name.startswith(f"{prefix}/")]
    if not fitting:
        return None
    prefix = max(fitting, key=lambda one: (one != _ROOT, len(one)))
    rest = name if prefix == _ROOT else name[len(prefix) + 1 :]
    above = rules[prefix].get("upstream_prefix", _ROOT)
    url = rules[prefix]["upstream"]
    return Source(
        host=host_of(url), repository=rest if above == _ROOT else f"{above}/{rest}", url=url
    )


def host_of(url: str) -> str:
    """HOST[:PORT] of an upstream's address, with or without a scheme."""
    return urlsplit(url if "//" in url else f"//{url}").netloc


def fetch(images: ImageStore, name: str, reference: str) -> None:
    """Have the image that a tag or digest names, if a rule serves the repository. What can't be
    had and is not there already is a ServiceError."""
    source = source_of(images, name)
    if source is None:
        return
    with _LOCK:
        if not _is_due(images, name, reference):
            return
        try:
            _fetch(images, name, reference, source)
        except SagedockError as error:
            if _has(images, name, reference):
                return  # what was cached goes on being served, as by ECR
            raise _failed(name, reference, source, error) from error


def _is_due(images: ImageStore, name: str, reference: str) -> bool:
    if not _has(images, name, reference):
        return True
    known = images.records.documents.get("checked", f"{name}:{reference}")
    return not reference.startswith("sha256:") and time.time() - (known or {}).get("at", 0) > _DAY


def _has(images: ImageStore, name: str, reference: str) -> bool:
    if images.records.find(name) is None:
        return False
    is_digest = reference.startswith("sha256:")
    digest = reference if is_digest else images.records.digest(name, reference)
    return digest is not None and images.records.image(name, digest) is not None


def _failed(name: str, reference: str, source: Source, error: SagedockError) -> ServiceError:
    where = f"{source.host}/{source.repository}:{reference}"
    if isinstance(error, ResourceNotFoundError):
        return ServiceError(
            "RepositoryNotFoundException", f"The upstream registry has no {where}: {error.message}"
        )
    return ServiceError(
        "UnableToGetUpstreamImageException",
        f"The image {name}:{reference} can't be had from {where}: {error.message}",
    )


def _fetch(images: ImageStore, name: str, reference: str, source: Source) -> None:
    found = source.api.manifest(source.repository, reference)
    if found is None:
        raise ResourceNotFoundError("no such image")
    if images.records.find(name) is None:
        images.records.create(name, {
            "mutability": "MUTABLE", "exclusions": [], "scan": False,
            "encryption": {"encryptionType": "AES256"}, "tags": {},
        })  # fmt: skip
    tag = None if reference.startswith("sha256:") else reference
    _take(images, name, source, found, tag)
    images.records.documents.put("checked", f"{name}:{reference}", {"at": time.time()})


def _take(
    images: ImageStore, name: str, source: Source, manifest: Manifest, tag: str | None
) -> None:
    """Have a manifest, and first all that it names: of an index every platform's."""
    api, document = source.api, manifest.document
    if manifests.is_index(manifest):
        for item in document["manifests"]:
            part = api.manifest(source.repository, item["digest"])
            if part is None:
                raise ResourceNotFoundError(f"the index lists {item['digest']}, which is not there")
            _take(images, name, source, part, None)
    for blob in (document.get("config"), *document.get("layers", ())):
        if blob:
            _copy(api, source.repository, images.program, name, blob["digest"])
    images.put(name, manifest.text.encode(), manifest.media_type, tag=tag)


def _copy(
    api: RegistryApi, repository: str, program: RegistryProgram, name: str, digest: str
) -> None:
    connection = http.client.HTTPConnection(*program.address, timeout=300)
    try:
        connection.request("HEAD", f"/v2/{name}/blobs/{digest}")
        answer = connection.getresponse()
        answer.read()
        if answer.status == http.HTTPStatus.OK:
            return
        with api.blob(repository, digest) as (stream, size):
            _upload(connection, name, digest, stream, size)
    finally:
        connection.close()


def _upload(
    connection: http.client.HTTPConnection, name: str, digest: str, stream: IO[bytes], size: int
) -> None:
    connection.request("POST", f"/v2/{name}/blobs/uploads/", headers={"Content-Length": "0"})
    answer = connection.getresponse()
    answer.read()
    place = urlsplit(answer.headers["Location"])
    query = f"{place.query}&digest={digest}" if place.query else f"digest={digest}"
    connection.request(
        "PUT", f"{place.path}?{query}", body=stream,
        headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
    )  # fmt: skip
    answer = connection.getresponse()
    words = answer.read()
    if answer.status != http.HTTPStatus.CREATED:
        text = words[:200].decode("utf-8", "replace")
        raise ServiceError("InvalidParameterException", f"The layer {digest} is broken: {text}")
