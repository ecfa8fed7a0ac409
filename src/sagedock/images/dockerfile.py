"""What a Dockerfile asks of its builder: the features that only BuildKit has. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_CONTINUED = re.compile(r"\\[ \t]*\n")
_COMMENT = re.compile(r"^[ \t]*#.*\n?", re.MULTILINE)
_FEATURES = (
    (re.compile(r"RUN\s+(--\w+=\S+\s+)*(?P<word>--(?:mount|network|security))\b", re.I), "RUN"),
    (re.compile(r"(COPY|ADD)\s+(--\S+\s+)*(?P<word>--(?:link|parents|exclude|checksum))\b", re.I),
     "COPY"),
    (re.compile(r"(RUN|COPY)\s.*(?P<word><<-?)['\"]?\w", re.I), "a here-document"),
)  # fmt: skip


def buildkit_features(text: str) -> list[str]:
    """Each instruction of the Dockerfile that the classic builder does not know, in short."""
    return [
        f"{what} {match['word']}" if what.isupper() else what
        for line in instructions(text)
        for pattern, what in _FEATURES
        if (match := pattern.match(line))
    ]


def instructions(text: str) -> Iterator[str]:
    """One text an instruction: comments gone, continued lines joined."""
    joined = _CONTINUED.sub(" ", _COMMENT.sub("", text))
    yield from (line.strip() for line in joined.splitlines() if line.strip())
