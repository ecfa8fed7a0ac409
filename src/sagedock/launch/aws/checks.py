"""What AWS would refuse late or badly, told before anything is uploaded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sagedock.errors import UsageError

_REGISTRY = re.compile(r"[^/]+[.:][^/]*/.+")
"""A name with a registry's host in front of it, as Docker reads names."""


def images(request: Mapping[str, Any]) -> None:
    """Raise UsageError for an image that only this machine's engine can know."""
    for image in _images(request):
        if not _REGISTRY.match(image):
            raise UsageError(
                f"The image {image!r} is none that AWS can pull: it names no registry.",
                hint=f"Push it to ECR and take the URI that is printed: sagedock push {image}",
            )


def _images(request: Mapping[str, Any]) -> Iterator[str]:
    yield from _given(request.get("AlgorithmSpecification", {}).get("TrainingImage"))
    yield from _given(request.get("AppSpecification", {}).get("ImageUri"))
    for container in (request.get("PrimaryContainer", {}), *request.get("Containers", ())):
        yield from _given(container.get("Image"))


def _given(image: str | None) -> Iterator[str]:
    if image:
        yield image
