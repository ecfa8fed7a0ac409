"""The JSONPath that batch transform's filters know (E14), read by jsonpath-ng.

The service knows a subset: `$`, `.name`, `*`, `['name','name']`, `[0,-1]`, `[start:end]`. What
else the library can do is refused. The library is imported when there is a filter. Pure. Must not
know where values come from.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sagedock.errors import InputError

Select = Callable[[Any], Any]
Selection = slice | tuple[int, ...]
"""Places in an array: a range of them, or one after the other."""

_KNOWN = "Known are $, .name, ['name','name'], [0,-1], [start:end] and *."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """A step of a path: the library's node, and what it asks for: names, places, or many values
    (`*`, or a range, which `of_array` has in common with places)."""

    node: Any
    names: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    of_array: bool = False

    @property
    def is_one(self) -> bool:
        """Whether it selects a value, and not a list of values."""
        return len(self.names) == 1 or len(self.places) == 1


def compiled(path: str) -> Select:
    """A function from a value to what `path` selects of it: one thing itself, several names as an
    object, several places as a list. Raises InputError for a path outside of the subset; the
    function raises InputError for what isn't there."""
    steps = [_step(node) for node in _steps(path)]
    return lambda value: _walk(value, steps, path)


def _step(node: Any) -> _Step:
    from jsonpath_ng import Fields, Index, Slice

    if isinstance(node, Fields):
        return _Step(node=node, names=tuple(node.fields))
    if isinstance(node, Index):
        return _Step(node=node, places=tuple(node.indices), of_array=True)
    return _Step(node=node, of_array=isinstance(node, Slice))


def columns(path: str) -> Selection | int:
    """Which columns of a CSV row `path` selects; an int for one that is no list of its own.

    A row is an array, so only places may be named. Raises InputError for other paths.
    """
    from jsonpath_ng import Index, Slice, Wildcard

    steps = _steps(path)
    if not steps or (len(steps) == 1 and isinstance(steps[0], Wildcard)):
        return slice(None)
    if len(steps) > 1 or not isinstance(steps[0], Index | Slice):
        raise InputError(
            f"JSONPath {path!r}: a CSV row has no names, and nothing below its fields.",
            hint="Only places can be selected of CSV, such as $[0], $[1:] or $[0,-1].",
        )
    step = steps[0]
    if isinstance(step, Slice):
        return slice(step.start, step.end)
    return step.indices[0] if len(step.indices) == 1 else tuple(step.indices)


def _steps(path: str) -> list[Any]:
    """The path's steps after `$`, from left to right, as nodes of the library's tree."""
    from jsonpath_ng import Child, JSONPath, Root
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.parser import parse

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of operators that are refused here anyway
            node: JSONPath = parse(path)
    except JSONPathError as error:
        raise _unknown(path, str(error)) from error
    steps: list[Any] = []
    while isinstance(node, Child):
        steps.insert(0, node.right)
        node = node.left
    if not isinstance(node, Root):
        raise _unknown(path, "it must begin with $, and .. is none of the operators")
    for step in steps:
        _check(step, path)
    return steps


def _check(step: Any, path: str) -> None:
    from jsonpath_ng import Fields, Index, Slice, Wildcard

    if not isinstance(step, Fields | Index | Slice | Wildcard):
        raise _unknown(path, f"{step} is none of the operators")
    if isinstance(step, Slice) and step.step is not None:
        raise _unknown(path, "a range has no step")


def _unknown(path: str, why: str) -> InputError:
    return InputError(f"JSONPath {path!r} is not known: {why.rstrip('.')}.", hint=_KNOWN)


def _walk(value: Any, steps: list[_Step], path: str) -> Any:
    """Each step is the library's to find; what the found values are together is decided here, as
    the service's own library does."""
    for number, step in enumerate(steps):
        found = _found(value, step, path)
        if step.is_one:
            value = found[0]
            continue
        rest = steps[number + 1 :]
        values = [_walk(item, rest, path) for item in found]
        return dict(zip(step.names, values, strict=True)) if step.names else values
    return value


def _found(value: Any, step: _Step, path: str) -> list[Any]:
    """What the library finds of one step. Raises InputError where a name or place is missing."""
    kind = type(value)
    if kind is not list and (step.of_array or kind is not dict) and not step.names:
        raise InputError(f"JSONPath {path!r}: a {kind.__name__} is no array.")
    for name in step.names:
        if kind is not dict or name not in value:
            raise InputError(f"JSONPath {path!r}: no {name!r} there.")
    found = [match.value for match in step.node.find(value)]
    if len(found) < len(step.places):
        raise InputError(
            f"JSONPath {path!r}: no place {_missing_place(value, step.places)} among {len(value)}."
        )
    return found


def _missing_place(value: list[Any], places: tuple[int, ...]) -> int:
    return next(place for place in places if not -len(value) <= place < len(value))
