"""Secrets that have slipped into images: in variables, in the history, in files. Pure.

Only what is one for certain, or nearly: a false alarm would teach people not to look. No secret is
ever in what is returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sagedock.images.push_layers import Entry

KEPT_BYTES = 8192
"""How much of a suspicious file is looked at."""

_TOKENS = (
    r"AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|CODEARTIFACT_AUTH_TOKEN|GITHUB_TOKEN|GH_TOKEN|"
    r"HF_TOKEN|HUGGING_FACE_HUB_TOKEN|OPENAI_API_KEY|WANDB_API_KEY|PYPI_TOKEN|TWINE_PASSWORD"
)
_LIKELY = r"(?:[A-Z0-9]+_)*(?:PASSWORD|SECRET_KEY)"
"""Names that may as well have a harmless default."""

_NAMES = re.compile(rf"{_TOKENS}|{_LIKELY}")
_CERTAIN = re.compile(_TOKENS)
_ASSIGNED = re.compile(rf"\b({_NAMES.pattern})=(['\"]?)([^\s'\"$|&;]{{4,}})")
_VALUES = (
    ("an access key of AWS", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a token of GitHub", re.compile(r"\b(?:gh[pousr]_\w{36,}|github_pat_\w{22,})\b")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")),
    (
        "a password in a URL",
        re.compile(r"https?://[^\s/:@'\"${}]+:(?!\$)[^\s/:@'\"${}]{3,}@[\w.-]+"),
    ),
)
_FILES = (
    (re.compile(r"(?:^|/)\.aws/credentials$"), re.compile(rb"aws_secret_access_key\s*=\s*\S{8}")),
    (re.compile(r"(?:^|/)\.ssh/id_[a-z0-9]+$"), re.compile(rb"PRIVATE KEY-----")),
    (re.compile(r"(?:^|/)\.netrc$"), re.compile(rb"password\s+\S+")),
    (re.compile(r"(?:^|/)\.git-credentials$"), re.compile(rb"://[^\s:@/]+:[^\s@/]+@")),
    (re.compile(r"(?:^|/)\.docker/config\.json$"), re.compile(rb'"auth"\s*:\s*"[^"]{4,}')),
    (re.compile(r"(?:^|/)\.pypirc$"), re.compile(rb"password\s*[=:]\s*\S{4}")),
    (
        re.compile(r"(?:^|/)pip\.conf$|(?:^|/)\.config/pip/|(?:^|/)uv\.toml$"),
        re.compile(rb"://[^\s/:@]+:[^\s/@]{3,}@"),
    ),
)
"""Where secrets lie, and what makes one of them."""

_KEY_NAME = re.compile(r"(?:^|/)id_(?:rsa|dsa|ecdsa|ed25519)$")
_KEY = re.compile(rb"PRIVATE KEY-----")


def is_suspect(path: str) -> bool:
    """Whether a file of that path may hold a secret."""
    return bool(_KEY_NAME.search(path)) or any(where.search(path) for where, _ in _FILES)


def in_environment(environment: Mapping[str, str]) -> list[tuple[str, bool]]:
    """What is secret among an image's variables, and whether that is certain."""
    named = [name for name, value in environment.items() if value and _NAMES.fullmatch(name)]
    return [*map(_judged, named), *((what, True) for what in _valued(environment.values()))]


def in_history(steps: Iterable[str]) -> list[tuple[str, bool]]:
    """The same in the lines that an image keeps of its making."""
    found: dict[tuple[str, bool], None] = {}
    for step in steps:
        found.update(dict.fromkeys(_judged(match[1]) for match in _ASSIGNED.finditer(step)))
        found.update(dict.fromkeys((what, True) for what in _valued([step])))
    return list(found)


def _judged(name: str) -> tuple[str, bool]:
    return name, bool(_CERTAIN.fullmatch(name))


def _valued(texts: Iterable[str]) -> Iterator[str]:
    whole = "\n".join(texts)
    return (what for what, pattern in _VALUES if pattern.search(whole))


def in_files(entries: Mapping[str, Entry]) -> Iterator[tuple[str, bool]]:
    """Files of a layer that hold a secret; whether that is certain (a key for tests may lie about
    in a package)."""
    for path, entry in entries.items():
        if not entry.head:
            continue
        if any(where.search(path) and what.search(entry.head) for where, what in _FILES):
            yield path, True
        elif _KEY_NAME.search(path) and _KEY.search(entry.head):
            yield path, False
