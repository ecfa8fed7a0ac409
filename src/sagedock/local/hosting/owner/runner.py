"""The process of one endpoint: `python -m sagedock.local.hosting.owner.runner NAME PID STARTED`,
the settings as JSON on standard input. PID and STARTED name the owner it is taken from."""

from __future__ import annotations

import sys

from sagedock.local.process import Owner
from sagedock.local.runner import own


def main(name: str, pid: str, started: str) -> int:
    """Take the endpoint over and keep it until it is deleted."""
    giver = Owner(pid=int(pid), started=started)
    return own(lambda client: client.keep_endpoint(name, giver))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
