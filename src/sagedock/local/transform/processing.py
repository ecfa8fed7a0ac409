"""Filters records before the model sees them, joins its answers to them, filters the result
(DataProcessing; E9, E14, E15). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sagedock.errors import InputError
from sagedock.local.transform.jsonpath import compiled

_FIELD = re.compile(r'\s*"(?:[^"]|"")*"[^,]*|[^,]*')
_CSV = "text/csv"
_JSON = ("application/json", "application/jsonlines", "application/x-jsonlines")
_IN, _OUT = "SageMakerInput", "SageMakerOutput"
_NO_FILTER = {"", "$"}


def problems(request: Mapping[str, Any]) -> Iterator[str]:
    """What of a request's DataProcessing can't be done, as texts."""
    asked = request.get("DataProcessing", {})
    for key in ("InputFilter", "OutputFilter"):
        try:
            compiled(asked.get(key) or "$")
        except InputError as error:
            yield f"{key}: {error.message}"
    processing = Processing(request)
    source, target = request["TransformInput"], request["TransformOutput"]
    if not processing.needed:
        return
    for key, value in (("ContentType", processing.content), ("Accept", processing.accept)):
        if value not in (_CSV, *_JSON):
            yield f"filters and joins of {key} {value!r} ({_CSV} and {', '.join(_JSON)} work)"
    if source.get("SplitType", "None") not in {"None", "Line"}:
        yield f"filters and joins with SplitType {source['SplitType']} (None and Line work)"
    if processing.joins and processing.accept != processing.content:
        yield "a join where Accept is not ContentType (E14)"
    if processing.joins and target.get("AssembleWith", "None") != source.get("SplitType", "None"):
        yield "a join where AssembleWith is not SplitType (E14)"


class Processing:
    """What a CreateTransformJob request asks to be done to records and answers."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        asked, source = request.get("DataProcessing", {}), request["TransformInput"]
        self.content = _media(source.get("ContentType", ""))
        self.accept = _media(request["TransformOutput"].get("Accept", ""))
        self.joins = asked.get("JoinSource", "None") != "None"
        self._in = asked.get("InputFilter") or "$"
        self._out = asked.get("OutputFilter") or "$"
        self._split = source.get("SplitType", "None")

    @property
    def needed(self) -> bool:
        """Whether anything is asked for at all."""
        return self.joins or not {self._in, self._out} <= _NO_FILTER

    def before(self, body: bytes) -> bytes:
        """A payload as the model is to see it. Raises InputError naming the record."""
        if self._in in _NO_FILTER:
            return body
        select = compiled(self._in)
        kept = [select(record) for record in self._records(body, self.content, "input")]
        return self._written(kept, self.content)

    def after(self, body: bytes, answer: bytes) -> bytes:
        """An answer as it goes into the output; `body` is the payload before its filter. Raises
        InputError where a join finds more or fewer answers than records (E9)."""
        if not self.joins and self._out in _NO_FILTER:
            return answer
        answers = self._records(answer, self.accept, "answer")
        if self.joins:
            sent = self._records(body, self.content, "input")
            if len(sent) != len(answers):
                raise InputError(
                    f"The model gave {len(answers)} answers to {len(sent)} records: a join needs "
                    f"one each, in order (E9)."
                )
            answers = [
                _joined(one, two, self.content) for one, two in zip(sent, answers, strict=True)
            ]
        select = compiled(self._out)
        return self._written([select(record) for record in answers], self.accept)

    def _records(self, body: bytes, media: str, what: str) -> list[Any]:
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"The {what} is no UTF-8 text: {error}.") from error
        if media == "application/json" and self._split == "None":
            return [_json(text, what, 1)]
        lines = [line for line in re.split(r"\r?\n", text) if line.strip()]
        if media == _CSV:
            return [_fields(line) for line in lines]
        return [_json(line, what, number) for number, line in enumerate(lines, 1)]

    def _written(self, records: list[Any], media: str) -> bytes:
        if media == _CSV:
            lines = [",".join(one) if isinstance(one, list) else one for one in records]
        else:
            lines = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in records]
        return "\n".join(lines).encode()


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _fields(line: str) -> list[str]:
    """A CSV line's fields as they are written, quotes and all: what is kept arrives unchanged."""
    if '"' not in line:
        return line.split(",")
    fields, place = [], 0
    while place <= len(line):
        found = _FIELD.match(line, place)
        assert found  # the second branch matches nothing at all, too
        fields.append(found.group())
        place = found.end() + 1
    return fields


def _json(text: str, what: str, number: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{what} record {number} of a payload is not JSON: {error}.") from error


def _joined(record: Any, answer: Any, media: str) -> Any:
    """E15."""
    if media == _CSV:
        return [*record, *answer]
    if isinstance(record, dict):
        return {**record, _OUT: answer}
    return {_IN: record, _OUT: answer}
