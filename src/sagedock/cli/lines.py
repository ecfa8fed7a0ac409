"""A log line as a terminal would leave it. Pure."""

from __future__ import annotations


def settled(text: str) -> str:
    """What stays on screen of a line with carriage returns: a progress bar's last state.

    >>> settled("10%\\r50%\\r100%")
    '100%'
    """
    return text.rstrip("\r").rpartition("\r")[2]
