"""CloudWatch's filter patterns: of words (`ERROR`, `"two words"`, `?A ?B`, `-C`), and over JSON.

Patterns over fields (`[a, b]`) and regular expressions (`%…%`) are told apart and refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sagedock.server.services.log_json_patterns import JsonPatternError, json_matcher

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')


class PatternError(Exception):
    """A pattern that can't be used."""


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a message has all plain terms, any of the optional ones, and none of those to be
    left out; letters' case counts. Raises PatternError."""
    text = pattern.strip()
    if text.startswith("{"):
        return _of_json(text)
    if text.startswith("[") or (len(text) > 1 and text.startswith("%")):
        raise PatternError("Patterns of words and over JSON alone can be used on this machine")
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if not match:
            raise PatternError("Invalid filter pattern")
        sign, quoted, plain = match.groups()
        terms[sign].append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain)
        at = match.end()
    return _test(terms[""], terms["?"], terms["-"])


def _of_json(text: str) -> Callable[[str], bool]:
    try:
        return json_matcher(text)
    except JsonPatternError as error:
        raise PatternError(f"Invalid filter pattern: {error}") from None


def _test(wanted: list[str], optional: list[str], unwanted: list[str]) -> Callable[[str], bool]:
    # Beside other terms the service leaves optional ones out of account.
    alone = not optional or bool(wanted or unwanted)

    def matches(message: str) -> bool:
        return (
            all(term in message for term in wanted)
            and (alone or any(term in message for term in optional))
            and not any(term in message for term in unwanted)
        )

    return matches
