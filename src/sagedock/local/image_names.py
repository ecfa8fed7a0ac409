"""Which image on this machine stands for the one that a request names. Pure.

An image of the account's own registry, by the name it has on AWS, lies in the registry of this
machine (`settings.registry`).

AWS keeps its own XGBoost and scikit-learn images in registries that need an account. A request
that names one of them, as `image_uris.retrieve` of the SDKs gives it, runs on the image of ours
that does the same; the job's notes say so. Must not know engines or registries.
"""

from __future__ import annotations

import re
from enum import StrEnum

from sagedock.local.records import Kind
from sagedock.local.settings import LocalSettings

_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws)/"
    r"(?P<repository>[a-z0-9._/-]+?)(?P<version>[:@].*)?"
)
_AWS_OWN = frozenset({"sagemaker-xgboost", "xgboost", "sagemaker-scikit-learn"})


class Use(StrEnum):
    """What a container of the image is for; one image of AWS does all three."""

    TRAINING = "training"
    PROCESSING = "processing"
    SERVING = "serving"


USES = {
    Kind.TRAINING: Use.TRAINING,
    Kind.PROCESSING: Use.PROCESSING,
    Kind.TRANSFORM: Use.SERVING,
}


def here(image: str, use: Use, settings: LocalSettings) -> str:
    """The image to run where a request names `image`: mostly itself.

    `settings.images` are by repository of AWS's (`sagemaker-xgboost`) or by repository and use
    (`sagemaker-xgboost/serving`); an empty one means that AWS's is to be pulled. Repositories of
    the caller's own account are never meant: they are in `settings.registry`, where there is one.
    """
    match = _ECR.fullmatch(image)
    if match and match["account"] == settings.account:
        own = f"{settings.registry}/{match['repository']}{match['version'] or ''}"
        return own if settings.registry else image
    if not match or match["repository"] not in _AWS_OWN:
        return image
    repository = match["repository"]
    wanted = settings.images.get(f"{repository}/{use}", settings.images.get(repository))
    return f"sagedock/{use}" if wanted is None else wanted or image


def note(image: str, use: Use, settings: LocalSettings) -> tuple[str, ...]:
    """What is to be said of it: nothing where `image` itself runs."""
    found = here(image, use, settings)
    if found == image or (settings.registry and found.startswith(f"{settings.registry}/")):
        return ()
    return (
        f"Image {image} is AWS's own: {found} runs in its place (SAGEDOCK_IMAGES changes that)",
    )
