"""Jobs that need the toolkit's own runners: mpi, torchrun, a framework's module, S3 sync.

Runs as a program of its own, below the supervisor. Calls the toolkit's functions one by one instead
of its `trainer.train`, whose exit code may be 0 after a failure (B7.2) and whose failure file tells
the cause last. Must not be used for plain scripts: see script_mode.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sagedock.contract.paths import MLPaths
from sagedock.errors import TrainingError
from sagedock.runtime import config, door, script_mode
from sagedock.runtime.mode import Plan, decide
from sagedock.runtime.supervisor import FORWARDED


def main() -> int:
    """Exit code of the user's program; never 0 for a failure."""
    # The whole group gets the signals: the user's program answers them, this one only waits.
    # A handler, not SIG_IGN, which the user's program would inherit.
    for number in FORWARDED:
        signal.signal(number, lambda number, frame: None)
    paths = door.paths_here()
    return door.guarded(lambda: _run(paths), paths)


def _run(paths: MLPaths) -> int:
    plan = decide(config.read_object(paths.hyperparameters), os.environ)
    environment = script_mode.toolkit_environment(plan.program)
    logging.basicConfig(level=int(environment.log_level), stream=sys.stdout)
    with _intermediate_output(environment):
        return _call(lambda: _start(plan, environment, paths))


def _start(plan: Plan, environment: Any, paths: MLPaths) -> None:
    from sagemaker_training import entry_point

    # Waited for already, with a bound (B5.7).
    entry_point._wait_hostname_resolution = lambda: None
    if plan.module:
        _framework(plan.module)()
        return
    from sagemaker_training import runner

    kind = runner.RunnerType[_runner_name(plan, environment)]
    variables = environment.to_env_vars()
    os.environ.update(script_mode.variables_for(variables, dict(os.environ), paths.code))
    sys.path.insert(0, paths.code)
    # Only the toolkit's own variables: it prints what it is given here.
    run = runner.get(kind, plan.program, environment.to_cmd_args(), variables, None).run
    run(wait=True, capture_error=False)  # by name: their order differs between runners


def _framework(name: str) -> Any:
    """`package.module:function` of SAGEMAKER_TRAINING_MODULE (B2)."""
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise TrainingError(
            f"SAGEMAKER_TRAINING_MODULE={name} can't be loaded: {error}.",
            hint="It must read package.module:function, and be installed in the image.",
        ) from error


def _runner_name(plan: Plan, environment: Any) -> str:
    """The launcher, but only for the instance groups that it is meant for."""
    distributed = environment.current_instance_group in environment.distribution_instance_groups
    return plan.runner if distributed else "Process"


def _call(start: Any) -> int:
    """0, or the failed program's own exit code, which the toolkit keeps as text (B6.1)."""
    from sagemaker_training import errors

    try:
        start()
    except errors._CalledProcessError as error:
        print(f"sagedock: {str(error)[:2000]}", file=sys.stderr, flush=True)
        return shell_code(error.return_code)
    except errors.ClientError as error:
        raise TrainingError(str(error)) from error
    return 0


def shell_code(text: object) -> int:
    """An exit code in a shell's terms; what isn't a failure's code becomes 1."""
    try:
        code = int(str(text))
    except ValueError:
        return 1
    return (128 - code if code < 0 else code) or 1


@contextmanager
def _intermediate_output(environment: Any) -> Iterator[None]:
    """The toolkit's sync of /opt/ml/output/intermediate; it ends when a sign of the end appears."""
    uri = environment.sagemaker_s3_output()
    if not uri:
        yield
        return
    from sagemaker_training import intermediate_output

    region = os.environ.get("AWS_REGION") or os.environ.get("SAGEMAKER_REGION")
    endpoint = os.environ.get("S3_ENDPOINT_URL")
    paths = door.paths_here()
    sync = intermediate_output.start_sync(uri, region, endpoint_url=endpoint)
    try:
        yield
    finally:
        kept = door.has_failure(paths)
        if not kept:
            door.write_success(paths)
        if sync:
            sync.join()
        if not kept:
            door.forget(paths)  # the supervisor says how it ended


if __name__ == "__main__":
    sys.exit(main())
