"""A model's files: what CreateModel may ask for, and how a container gets to see them.

Source: D2 (model files), D5 (several models, several containers).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sagedock.contract.paths import ML
from sagedock.engine.plan import Mount
from sagedock.errors import InputError, UnsupportedError
from sagedock.local import channels, packing
from sagedock.local.channels import InputPlan
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

_ARCHIVE = ".tar.gz"
_REFUSED = {
    "AdditionalModelDataSources": "additional model data (AdditionalModelDataSources)",
    "ImageConfig": "a private registry (ImageConfig)",
    "InferenceSpecificationName": "an inference specification",
    "ModelPackageName": "a model package (ModelPackageName)",
}
_REFUSED_OF_SOURCE = ("HubAccessConfig", "ManifestS3Uri", "ETag", "ManifestEtag")


def is_multi_model(container: Mapping[str, Any]) -> bool:
    """Whether the container serves any model below an S3 prefix (D5.2)."""
    return bool(container.get("Mode") == "MultiModel")


def check(request: Mapping[str, Any]) -> None:
    """Raise UnsupportedError for what a valid CreateModel request asks for and can't be had here
    yet."""
    containers = [request.get("PrimaryContainer"), *request.get("Containers", ())]
    found = [text for item in containers if item for text in _beyond(item)]
    if request.get("VpcConfig"):
        found.append("a VPC of a model (VpcConfig)")
    if found:
        raise UnsupportedError(
            f"This model asks for what can't be done here yet: {'; '.join(found)}.",
            hint="Leave it out to use the model here; nothing of a request is ignored silently.",
        )


def _beyond(container: Mapping[str, Any]) -> Iterator[str]:
    yield from (text for key, text in _REFUSED.items() if container.get(key))
    if not container.get("Image"):
        yield "a container without Image"
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    yield from (f"{key} of ModelDataSource" for key in _REFUSED_OF_SOURCE if source.get(key))


def uri_of(container: Mapping[str, Any]) -> str | None:
    """Where the container's model data lies, None for a model without data (D2.4)."""
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    found: str | None = container.get("ModelDataUrl") or source.get("S3Uri")
    return found


def check_there(store: DiskStore, container: Mapping[str, Any]) -> None:
    """Raise StoreError where the model's data is not there, before anything is started."""
    uri = uri_of(container)
    if uri is None or is_multi_model(container):  # those are looked for when they are asked for
        return
    place = S3Uri.parse(uri)
    if _is_archive(container, uri) or _source(container).get("S3DataType") == "S3Object":
        store.head(place)


def mounts(store: DiskStore, name: str, container: Mapping[str, Any], folder: Path) -> list[Mount]:
    """Lay a container's model below `folder`; what it mounts, read-only (D2.3).

    `name` is the model's, for messages. Raises InputError for what is no tar.gz (D2.1), for links
    in one (D2.2), for keys that can't be files (D2.5).
    """
    uri = uri_of(container)
    shutil.rmtree(folder, ignore_errors=True)  # an owner that died may have left it half done
    if is_multi_model(container):
        folder.mkdir(parents=True)
        return [Mount(source=folder, target=ML.models)]
    if not uri:
        return []
    if _is_archive(container, uri):
        place = S3Uri.parse(uri)
        with store.open(place) as archive:
            packing.unpack(archive, uri, folder)
        return [Mount(source=folder, target=ML.model)]
    if not _source(container):
        raise InputError(
            f"Model {name!r}: {uri} is no {_ARCHIVE} (D2.1).",
            hint="Pack the model as a gzip tar with its files at the root: model.tar.gz.",
        )
    plan = InputPlan(name=f"model {name}", uri=uri, target=ML.model)
    return channels.lay(store, [plan], folder)


def _source(container: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return found


def _is_archive(container: Mapping[str, Any], uri: str) -> bool:
    return _source(container).get("CompressionType") == "Gzip" or (
        bool(container.get("ModelDataUrl")) and uri.endswith(_ARCHIVE)
    )
