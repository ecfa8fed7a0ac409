"""Waiting for the other hosts of a job to have addresses.

The toolkit looks up every host for up to 15 minutes, even where there is only one (B5.7). One host
needs no address of its own; several are waited for with a bound and with words (A2.3e).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence

from sagedock.errors import TrainingError

WAIT_SECONDS = 300.0
WAIT_VARIABLE = "SAGEDOCK_HOST_WAIT_SECONDS"
_PAUSE_SECONDS = 1.0
_WORD_EVERY = 30

Resolver = Callable[[str], bool]


def resolves(host: str) -> bool:
    """Whether `host` has an address now."""
    try:
        socket.gethostbyname(host)
    except OSError:
        return False
    return True


def wait_for(
    hosts: Sequence[str],
    *,
    seconds: float = WAIT_SECONDS,
    resolver: Resolver = resolves,
    say: Callable[[str], None] = print,
    pause: float = _PAUSE_SECONDS,
) -> None:
    """Returns when all hosts resolve, at once for a single one. Raises TrainingError when late."""
    if len(hosts) < 2:
        return
    deadline = time.monotonic() + seconds
    missing = [host for host in hosts if not resolver(host)]
    turn = 0
    while missing:
        if time.monotonic() >= deadline:
            raise _late(missing, hosts, seconds)
        if turn % _WORD_EVERY == 0:
            say(f"sagedock: waiting for host names {', '.join(missing)} (at most {seconds:.0f} s)")
        turn += 1
        time.sleep(pause)
        missing = [host for host in missing if not resolver(host)]


def wait_seconds() -> float:
    """The bound, which a machine may set through SAGEDOCK_HOST_WAIT_SECONDS."""
    return float(os.environ.get(WAIT_VARIABLE) or WAIT_SECONDS)


def _late(missing: Sequence[str], hosts: Sequence[str], seconds: float) -> TrainingError:
    return TrainingError(
        f"Host names that do not resolve after {seconds:.0f} s: {', '.join(missing)} "
        f"(of the job's {len(hosts)} hosts: {', '.join(hosts)}).",
        hint="The containers of a job need a common network with these names as aliases.",
    )
