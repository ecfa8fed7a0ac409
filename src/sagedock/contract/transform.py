"""Rules of CreateTransformJob that botocore's model does not hold (E5, E7, E14). Pure.

Source: the API reference's prose on MaxPayloadInMB and BatchStrategy, and the developer guide's
pages on data processing and on errors of batch transform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_IN_FLIGHT_MB = 100
"""E5: MaxConcurrentTransforms times MaxPayloadInMB."""

CSV = "text/csv"
JSON_TYPES = ("application/json", "application/jsonlines", "application/x-jsonlines")
_NO_FILTER = {None, "", "$"}


def media(content_type: str | None) -> str:
    """A content type without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def in_flight_problem(concurrent: int, payload: int) -> str | None:
    """E5, in the documentation's words; `payload` in MB, 0 for no limit."""
    if concurrent * payload <= MAX_IN_FLIGHT_MB:
        return None
    return (
        f"The value of (MaxConcurrentTransforms * MaxPayloadInMB) cannot exceed "
        f"{MAX_IN_FLIGHT_MB} MB: {concurrent} * {payload} MB is {concurrent * payload} MB"
    )


def transform_rules(request: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a CreateTransformJob request, as sentences."""
    split = request.get("TransformInput", {}).get("SplitType", "None")
    problem = in_flight_problem(
        request.get("MaxConcurrentTransforms", 0), request.get("MaxPayloadInMB", 0)
    )
    if problem:
        yield problem
    if request.get("BatchStrategy") and split == "None":
        yield (
            f"BatchStrategy {request['BatchStrategy']} needs a SplitType: Line, RecordIO or "
            "TFRecord (E7)"
        )
    yield from _processing_rules(request, split)


def _processing_rules(request: Mapping[str, Any], split: str) -> Iterator[str]:
    asked = request.get("DataProcessing", {})
    joins = asked.get("JoinSource", "None") != "None"
    if not joins and {asked.get("InputFilter"), asked.get("OutputFilter")} <= _NO_FILTER:
        return
    source, target = request.get("TransformInput", {}), request.get("TransformOutput", {})
    content, accept = source.get("ContentType"), target.get("Accept")
    assemble = target.get("AssembleWith", "None")
    for name, value in (("ContentType", content), ("Accept", accept)):
        if media(value) not in {CSV, *JSON_TYPES}:
            given = "none is given" if value is None else f"it is '{value}'"
            yield (
                f"DataProcessing needs {name} to be {CSV}, {JSON_TYPES[0]} or {JSON_TYPES[1]}: "
                f"{given} (E14)"
            )
    if split not in {"None", "Line"}:
        yield f"DataProcessing needs SplitType Line or None: it is {split} (E14)"
    elif media(content) == CSV and split != "Line":
        yield "DataProcessing of text/csv needs SplitType Line: a record is a line (E14)"
    if joins and media(content) != media(accept):
        yield f"A join needs Accept and ContentType to match: '{accept}', '{content}' (E14)"
    if joins and assemble != split:
        yield f"A join needs AssembleWith and SplitType to match: {assemble}, {split} (E14)"
