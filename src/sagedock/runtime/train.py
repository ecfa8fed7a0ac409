"""`train`: the program that SageMaker starts in a training container (A1.1), PID 1.

    train                  a training job, as its configuration files say
    train -- COMMAND …     any command, with the same care for signals, exit code and failure file

Without a program it runs XGBoost algorithm mode; with hyperparameter `sagemaker_program` the user's
script; where a launcher or framework module is asked for, the toolkit's own runner. Whatever goes
wrong, here too: an exit code that isn't 0, and a failure file.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sagedock.contract.failure import compose
from sagedock.contract.paths import MLPaths
from sagedock.runtime import config, door
from sagedock.runtime.diagnosis import explain
from sagedock.runtime.mode import Mode, Plan, decide
from sagedock.runtime.supervisor import Ending, Report, supervise

_OOM_FILES = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the training: the program's own, 128+n when signal n killed it."""
    paths = door.paths_here()
    try:
        return _train(sys.argv[1:] if argv is None else argv, paths)
    except BaseException as error:
        # Nothing may leave this container green (B7.2), the supervisor's own faults least of all.
        traceback.print_exc()
        door.write_failure(
            paths, compose(f"sagedock's supervisor failed: {error!r}", traceback.format_exc())
        )
        return 1


def _train(argv: Sequence[str], paths: MLPaths) -> int:
    door.forget(paths)
    command = _command(argv)

    def body(report: Report) -> int:
        if command:
            return door.guarded(lambda: _become(command, str(Path.cwd()), report), paths)
        return door.guarded(lambda: _job(paths, report), paths)

    return _finish(paths, supervise(body))


def _command(argv: Sequence[str]) -> list[str]:
    """What follows `--`. The word `train` may come twice: image and platform both say it (A1.1)."""
    words = list(argv)
    if "--" in words:
        return words[words.index("--") + 1 :]
    ignored = [word for word in words if word != "train"]
    if ignored:
        print(
            f"sagedock: warning: arguments {shlex.join(ignored)} are ignored: a training job takes "
            "hyperparameters. To run a command, use `train -- COMMAND`.",
            flush=True,
        )
    return []


def _job(paths: MLPaths, report: Report) -> int:
    """In the child: becomes the program that the job asks for."""
    plan = decide(config.read_object(paths.hyperparameters), os.environ)
    for warning in plan.warnings:
        print(f"sagedock: warning: {warning}", flush=True)
    if plan.mode is Mode.ALGORITHM:
        _module("algorithm", report)
    from sagedock.runtime import script_mode

    if plan.mode is Mode.SCRIPT:
        script_mode.run(paths, plan, report)
    _prepare_toolkit(paths, plan)
    _module("launcher", report)


def _prepare_toolkit(paths: MLPaths, plan: Plan) -> None:
    """A framework's module installs the user's code itself; a launcher finds it installed."""
    from sagedock.runtime import script_mode

    if not plan.module:
        script_mode.prepare(paths, plan)
    elif plan.program:
        script_mode.bring_code(paths, plan)


def _module(name: str, report: Report) -> NoReturn:
    command = [sys.executable, "-P", "-m", f"sagedock.runtime.{name}"]
    _become(command, str(Path.cwd()), report)


def _become(command: list[str], folder: str, report: Report) -> NoReturn:
    from sagedock.runtime.script_mode import become

    become(command, {"PYTHONUNBUFFERED": "1", **os.environ}, folder, report)


def _finish(paths: MLPaths, ending: Ending) -> int:
    """The files that speak of the end, and the exit code."""
    if ending.exit_code == 0:
        door.write_success(paths)
        return 0
    if not door.has_failure(paths):
        door.write_failure(paths, _explain(ending))
    print(f"sagedock: {_first_line(paths, ending)}", flush=True)
    return ending.exit_code


def _explain(ending: Ending) -> str:
    return explain(
        exit_code=ending.exit_code,
        tail=ending.tail,
        command=ending.command,
        killed_by=ending.killed_by,
        stopped_by=ending.stopped_by,
        out_of_memory=_out_of_memory(),
    )


def _first_line(paths: MLPaths, ending: Ending) -> str:
    words = ""
    with contextlib.suppress(OSError):
        words = Path(paths.failure).read_text(encoding="utf-8", errors="replace").strip()
    return f"training ended with exit code {ending.exit_code}: {words.partition(chr(10))[0]}"


def _out_of_memory() -> bool:
    """Whether the kernel's OOM killer was at work in this container (cgroup v2, then v1)."""
    for path in _OOM_FILES:
        with contextlib.suppress(OSError):
            for line in Path(path).read_text(encoding="ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill" and count.strip() not in {"", "0"}:
                    return True
    return False


if __name__ == "__main__":
    sys.exit(main())
