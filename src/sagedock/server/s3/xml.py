"""XML as S3 writes and reads it. Pure.

A document is a tree of `(name, value)` pairs; a value is text, a number, or such pairs again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeAlias
from urllib.parse import quote
from xml.etree import ElementTree

from sagedock.server.s3.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"

Value: TypeAlias = "str | int | float | bool | Sequence[Pair] | None"
Pair: TypeAlias = "tuple[str, Value]"

_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]')
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAMES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def document(name: str, pairs: Iterable[Pair], *, plain: bool = False) -> bytes:
    """The whole document. Pairs whose value is None are left out; `plain`: without namespace, as
    errors are. A name that begins with '@' is an attribute of `xsi:`."""
    space = "" if plain else f' xmlns="{NAMESPACE}"'
    inner = "".join(_element(pair) for pair in pairs)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{space}>{inner}</{name}>'
    return text.encode("utf-8", "surrogatepass")


def _element(pair: Pair) -> str:
    name, value = pair
    if value is None:
        return ""
    attributes = ""
    if isinstance(value, list | tuple):
        marks = [(key[1:], text) for key, text in value if key.startswith("@")]
        attributes = "".join(f' xmlns:xsi="{_XSI}" xsi:{key}="{text}"' for key, text in marks)
        inner = "".join(_element(item) for item in value if not item[0].startswith("@"))
    else:
        inner = escape(str(value).lower() if isinstance(value, bool) else str(value))
    return f"<{name}{attributes}>{inner}</{name}>"


def escape(text: str) -> str:
    """Text with references for what can't stand in XML; for control characters, too, as S3 has
    them."""
    return _SPECIAL.sub(lambda match: _NAMES.get(match[0]) or f"&#x{ord(match[0]):x};", text)


def readable(text: str) -> str:
    """Text whose control characters are percent-encoded: parsers refuse references to them, and
    then an error has no code."""
    return _CONTROL.sub(lambda match: quote(match[0]), text)


def iso(seconds: float) -> str:
    """A moment as S3 writes it in XML."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Node:
    """An element that was sent: looked at by local names, whatever their namespace."""

    def __init__(self, element: ElementTree.Element) -> None:
        self._element = element

    @property
    def name(self) -> str:
        """Its name."""
        return self._element.tag.rpartition("}")[2]

    def all(self, name: str) -> list[Node]:
        """The children of that name."""
        return [child for child in self.children() if child.name == name]

    def children(self) -> Iterator[Node]:
        """All children."""
        return (Node(child) for child in self._element if isinstance(child.tag, str))

    def text(self, name: str = "") -> str | None:
        """Text of the first child of that name, None without one; with no name, its own."""
        if not name:
            return self._element.text or ""
        found = self.all(name)
        return found[0].text() if found else None

    def need(self, name: str) -> str:
        """Text of that child. Raises MalformedXML where there is none."""
        found = self.text(name)
        if found is None:
            raise S3Error("MalformedXML")
        return found


class _Builder(ElementTree.TreeBuilder):
    """Refuses declarations of types: an entity may be as long as it likes."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError(f"a document type {name!r}")


def parse(data: bytes, *roots: str) -> Node:
    """The document's root, which has one of these names. Raises MalformedXML."""
    try:
        parser = ElementTree.XMLParser(target=_Builder())
        node = Node(ElementTree.fromstring(data, parser))
    except (ElementTree.ParseError, ValueError, LookupError):
        raise S3Error("MalformedXML") from None
    if roots and node.name not in roots:
        raise S3Error("MalformedXML")
    return node
