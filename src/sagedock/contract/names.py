"""Names and ARNs of jobs, as the service makes them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

JOB_NAME_LIMIT = 63
"""A4.1, C14."""

_UNFIT = re.compile(r"[^a-zA-Z0-9]+")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where ARNs are: partition, region, account."""

    region: str
    account: str
    partition: str = "aws"

    def arn(self, kind: str, name: str) -> str:
        """ARN of a SageMaker resource; `kind` as in `training-job`."""
        return f"arn:{self.partition}:sagemaker:{self.region}:{self.account}:{kind}/{name.lower()}"


def name_from_base(base: str, now: datetime) -> str:
    """A job name from a base, as the SDKs make it: `base-2026-11-24-08-07-01-123`, UTC.

    What a name can't hold becomes `-`; a long base is cut so that the time stamp stays.
    """
    stamp = now.astimezone(UTC).strftime("%Y-%m-%d-%H-%M-%S-") + f"{now.microsecond // 1000:03d}"
    fit = _UNFIT.sub("-", base).strip("-") or "job"
    return f"{fit[: JOB_NAME_LIMIT - len(stamp) - 1].rstrip('-')}-{stamp}"


def base_name_of_image(image_uri: str) -> str:
    """The SDK's default base: the image's last name, without registry, tag and digest."""
    last = image_uri.rsplit("/", 1)[-1]
    return re.split("[:@]", last)[0] or "job"
