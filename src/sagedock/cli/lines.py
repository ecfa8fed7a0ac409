"""A log line as a terminal would leave it. Pure."""

from __future__ import annotations

import re

_COLOUR = r"\x1b\[[0-9;:]*m"
_ESCAPE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.?)"
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"
_UNWANTED = re.compile(f"({_COLOUR})|{_ESCAPE}|{_CONTROL}")


def settled(text: str) -> str:
    """What stays on screen of a line with carriage returns: a progress bar's last state.

    >>> settled("10%\\r50%\\r100%")
    '100%'
    """
    return text.rstrip("\r").rpartition("\r")[2]


def harmless(text: str, *, colour: bool) -> str:
    """Without what would move the cursor, rename the window or ring: a log is only text. Colours
    stay if wanted, and end with the line."""
    if not _UNWANTED.search(text):
        return text
    clean = _UNWANTED.sub(lambda found: (found[1] or "") if colour else "", text)
    return f"{clean}\x1b[0m" if "\x1b" in clean else clean
