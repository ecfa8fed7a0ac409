"""Regular expressions of AWS's service models, which are written for Java. Pure."""

from __future__ import annotations

import re
import unicodedata

_CATEGORY = re.compile(r"\\p\{(\w+)\}")
_ASCII = {"Alnum": "a-zA-Z0-9", "Alpha": "a-zA-Z", "Digit": "0-9", "Print": r"\x20-\x7e"}
_SPELLINGS = {r"\p{ASCII}*": r"[\x00-\x7f]*", r"\z": r"\Z"}
"""What stands outside classes, or is spelled otherwise in Python."""
_NEVER = "\U0010ffff"
"""A character that no value has: keeps a class from being empty."""


def matches(pattern: str, value: str) -> bool:
    """Whether all of `value` matches one of a service model's patterns."""
    return re.fullmatch(_in_python(pattern, value), value) is not None


def _in_python(pattern: str, value: str) -> str:
    """`pattern` for matching just `value`.

    Java's `\\p{L}` means a Unicode category, which Python's expressions don't know; here it becomes
    those characters of `value` that have it. It stands in classes only, in all models.
    """

    def members(found: re.Match[str]) -> str:
        name = found.group(1)
        if name in _ASCII:
            return _ASCII[name]
        fitting = sorted({char for char in value if unicodedata.category(char).startswith(name)})
        return "".join(re.escape(char) for char in fitting) + _NEVER

    # Java counts in UTF-16: there, two halves make what is one character in Python.
    whole = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    for java, python in _SPELLINGS.items():
        whole = whole.replace(java, python)
    return _CATEGORY.sub(members, whole.replace("${", "{"))
