"""`serve`: the program that SageMaker starts in a serving container (D1.1), PID 1.

Reads the environment, installs the user's requirements, imports what the workers share, and hands
over to the master. Whatever goes wrong is one clear line and an exit code that isn't 0.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import traceback
from pathlib import Path

from sagedock.errors import SagedockError
from sagedock.runtime import door, requirements
from sagedock.runtime.entry_point import Kind
from sagedock.runtime.serve import discovery, settings, worker, xgboost_model
from sagedock.runtime.serve.master import Master, bind
from sagedock.runtime.serve.metrics import Counters
from sagedock.runtime.serve.settings import Settings

_SERVER = (
    "numpy",
    "orjson",
    "simdjson",
    "uvloop",
    "uvicorn.server",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.httptools_impl",
    "sagedock.runtime.serve.app",
    "sagedock.runtime.serve.lane",
)
_LEARN = ("joblib", "sklearn.ensemble")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    """Exit code of the container: 0 after a stop signal."""
    try:
        return _serve()
    except SagedockError as error:
        print(f"sagedock: error: {error}", file=sys.stderr, flush=True)
        return error.exit_code or 1
    except PermissionError as error:
        print(
            f"sagedock: error: user {os.getuid()} may not open {error.filename}.\n"
            "A serving container may run as any user (D6.4): chmod -R o+rX what it reads.",
            file=sys.stderr,
            flush=True,
        )
        return 1
    except Exception:
        traceback.print_exc()
        return 1


def _serve() -> int:
    found = settings.read(os.environ, door.paths_here(), cpus=cpus())
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    if found.multi_model:
        from sagedock.runtime.serve.multi_model import serve

        return serve(found, bind(found.port))
    listener = bind(found.port)
    install_requirements(found.code_dir)
    preimport(found)
    counters = Counters(found.workers)
    master = Master(
        lambda place: worker.run(found, counters, place),
        listener,
        counters,
        workers=found.workers,
    )
    return master.run()


def cpus() -> int:
    """Cores this container may use: its quota, if it has one, rounded up."""
    usable = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(usable, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return usable


def preimport(found: Settings) -> None:
    """Imports, once for all workers, what they need: their pages stay shared.

    Importing starts no thread; a model is only loaded and asked after the fork.
    """
    xgboost_only = False
    if discovery.program(found) is None:
        xgboost_only = discovery.is_xgboost_only(found)
    if xgboost_only:
        xgboost_model.import_xgboost()
    for name in (*_SERVER, *(() if xgboost_only else _known(_LEARN))):
        importlib.import_module(name)


def _known(names: tuple[str, ...]) -> list[str]:
    """Those whose package is there: an image on another base may do without."""
    return [name for name in names if importlib.util.find_spec(name.partition(".")[0])]


def install_requirements(code_dir: str) -> None:
    """requirements.txt beside the user's module; to a folder of its own where the image's can't be
    written. Raises TrainingError with pip's words."""
    if not (Path(code_dir) / requirements.FILE).is_file():
        return
    site = next(path for path in sys.path if path.endswith("site-packages"))
    if not os.access(site, os.W_OK):
        target = tempfile.mkdtemp(prefix="sagedock-requirements-")
        os.environ["PIP_TARGET"] = target
        sys.path.insert(0, target)
    requirements.install(Kind.SCRIPT, Path(code_dir))


if __name__ == "__main__":
    sys.exit(main())
