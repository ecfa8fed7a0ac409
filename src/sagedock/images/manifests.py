"""Manifests of images as registries keep them: which kind SageMaker takes. Pure.

Source: A1.11 (Docker's manifest, version 2, schema 2; no OCI manifest, no index).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sagedock.errors import BuildError

DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ACCEPTED = (DOCKER, OCI, *INDEXES)

_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYERS = {
    "application/vnd.oci.image.layer.v1.tar+gzip": (
        "application/vnd.docker.image.rootfs.diff.tar.gzip"
    ),
    "application/vnd.oci.image.layer.v1.tar": "application/vnd.docker.image.rootfs.diff.tar",
}
_ATTESTATION = "vnd.docker.reference.type"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest: its text byte for byte (the digest is of these bytes), and its digest."""

    text: str
    digest: str

    @property
    def document(self) -> dict[str, Any]:
        """What the text says."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def media_type(self) -> str:
        """Its kind; an OCI manifest may leave it out."""
        document = self.document
        fallback = INDEXES[0] if "manifests" in document else OCI
        return str(document.get("mediaType", fallback))

    @property
    def config_digest(self) -> str | None:
        """The digest of the image's configuration; None for an index."""
        config = self.document.get("config")
        return config["digest"] if config else None


def is_index(manifest: Manifest) -> bool:
    """Whether it lists manifests of several platforms instead of layers."""
    return manifest.media_type in INDEXES


def of_platform(index: Manifest, architecture: str) -> str:
    """The digest of an index's manifest for linux on `architecture`. Raises BuildError where it
    has none. What describes how an image was built is no image."""
    found = [
        item["digest"]
        for item in index.document["manifests"]
        if item.get("platform", {}).get("architecture") == architecture
        and _ATTESTATION not in item.get("annotations", {})
    ]
    if not found:
        raise BuildError(
            f"The image index holds none for linux/{architecture}.",
            hint=f"Build for it: docker build --platform linux/{architecture} …",
        )
    return str(found[0])


def as_docker(manifest: Manifest) -> str:
    """The text of an OCI manifest as Docker's, of the same blobs: only their names differ. Raises
    BuildError for layers that Docker's manifest has no name for (zstd)."""
    document = manifest.document
    layers = []
    for layer in document["layers"]:
        kind = layer["mediaType"]
        if kind not in _LAYERS and not kind.startswith("application/vnd.docker."):
            raise BuildError(
                f"A layer is of the kind {kind}, which SageMaker does not take.",
                hint="Build with gzip layers: --output type=image,compression=gzip,oci-mediatypes="
                "false",
            )
        layers.append(_blob(layer, _LAYERS.get(kind, kind)))
    converted = {
        "schemaVersion": 2,
        "mediaType": DOCKER,
        "config": _blob(document["config"], _CONFIG),
        "layers": layers,
    }
    return json.dumps(converted, indent=3)


def _blob(blob: dict[str, Any], media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "size": blob["size"], "digest": blob["digest"]}
