"""The JSONPath that batch transform's filters know (E14): `$`, `.name`, `['name','name']`,
`[0,-1]`, `[start:end]`, `*`. Pure. Must not know where values come from."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sagedock.errors import InputError

Select = Callable[[Any], Any]

_NAME = r"'[^']*'|\"[^\"]*\""
_STEP = re.compile(
    rf"""\.(?P<name>[^.\[\]\s*'"]+)
    | (?P<every>\.\*|\.?\[\s*(?:\*|'\*')\s*\])
    | \.?\[\s*(?P<names>(?:{_NAME})(?:\s*,\s*(?:{_NAME}))*)\s*\]
    | \.?\[\s*(?P<start>-?\d+)?\s*:\s*(?P<end>-?\d+)?\s*\]
    | \.?\[\s*(?P<places>-?\d+(?:\s*,\s*-?\d+)*)\s*\]""",
    re.VERBOSE,
)


def compiled(path: str) -> Select:
    """A function from a value to what `path` selects of it: one thing itself, several names as an
    object, several places as a list. Raises InputError for a path outside of the subset; the
    function raises InputError for what isn't there."""
    text = path.strip()
    steps: list[tuple[Select, bool]] = []
    place = 1
    while text.startswith("$") and place < len(text):
        found = _STEP.match(text, place)
        if not found:
            break
        steps.append(_step(found, path))
        place = found.end()
    if not text.startswith("$") or place < len(text):
        raise InputError(
            f"JSONPath {path!r}: {text[place:] if text.startswith('$') else text!r} is not known.",
            hint="Known are $, .name, ['name','name'], [0,-1], [start:end] and *.",
        )
    return lambda value: _walk(value, steps)


def _walk(value: Any, steps: list[tuple[Select, bool]]) -> Any:
    for number, (select, several) in enumerate(steps):
        value = select(value)
        if several:
            rest = steps[number + 1 :]
            return [_walk(item, rest) for item in value] if rest else value
    return value


def _step(found: re.Match[str], path: str) -> tuple[Select, bool]:
    """What one step selects, and whether it selects several values."""
    parts = found.groupdict()
    if parts["name"] is not None:
        return _name(parts["name"], path), False
    if parts["names"] is not None:
        return _names([text[1:-1] for text in re.findall(_NAME, parts["names"])], path), False
    if parts["places"] is not None:
        return _places([int(text) for text in parts["places"].split(",")], path)
    if parts["every"] is not None:
        return (lambda value: _every(value, path)), True
    cut = slice(*(int(parts[key]) if parts[key] else None for key in ("start", "end")))
    return (lambda value: _list(value, path)[cut]), True


def _names(names: list[str], path: str) -> Select:
    each = {name: _name(name, path) for name in names}
    if len(names) == 1:
        return each[names[0]]
    return lambda value: {name: get(value) for name, get in each.items()}


def _places(places: list[int], path: str) -> tuple[Select, bool]:
    gets = [_place(place, path) for place in places]
    if len(gets) == 1:
        return gets[0], False
    return (lambda value: [get(value) for get in gets]), True


def _name(name: str, path: str) -> Select:
    def get(value: Any) -> Any:
        if not isinstance(value, dict) or name not in value:
            raise InputError(f"JSONPath {path!r}: no {name!r} there.")
        return value[name]

    return get


def _place(place: int, path: str) -> Select:
    def get(value: Any) -> Any:
        values = _list(value, path)
        if not -len(values) <= place < len(values):
            raise InputError(f"JSONPath {path!r}: no place {place} among {len(values)}.")
        return values[place]

    return get


def _every(value: Any, path: str) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else _list(value, path)


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"JSONPath {path!r}: a {type(value).__name__} is no array.")
    return value
