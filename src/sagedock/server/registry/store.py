"""Images in the registry: manifests go in here, from `docker push` and from ECR's API alike."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import time
from collections.abc import Mapping
from typing import Any

from sagedock.server.registry.program import RegistryProgram
from sagedock.server.services.ecr_lifecycle import Image, expired, read
from sagedock.server.services.ecr_records import EcrRecords, immutable, is_immutable
from sagedock.server.services.rpc import ServiceError

MANIFEST_LIMIT = 4 << 20
"""Bytes of a manifest at most."""

DEFAULT_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


class ImageStore:
    """The images of `records`, their bytes in `program`."""

    def __init__(self, records: EcrRecords, program: RegistryProgram) -> None:
        self.records, self.program = records, program

    def put(
        self, name: str, body: bytes, media_type: str, *, tag: str | None, digest: str | None = None
    ) -> str:
        """Take a manifest in; its digest. Raises ServiceError where the repository is missing, the
        tag may not move, the digest is another, or the manifest or what it names is not there."""
        settings, found = self.records.get(name), digest_of(body)
        if digest is not None and digest != found:
            text = f"The image's digest is '{found}', not '{digest}'"
            raise ServiceError("ImageDigestDoesNotMatchException", text)
        if tag is not None and self._is_fixed(name, tag, found, settings):
            raise immutable(name, tag)
        manifest = _document(body)
        self._send(name, found, body, media_type)
        more = {"type": media_type, "manifest": body.decode(), "size": size_of(manifest)}
        self.records.add_image(name, found, tag, more | _artifact(manifest))
        self.expire(name)
        return found

    def expire(self, name: str) -> None:
        """Let go of what the repository's lifecycle policy, if it has one, lets go."""
        policy = self.records.get(name).get("lifecycle")
        if policy is None:
            return
        tags = self.records.tags(name)
        images = [
            Image(
                digest=digest,
                pushed=known["pushed"],
                tags=tuple(tag for tag, named in tags.items() if named == digest),
            )
            for digest, known in self.records.images(name).items()
        ]
        for digest in expired(read(policy), images, time.time()):
            self.remove(name, digest)

    def _is_fixed(self, name: str, tag: str, digest: str, settings: Mapping[str, Any]) -> bool:
        known = self.records.digest(name, tag)
        return known not in {None, digest} and is_immutable(dict(settings), tag)

    def _send(self, name: str, digest: str, body: bytes, media_type: str) -> None:
        status, text = self._ask("PUT", name, digest, body, {"Content-Type": media_type})
        if status == http.HTTPStatus.CREATED:
            return
        code, reason = _reason(text)
        if code in {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"}:
            raise ServiceError("LayersNotFoundException", f"Layers are missing: {reason}")
        raise ServiceError(
            "InvalidParameterException", f"Invalid parameter at 'ImageManifest': {reason}"
        )

    def remove(self, name: str, digest: str) -> None:
        """Forget an image. Its layers go when the registry is started next."""
        self.records.remove_image(name, digest)
        with contextlib.suppress(OSError):
            self._ask("DELETE", name, digest)
        self.program.has_garbage()

    def _ask(
        self, method: str, name: str, digest: str, body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:  # fmt: skip
        connection = http.client.HTTPConnection(*self.program.address, timeout=60)
        try:
            connection.request(
                method, f"/v2/{name}/manifests/{digest}", body=body, headers=dict(headers or {})
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def digest_of(body: bytes) -> str:
    """A manifest's digest."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def size_of(manifest: Mapping[str, Any]) -> int:
    """Bytes of an image's configuration and layers, as they are kept."""
    layers = manifest.get("layers")
    parts = [manifest.get("config"), *(layers if isinstance(layers, list) else ())]
    sizes = [part.get("size") for part in parts if isinstance(part, dict)]
    return sum(size for size in sizes if isinstance(size, int))


def _artifact(manifest: Mapping[str, Any]) -> dict[str, str]:
    config = manifest.get("config")
    kind = config.get("mediaType") if isinstance(config, dict) else None
    return {"artifact": kind} if isinstance(kind, str) else {}


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body.decode())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ServiceError(
            "InvalidParameterException",
            "Invalid parameter at 'ImageManifest' failed to satisfy constraint: "
            "'Invalid JSON syntax'",
        )
    return found


def _reason(text: bytes) -> tuple[str, str]:
    """The registry's own code and words."""
    try:
        fault = json.loads(text)["errors"][0]
        return str(fault["code"]), f"{fault['message']} {fault.get('detail', '')}".strip()[:500]
    except (ValueError, KeyError, IndexError, TypeError):
        return "", text[:200].decode("utf-8", "replace")
