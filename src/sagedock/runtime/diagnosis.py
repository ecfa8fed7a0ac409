"""Why a program failed, read from its exit code and the end of its output. Pure functions.

Only 1,024 characters of a failure file reach the user (A5.6), so the cause comes first: the
exception's own words, then what the exit code means, then the command, then the frames.

Must not know processes or files: it gets bytes and numbers, and gives text.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sagedock.contract.failure import clip, compose

CAUSE_LIMIT = 600
COMMAND_LIMIT = 200
FRAME_LINES = 12
MESSAGE_LINES = 12
TRACEBACKS = 20  # of a log full of them, only the last can belong to the end

_MARKER = "Traceback (most recent call last):"
_GROUP_MARKER = "Exception Group " + _MARKER
_DIRECT = "The above exception was the direct cause of the following exception:"
_DURING = "During handling of the above exception, another exception occurred:"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HEAD = re.compile(r"[A-Za-z_][\w.]*(?:: |:?$)")
_BARE_ERROR = re.compile(
    r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Interrupt|Failure)(?::\s.*)?$"
)
_ERROR_LINE = re.compile(  # but not a metric: `[3]\ttrain-error:0.02`
    r"(?:^|[\s:\]])(?:fatal|error|exception)(?: \w+){0,2}: |not found|no such file", re.IGNORECASE
)
_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d[ T]|\[?(?:DEBUG|INFO|WARNING|ERROR)\b[\]: ]")

_MEANING = {
    126: "a command was found but could not be executed (no permission, or not a program)",
    127: "a command was not found",
}
_SIGNAL_MEANING = {
    signal.SIGKILL: "most likely out of memory, or killed from outside",
    signal.SIGSEGV: "a crash in native code",
    signal.SIGBUS: "a crash in native code, often shared memory (/dev/shm) that is too small",
    signal.SIGABRT: "native code gave up",
    signal.SIGILL: "an instruction that this processor does not know",
    signal.SIGFPE: "an arithmetic error in native code",
}


@dataclass(frozen=True, kw_only=True)
class Raised:
    """One Python exception as printed: its lines, its frames, and the one it came from."""

    text: str
    frames: tuple[str, ...] = ()
    origin: tuple[str, Raised] | None = None


def explain(
    *,
    exit_code: int,
    tail: bytes,
    command: str = "",
    killed_by: int | None = None,
    stopped_by: int | None = None,
    out_of_memory: bool = False,
) -> str:
    """Text of the failure file for a program that ended with `exit_code`, never empty."""
    lines = _lines(tail)
    raised = last_exception(lines)
    ending = describe_exit(exit_code, killed_by=killed_by, out_of_memory=out_of_memory)
    told = clip(f"Command: {command}", COMMAND_LIMIT) if command else ""
    if stopped_by is not None:
        return compose(_stop(exit_code, stopped_by), _unrelated(raised, stopped_by), told)
    if _by_signal(exit_code, killed_by) or out_of_memory:
        last = f"Last exception in the log: {clip(raised.text, CAUSE_LIMIT)}" if raised else ""
        return compose(ending, last, told, _last_words(lines) if not raised else "")
    if raised:
        return compose(_chain(raised), ending, told, _frames(raised))
    cause = _other_cause(lines)
    return compose(cause, ending, told, "" if cause else _last_words(lines))


def describe_exit(
    exit_code: int, *, killed_by: int | None = None, out_of_memory: bool = False
) -> str:
    """One sentence on an exit code: `The program was killed by SIGKILL (exit code 137): …`."""
    number = killed_by or (exit_code - 128 if exit_code > 128 else None)
    name = _signal_name(number)
    if out_of_memory:
        return (
            f"Out of memory: the kernel killed a process of this container (exit code {exit_code})."
        )
    if name:
        why = _SIGNAL_MEANING.get(signal.Signals[name], "")
        return (
            f"The program was killed by {name} (exit code {exit_code}){': ' + why if why else ''}."
        )
    meaning = _MEANING.get(exit_code, "")
    return f"The program exited with code {exit_code}{': ' + meaning if meaning else ''}."


def last_exception(lines: Sequence[str]) -> Raised | None:
    """The last Python exception of an output, with what it was raised from."""
    raised: Raised | None = None
    link = ""
    for start, prefix in list(_markers(lines))[-TRACEBACKS:]:
        link = _link_before(lines, start, prefix) if raised else ""
        found = _parse(lines, start, prefix)
        if found:
            origin = (link, raised) if link and raised else None
            raised = Raised(text=found.text, frames=found.frames, origin=origin)
    return raised or _without_traceback(lines)


def _lines(tail: bytes) -> list[str]:
    text = _ANSI.sub("", tail.decode("utf-8", "replace"))
    # A progress bar redraws its line with carriage returns: only its last state counts.
    return [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]


def _markers(lines: Sequence[str]) -> Iterator[tuple[int, re.Pattern[str]]]:
    for number, line in enumerate(lines):
        before, found, after = line.partition(_MARKER)
        if found and not after.strip():
            yield number, _prefix_pattern(before.removesuffix(_GROUP_MARKER[: -len(_MARKER)]))


def _prefix_pattern(prefix: str) -> re.Pattern[str]:
    """What stands before a traceback in a log, with any digits: `[1,mpirank:0]<stderr>:`."""
    plain = prefix.replace("+", "|")  # an exception group opens with "+" and goes on with "|"
    return re.compile(re.sub(r"\d+", r"\\d+", re.escape(plain)))


def _strip(line: str, prefix: re.Pattern[str]) -> str:
    match = prefix.match(line)
    return line[match.end() :] if match else line


def _parse(lines: Sequence[str], start: int, prefix: re.Pattern[str]) -> Raised | None:
    """The traceback whose marker is at `start`."""
    rest = [_strip(line, prefix) for line in lines[start + 1 :]]
    head = next((n for n, line in enumerate(rest) if line and not line[0].isspace()), None)
    if head is None or not _HEAD.match(rest[head]):
        return None
    text = [rest[head], *_continuation(rest[head + 1 :])]
    return Raised(text="\n".join(text), frames=tuple(line for line in rest[:head] if line))


def _continuation(rest: Sequence[str]) -> list[str]:
    """Further lines of a message: nothing marks their end but what else is known to follow."""
    taken: list[str] = []
    for line in rest[:MESSAGE_LINES]:
        if _MARKER in line or line in {_DIRECT, _DURING} or _LOG_LINE.match(line):
            break
        taken.append(line)
    while taken and not taken[-1]:
        taken.pop()
    return taken


def _link_before(lines: Sequence[str], start: int, prefix: re.Pattern[str]) -> str:
    before = next((_strip(line, prefix) for line in reversed(lines[:start]) if line.strip()), "")
    return {_DIRECT: "caused by", _DURING: "while handling"}.get(before.strip(), "")


def _without_traceback(lines: Sequence[str]) -> Raised | None:
    """A syntax error of the script itself is printed without the marker."""
    for number in range(len(lines) - 1, -1, -1):
        if _BARE_ERROR.match(lines[number]):
            frames = [line for line in lines[max(0, number - 3) : number] if line.startswith(" ")]
            return Raised(text=lines[number], frames=tuple(frames))
    return None


def _chain(raised: Raised) -> str:
    parts = [clip(raised.text, CAUSE_LIMIT)]
    while raised.origin:
        link, raised = raised.origin
        parts.append(f"{link}: {clip(raised.text, CAUSE_LIMIT // 3)}")
    return "\n".join(parts)


def _frames(raised: Raised) -> str:
    return "\n".join(("Traceback:", *raised.frames[-FRAME_LINES:])) if raised.frames else ""


def _other_cause(lines: Sequence[str]) -> str:
    """No exception: the last line that speaks of an error, else the last words."""
    for line in reversed(lines[-10:]):
        if _ERROR_LINE.search(line):
            return clip(line.strip(), CAUSE_LIMIT)
    return ""


def _last_words(lines: Sequence[str]) -> str:
    said = [line for line in lines if line.strip() and not line.startswith("sagedock: ")]
    return clip(f"Last line of the log: {said[-1].strip()}", CAUSE_LIMIT) if said else ""


def _stop(exit_code: int, stopped_by: int) -> str:
    name = _signal_name(stopped_by)
    if exit_code == 128 + stopped_by:
        return f"Stopped: {name} was received and ended the program (exit code {exit_code})."
    return f"Stopped: {name} was received; the program then ended with exit code {exit_code}."


def _unrelated(raised: Raised | None, stopped_by: int) -> str:
    """An exception after a stop, unless it only says that there was one."""
    if raised is None or (stopped_by == signal.SIGINT and "KeyboardInterrupt" in raised.text):
        return ""
    return f"Last exception in the log: {clip(raised.text, CAUSE_LIMIT)}"


def _by_signal(exit_code: int, killed_by: int | None) -> bool:
    return killed_by is not None or bool(exit_code > 128 and _signal_name(exit_code - 128))


def _signal_name(number: int | None) -> str:
    try:
        return signal.Signals(number).name if number else ""
    except ValueError:
        return ""
