"""Which of its three ways a training container takes. A pure decision on data.

Source: A2.1b (quoted values), B4 (who names the program), B2 (SAGEMAKER_TRAINING_MODULE).
Must not know how a mode is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sagedock.contract.hyperparameters import decode

PROGRAM = "sagemaker_program"
SUBMIT_DIRECTORY = "sagemaker_submit_directory"
PROGRAM_VARIABLE = "SAGEMAKER_PROGRAM"
MODULE_VARIABLE = "SAGEMAKER_TRAINING_MODULE"
INTERMEDIATE_OUTPUT = "sagemaker_s3_output"

RUNNERS = {
    "sagemaker_mpi_enabled": "MPI",
    "sagemaker_distributed_dataparallel_enabled": "SMDataParallel",
    "sagemaker_pytorch_xla_multi_worker_enabled": "PyTorchXLA",
    "sagemaker_torch_distributed_enabled": "TorchDistributed",
}
"""B4: hyperparameter that asks for a launcher → name of the toolkit's runner for it."""


class Mode(Enum):
    ALGORITHM = "algorithm"
    SCRIPT = "script"
    TOOLKIT = "toolkit"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do. `runner` is a name of the toolkit's RunnerType, only for Mode.TOOLKIT."""

    mode: Mode
    program: str = ""
    submit_directory: str = ""
    module: str = ""
    runner: str = "Process"
    warnings: tuple[str, ...] = ()


def decide(hyperparameters: Mapping[str, Any], environment: Mapping[str, str]) -> Plan:
    """The plan of a job. The job's own program beats one that is baked into the image (B4)."""
    asked = _text(hyperparameters.get(PROGRAM))
    baked = _text(environment.get(PROGRAM_VARIABLE))
    program = asked or baked
    module = environment.get(MODULE_VARIABLE, "")
    if not program and not module:
        return Plan(mode=Mode.ALGORITHM)
    runner = _runner(hyperparameters)
    toolkit = module or runner != "Process" or hyperparameters.get(INTERMEDIATE_OUTPUT)
    return Plan(
        mode=Mode.TOOLKIT if toolkit else Mode.SCRIPT,
        program=program,
        submit_directory=_text(hyperparameters.get(SUBMIT_DIRECTORY)),
        module=module,
        runner=runner,
        warnings=_beaten(asked, baked),
    )


def _text(value: Any) -> str:
    """A value with or without the JSON quotes of an SDK (A2.1b)."""
    if value is None:
        return ""
    decoded = decode(value) if isinstance(value, str) else value
    return decoded if isinstance(decoded, str) else str(value)


def _runner(hyperparameters: Mapping[str, Any]) -> str:
    for name, runner in RUNNERS.items():
        value = hyperparameters.get(name)
        if (decode(value) if isinstance(value, str) else value) in (True, "True", "TRUE"):
            return runner
    return "Process"


def _beaten(asked: str, baked: str) -> tuple[str, ...]:
    if not asked or not baked or asked == baked:
        return ()
    return (
        f"the environment variable {PROGRAM_VARIABLE}={baked} is ignored: the job names the "
        f"program {asked} (hyperparameter {PROGRAM}).",
    )
