"""One model of a multi-model endpoint: a worker on a Unix socket, told what to serve by numbers of
inherited sockets and a folder.

    python3 -m sagedock.runtime.serve.model_process LISTENER LINE FOLDER
"""

from __future__ import annotations

import os
import socket
import sys

from sagedock.errors import SagedockError
from sagedock.runtime import door
from sagedock.runtime.serve import main, settings, worker
from sagedock.runtime.serve.metrics import Counters
from sagedock.runtime.serve.multi_model import settings_of


def run(arguments: list[str]) -> int:
    """Exit code of the model's process."""
    listener, line = (socket.socket(fileno=int(number)) for number in arguments[:2])
    listener.setblocking(False)
    try:
        found = settings_of(settings.read(os.environ, door.paths_here(), cpus=1), arguments[2])
        main.install_requirements(found.code_dir)
        main.preimport(found)
    except SagedockError as error:
        print(f"sagedock: error: {error}", file=sys.stderr, flush=True)
        return worker.CANT_START
    place = worker.Place(number=0, listener=listener, line=line)
    return worker.run(found, Counters(1), place)


if __name__ == "__main__":
    worker.leave(run(sys.argv[1:]))
