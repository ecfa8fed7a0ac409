"""Filters records before the model sees them, joins its answers to them, filters the result
(DataProcessing; E9, E14, E15). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagedock.contract.transform import CSV, media
from sagedock.errors import InputError, ValidationError
from sagedock.local.transform import csv_fields
from sagedock.local.transform.csv_fields import Chooser
from sagedock.local.transform.jsonpath import Select, columns, compiled

_IN, _OUT = "SageMakerInput", "SageMakerOutput"
_NO_FILTER = {"", "$"}
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SHOWN = 100


def check_paths(request: Mapping[str, Any]) -> None:
    """Raise ValidationError where a filter is no JSONPath that the service knows (E14)."""
    ends = (("InputFilter", "TransformInput", "ContentType"),
            ("OutputFilter", "TransformOutput", "Accept"))  # fmt: skip
    for key, end, content in ends:
        path = request.get("DataProcessing", {}).get(key)
        if path in {None, *_NO_FILTER}:
            continue
        is_csv = media(request[end].get(content)) == CSV
        try:
            (columns if is_csv else compiled)(path)
        except InputError as error:
            raise ValidationError(f"{key}: {error.message}", hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class Records:
    """A payload, cut into records: lines of CSV as bytes, or JSON values."""

    items: list[Any]
    quoted: bool = False


class Processing:
    """What a CreateTransformJob request asks to be done to records and answers."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        asked, source = request.get("DataProcessing", {}), request["TransformInput"]
        self.joins = asked.get("JoinSource", "None") != "None"
        content = media(source.get("ContentType"))
        accept = media(request["TransformOutput"].get("Accept"))
        self._one = source.get("SplitType", "None") == "None" and content == "application/json"
        self._in = _filter(asked.get("InputFilter"), content, self._one)
        self._out = _filter(asked.get("OutputFilter"), accept, self._one)

    @property
    def needed(self) -> bool:
        """Whether anything is asked for at all."""
        return self.joins or not (self._in.is_all and self._out.is_all)

    @property
    def filters_input(self) -> bool:
        """Whether the model sees other bytes than the input's."""
        return not self._in.is_all

    @property
    def filters_output(self) -> bool:
        """Whether the output holds other bytes than the answers'."""
        return self.joins or not self._out.is_all

    @property
    def by_line(self) -> bool:
        """Whether a record is a line; else it is all of an object."""
        return not self._one

    def cut(self, body: bytes) -> Records:
        """A payload's records. Raises InputError naming the record."""
        return self._in.cut(body, "input")

    def before(self, body: bytes) -> tuple[bytes, Records | None]:
        """A payload as the model is to see it, and its records if they had to be cut. Raises
        InputError naming the record."""
        if self._in.is_all:
            return body, None
        records = self.cut(body)
        return self._in.written(self._in.chosen(records)), records

    def after(self, sent: Records | bytes | None, answer: bytes) -> bytes:
        """An answer as it goes into the output; `sent` is the payload before its filter, None
        where nothing is joined. Raises InputError where a join finds more or fewer answers than
        records (E9)."""
        if not self.filters_output:
            return answer
        answers = self._out.cut(answer, "output from the algorithm")
        if self.joins:
            rows = self.cut(sent) if isinstance(sent, bytes) else sent
            assert rows is not None
            answers = self._joined(rows, answers)
        return self._out.written(self._out.chosen(answers))

    def _joined(self, rows: Records, answers: Records) -> Records:
        if len(rows.items) != len(answers.items):
            raise mismatch(len(rows.items), len(answers.items))
        return self._in.joined(rows, answers)


def mismatch(rows: int, answers: int) -> InputError:
    """E9."""
    return InputError(
        "Fail to join data: mismatched line count between the input and the output: "
        f"{rows} records, {answers} answers (E9).",
        hint="A join needs one answer to each record, in order, one a line.",
    )


def _filter(path: str | None, kind: str, one: bool) -> CsvFilter | JsonFilter:
    if kind == CSV:
        return CsvFilter(path or "$")
    return JsonFilter(path or "$", one)


class CsvFilter:
    """Lines of CSV and the columns that `path` selects."""

    def __init__(self, path: str) -> None:
        self.is_all = path in _NO_FILTER
        self._chooser = Chooser(slice(None) if self.is_all else columns(path), path)

    def cut(self, body: bytes, what: str) -> Records:
        return Records(csv_fields.lines(body), b'"' in body)

    def chosen(self, records: Records) -> Records:
        return Records(self._chooser.of(records.items, quoted=records.quoted))

    def joined(self, rows: Records, answers: Records) -> Records:
        return Records(csv_fields.joined(rows.items, answers.items), rows.quoted or answers.quoted)

    def written(self, records: Records) -> bytes:
        return b"\n".join(records.items)


class JsonFilter:
    """JSON values, one a line, or with `one` a single one, and what `path` selects of each."""

    def __init__(self, path: str, one: bool) -> None:
        self.is_all = path in _NO_FILTER
        self._one = one
        self._select: Select = (lambda value: value) if self.is_all else compiled(path)

    def cut(self, body: bytes, what: str) -> Records:
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"Failed to parse {what} as JSON: no UTF-8 text: {error}.") from error
        if self._one:
            return Records([_json(text, what, 1)])
        lines = filter(str.strip, text.split("\n"))
        return Records([_json(line, what, number) for number, line in enumerate(lines, 1)])

    def chosen(self, records: Records) -> Records:
        return Records([self._select(item) for item in records.items])

    def joined(self, rows: Records, answers: Records) -> Records:
        """E15."""
        pairs = zip(rows.items, answers.items, strict=True)
        return Records([
            {**row, _OUT: answer} if isinstance(row, dict) else {_IN: row, _OUT: answer}
            for row, answer in pairs
        ])  # fmt: skip

    def written(self, records: Records) -> bytes:
        return "\n".join([_ENCODER.encode(item) for item in records.items]).encode()


def _json(text: str, what: str, number: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        shown = text.strip()[:_SHOWN]
        raise InputError(
            f"Failed to parse {what} as JSON: record {number} of a payload: {error}: {shown!r}."
        ) from error
