"""A model's inference code where the request says that it lies in S3, as SDK v2's framework models
do (SAGEMAKER_SUBMIT_DIRECTORY): AWS's own containers fetch it. The images that run in their place
have no client of S3, so it is laid down for them. Any other image gets what the request says.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagedock.contract.paths import ML
from sagedock.engine.plan import Mount
from sagedock.local import image_names, packing
from sagedock.local.image_names import Use
from sagedock.local.settings import LocalSettings
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

_VARIABLE = "SAGEMAKER_SUBMIT_DIRECTORY"


def environment(container: Mapping[str, Any], settings: LocalSettings) -> dict[str, str]:
    """The container's Environment, with the place where its code is laid down."""
    given: dict[str, str] = dict(container.get("Environment", {}))
    return given | ({_VARIABLE: ML.code} if _uri(container, settings) else {})


def mounts(
    store: DiskStore, container: Mapping[str, Any], settings: LocalSettings, folder: Path
) -> list[Mount]:
    """Lay the code down in `folder`, where there is any to lay down. Raises InputError for what is
    no tar.gz, StoreError where it is not there."""
    uri = _uri(container, settings)
    if not uri:
        return []
    shutil.rmtree(folder, ignore_errors=True)
    with store.open(S3Uri.parse(uri)) as archive:
        packing.unpack(archive, uri, folder)
    return [Mount(source=folder, target=ML.code)]


def _uri(container: Mapping[str, Any], settings: LocalSettings) -> str | None:
    uri: str = container.get("Environment", {}).get(_VARIABLE, "")
    replaced = image_names.note(container.get("Image", ""), Use.SERVING, settings)
    return uri if replaced and uri.startswith("s3://") else None
