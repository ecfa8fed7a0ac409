"""How a failure is told: the failure file, and the FailureReason the service makes of it.

Source: A5.6 (1,024 characters), A5.8, C18, C19.
"""

from __future__ import annotations

LIMIT = 1024
"""Characters of FailureReason and ExitMessage that survive (A5.6, C18)."""


def clip(text: str, limit: int = LIMIT) -> str:
    """The first `limit` characters, the last one an ellipsis where text was lost."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def compose(cause: str, *details: str) -> str:
    """Text of a failure file: the cause first, since only the first 1,024 characters survive."""
    return "\n".join(part for part in (cause.strip(), *details) if part)


def training_reason(failure_text: str, exit_code: int) -> str:
    """FailureReason of a training job, in the service's words: `AlgorithmError: …, exit code: 1`.

    The exit code is kept whatever the length of the text.
    """
    tail = f"exit code: {exit_code}"
    text = failure_text.strip()
    if not text:
        return f"AlgorithmError: {tail}"
    head = "AlgorithmError: "
    return f"{head}{clip(text, LIMIT - len(head) - len(tail) - 2)}, {tail}"


def processing_reason(exit_code: int) -> str:
    """FailureReason of a processing job: the platform's own words only (C19)."""
    return f"AlgorithmError: See job logs for more information, exit code: {exit_code}"
