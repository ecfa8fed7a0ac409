"""Script mode: make the user's script ready, then become it.

The toolkit runs the script as its own child and so loses its exit code (B6.1) and its signals
(B7.1). Here the process that has prepared everything `exec`s the user's command: the script itself
is the supervisor's child. Variables and arguments are the toolkit's own (B1 to B3).
"""

from __future__ import annotations

import os
import shlex
import sys
from importlib import invalidate_caches
from pathlib import Path
from typing import Any, NoReturn

from sagedock.contract.paths import MLPaths
from sagedock.errors import TrainingError
from sagedock.runtime import config, entry_point, hosts, requirements, source
from sagedock.runtime.entry_point import Kind
from sagedock.runtime.mode import PROGRAM_VARIABLE, Plan
from sagedock.runtime.supervisor import Report

STRING_LIMIT = 32 * 4096
"""Linux's MAX_ARG_STRLEN: bytes of one argument or variable, its closing zero included."""


def run(paths: MLPaths, plan: Plan, report: Report) -> NoReturn:
    """Becomes the user's script. Raises TrainingError for what keeps it from starting."""
    kind = prepare(paths, plan)
    environment = toolkit_environment(plan.program)
    command = entry_point.command_of(
        plan.program, kind, environment.to_cmd_args(), python=sys.executable
    )
    variables = variables_for(environment.to_env_vars(), dict(os.environ), paths.code)
    become(command, variables, paths.code, report)


def prepare(paths: MLPaths, plan: Plan) -> Kind:
    """Checks the configuration, brings the code, installs requirements, waits for other hosts."""
    _current, names = config.read_hosts(paths)
    config.read_object(paths.input_data_config)
    entry_point.check_name(plan.program)
    kind = bring_code(paths, plan)
    requirements.install(kind, Path(paths.code))
    hosts.wait_for(names, seconds=hosts.wait_seconds())
    return kind


def bring_code(paths: MLPaths, plan: Plan) -> Kind:
    """Makes /opt/ml/code hold the program, and says what kind of program it is."""
    folder = Path(paths.code)
    source.bring(plan.submit_directory, folder, delivered=source.is_delivered())
    kind = entry_point.kind_of(plan.program, [path.name for path in folder.iterdir()])
    if kind is not Kind.PACKAGE:
        _check_file(plan.program, folder)
    if kind is Kind.COMMAND:
        _make_executable(folder / plan.program)
    return kind


def toolkit_environment(program: str) -> Any:
    """sagemaker-training's Environment, for the program decided on (B4: env wins there)."""
    if program:
        os.environ[PROGRAM_VARIABLE] = program
    invalidate_caches()  # pip may just have installed what is imported now
    try:
        from sagemaker_training.environment import Environment
    except ImportError as error:
        raise TrainingError(
            f"Script mode needs the package sagemaker-training in the image: {error}.",
            hint="Install sagemaker-training==5.1.4, or build on sagedock/training.",
        ) from error
    return Environment()


def variables_for(toolkit: dict[str, str], inherited: dict[str, str], code: str) -> dict[str, str]:
    """The script's environment. The code folder comes first on PYTHONPATH, for its children too.

    PYTHONUNBUFFERED keeps the order of stdout and stderr. Raises TrainingError for a variable that
    Linux would refuse.
    """
    path = [code, *filter(None, [inherited.get("PYTHONPATH")])]
    variables = {
        "PYTHONUNBUFFERED": "1",
        **inherited,
        **toolkit,
        "PYTHONPATH": os.pathsep.join(path),
    }
    for name, value in variables.items():
        size = len(os.fsencode(name)) + len(os.fsencode(value)) + 2
        if size > STRING_LIMIT:
            raise TrainingError(
                f"The variable {name} would take {size} bytes; Linux passes at most "
                f"{STRING_LIMIT} on to a program.",
                hint="Hyperparameters this large belong into a file in an input channel.",
            )
    return variables


def become(command: list[str], variables: dict[str, str], folder: str, report: Report) -> NoReturn:
    """Replaces this process by `command`, run in `folder`."""
    text = shlex.join(command)
    report(text)
    print(f"sagedock: running {text}", flush=True)
    os.chdir(folder)
    try:
        os.execvpe(command[0], command, variables)
    except OSError as error:
        raise TrainingError(f"Can't run {text}: {error.strerror}.") from error


def _check_file(program: str, folder: Path) -> None:
    """The script exists and lies, links resolved, in the code folder (B5.2)."""
    target = (folder / program).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise TrainingError(
            f"Script {program} is a link to {target}, outside of {folder}.",
            hint="Put the script itself into source_dir.",
        )
    if not target.is_file():
        raise entry_point.not_found(program, str(folder), source.files_in(folder))


def _make_executable(path: Path) -> None:
    """As the toolkit does (B5.1); a read-only folder will do if the file can be executed."""
    try:
        path.chmod(0o777)
    except OSError as error:
        if not os.access(path, os.X_OK):
            raise TrainingError(f"{path} can't be made executable: {error}.") from error
