"""How a transform job sends its data: the request wins over the container over defaults (E3).

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagedock.contract.transform import in_flight_problem
from sagedock.errors import JobFailedError

MEGABYTE = 1 << 20
_DEFAULTS = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
_SPELLED = {"MULTI_RECORD": "MultiRecord", "SINGLE_RECORD": "SingleRecord"}
"""E4: the endpoint's words, and the API's."""


@dataclass(frozen=True, kw_only=True)
class TransformSettings:
    """`payload` in bytes, 0 for no limit; `timeout` in seconds; `retries` beyond the first try."""

    concurrent: int
    strategy: str
    payload: int
    split: str
    assemble: str
    content_type: str | None
    accept: str | None
    timeout: float
    retries: int

    @classmethod
    def resolve(cls, request: Mapping[str, Any], container: Mapping[str, Any]) -> TransformSettings:
        """From a CreateTransformJob request and what /execution-parameters answered. Raises
        JobFailedError for an answer of the wrong form, and for too much in flight (E5)."""
        advised = {**_DEFAULTS, **_checked(container)}
        strategy = request.get("BatchStrategy") or _SPELLED[str(advised["BatchStrategy"])]
        client = request.get("ModelClientConfig", {})
        payload = int(request.get("MaxPayloadInMB", advised["MaxPayloadInMB"]))
        asked = request.get("MaxConcurrentTransforms", 0)
        if problem := in_flight_problem(asked, payload):
            raise JobFailedError(f"ClientError: {problem} (E5).")
        return cls(
            concurrent=asked or int(advised["MaxConcurrentTransforms"]) or 1,
            strategy=strategy,
            payload=payload * MEGABYTE,
            split=request["TransformInput"].get("SplitType", "None"),
            assemble=request["TransformOutput"].get("AssembleWith", "None"),
            content_type=request["TransformInput"].get("ContentType"),
            accept=request["TransformOutput"].get("Accept"),
            timeout=client.get("InvocationsTimeoutInSeconds", 600),
            retries=client.get("InvocationsMaxRetries", 3),
        )

    def __str__(self) -> str:
        """As the service's log tells it."""
        word = {api: word for word, api in _SPELLED.items()}[self.strategy]
        return (
            f"MaxConcurrentTransforms={self.concurrent}, "
            f"MaxPayloadInMB={self.payload // MEGABYTE}, BatchStrategy={word}"
        )


def _checked(container: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: container[key] for key in _DEFAULTS if key in container}
    numbers = [known[key] for key in known if key != "BatchStrategy"]
    fine = all(isinstance(value, int) and value >= 0 for value in numbers)
    if not fine or known.get("BatchStrategy", "MULTI_RECORD") not in _SPELLED:
        raise JobFailedError(
            f"ClientError: /execution-parameters answered {dict(container)}: expected whole "
            f"numbers, and BatchStrategy one of {', '.join(_SPELLED)} (E3, E4)."
        )
    return known


def environment(request: Mapping[str, Any]) -> dict[str, str]:
    """Variables that the platform sets (E2): SAGEMAKER_BATCH always, others only if asked for."""
    values = {"SAGEMAKER_BATCH": "true"}
    if "MaxPayloadInMB" in request:
        values["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(request["MaxPayloadInMB"])
    if "BatchStrategy" in request:
        words = {api: word for word, api in _SPELLED.items()}
        values["SAGEMAKER_BATCH_STRATEGY"] = words[request["BatchStrategy"]]
    if request.get("MaxConcurrentTransforms"):
        values["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(request["MaxConcurrentTransforms"])
    return values
