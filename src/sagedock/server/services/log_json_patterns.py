"""CloudWatch's filter patterns over JSON: `{ $.level = "ERROR" && $.took > 1.5 }`. Pure.

A condition is a selector, a comparison and a value (text may have `*`), `IS NULL`, `IS TRUE`,
`IS FALSE` or `NOT EXISTS`; conditions go together with `&&`, `||` and parentheses.
"""

from __future__ import annotations

import fnmatch
import json
import operator
import re
from collections.abc import Callable
from typing import Any

Test = Callable[[Any], bool]
"""Whether a document fits."""

_DEEP = 20
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<mark>&&|\|\||[()])
    | (?P<selector>\$(?:\.[\w-]+|\[\d{1,6}\])+)
    | (?P<compare>!=|>=|<=|=|>|<)
    | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | (?P<word>[^\s()=<>!&|"%$]+)
    )""",
    re.VERBOSE | re.ASCII,
)
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_ABSENT = object()
_IS: dict[str, Test] = {
    "NULL": lambda value: value is None,
    "TRUE": lambda value: value is True,
    "FALSE": lambda value: value is False,
}


class JsonPatternError(Exception):
    """What is no such pattern."""


def json_matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a message is JSON that fits `pattern`, a text in braces. Raises JsonPatternError."""
    if not pattern.endswith("}"):
        raise JsonPatternError("The pattern has no closing brace")
    parser = _Parser(_tokens(pattern[1:-1]))
    test = parser.any_of(0)
    if parser.kind:
        raise JsonPatternError(f"{parser.text[:40]!r} is not expected there")

    def matches(message: str) -> bool:
        if not message.lstrip().startswith(("{", "[")):
            return False
        try:
            document = json.loads(message)
        except (ValueError, RecursionError):
            return False
        return test(document)

    return matches


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            raise JsonPatternError(f"{text[at : at + 40]!r} is no part of a pattern over JSON")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


class _Parser:
    """Reads tokens one by one; `kind` and `text` are the next one's, '' at the end."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._rest = iter(tokens)
        self.kind, self.text = "", ""
        self._next()

    def _next(self) -> str:
        taken = self.text
        self.kind, self.text = next(self._rest, ("", ""))
        return taken

    def any_of(self, depth: int) -> Test:
        """Conditions with || between them."""
        tests = [self._all_of(depth)]
        while (self.kind, self.text) == ("mark", "||"):
            self._next()
            tests.append(self._all_of(depth))
        return lambda document: any(test(document) for test in tests)

    def _all_of(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while (self.kind, self.text) == ("mark", "&&"):
            self._next()
            tests.append(self._one(depth))
        return lambda document: all(test(document) for test in tests)

    def _one(self, depth: int) -> Test:
        if (self.kind, self.text) == ("mark", "("):
            if depth >= _DEEP:
                raise JsonPatternError("The pattern is nested too deep")
            self._next()
            test = self.any_of(depth + 1)
            self._expect("mark", ")")
            return test
        select = _selector(self._expect("selector"))
        compare = self._condition()
        return lambda document: compare(select(document))

    def _expect(self, kind: str, text: str | None = None) -> str:
        if self.kind != kind or text not in {None, self.text}:
            raise JsonPatternError(f"{self.text[:40]!r} stands where a {text or kind} is expected")
        return self._next()

    def _condition(self) -> Test:
        if self.kind == "compare":
            return self._comparison(self._next())
        words = (self._expect("word").upper(), self._expect("word").upper())
        if words == ("NOT", "EXISTS"):
            return lambda value: value is _ABSENT
        if words[0] == "IS" and words[1] in _IS:
            return _IS[words[1]]
        raise JsonPatternError(f"{' '.join(words)[:40]!r} is no condition")

    def _comparison(self, sign: str) -> Test:
        quoted = self.kind == "quoted"
        text = self._expect("quoted" if quoted else "word")
        number = None if quoted or not _NUMBER.fullmatch(text) else float(text)
        if sign in _ORDER:
            if number is None:
                raise JsonPatternError(f"{sign} compares numbers")
            return _ordered(_ORDER[sign], number)
        test = _equals(re.sub(r"\\(.)", r"\1", text) if quoted else text, number)
        if sign == "=":
            return test
        return lambda value: value is not _ABSENT and not test(value)


def _ordered(order: Callable[[float, float], bool], wanted: float) -> Test:
    return lambda value: _is_number(value) and order(value, wanted)


def _equals(text: str, number: float | None) -> Test:
    if number is not None:
        return lambda value: bool(_is_number(value) and value == number) or value == text
    plain = text.replace("[", "[[]").replace("?", "[?]")
    return lambda value: isinstance(value, str) and fnmatch.fnmatchcase(value, plain)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _selector(text: str) -> Callable[[Any], Any]:
    steps = [name or int(number) for name, number in _STEP.findall(text)]

    def select(value: Any) -> Any:
        for step in steps:
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and step < len(value) else _ABSENT
            else:
                value = value.get(step, _ABSENT) if isinstance(value, dict) else _ABSENT
        return value

    return select
