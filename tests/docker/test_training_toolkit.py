"""The training toolkit's own faults and runners, in the training image.

Rows of the contract (B5, B7) are named in the tests.
"""

from __future__ import annotations

import pytest
from training_container import DUMP, Make, script

from sagedock.contract.paths import ML


# ---- the toolkit's own faults and runners: B7.2 to B7.5 ---------------------------------------
def test_an_error_without_errno_is_not_green(job: Make) -> None:  # B7.2
    made = job(
        code={"framework.py": "def main():\n    raise OSError('no number')\n"},
        environment={"SAGEMAKER_TRAINING_MODULE": "framework:main", "PYTHONPATH": ML.code},
    )
    assert made.run() == 1
    assert (made.failure or "").startswith("OSError: no number")


def test_the_toolkits_own_trainer_is_not_green_either(job: Make) -> None:  # B7.2
    made = job(
        code={"framework.py": "def main():\n    raise OSError('no number')\n"},
        environment={"SAGEMAKER_TRAINING_MODULE": "framework:main", "PYTHONPATH": ML.code},
        command=["python3", "-c", "from sagemaker_training.trainer import train; train()"],
    )
    assert made.run() == 1


def test_a_framework_that_succeeds(job: Make) -> None:
    made = job(
        code={"framework.py": "def main():\n    print('framework trained')\n"},
        environment={"SAGEMAKER_TRAINING_MODULE": "framework:main", "PYTHONPATH": ML.code},
    )
    assert made.run() == 0, made.log
    assert "framework trained" in made.log
    assert made.succeeded


def test_a_framework_that_is_not_there(job: Make) -> None:
    made = job(environment={"SAGEMAKER_TRAINING_MODULE": "nosuch:main"})
    assert made.run() == 1
    assert (made.failure or "").startswith("SAGEMAKER_TRAINING_MODULE=nosuch:main can't be loaded")


def test_functions_of_the_toolkit(job: Make) -> None:
    made = job(
        **script(
            "from sagemaker_training import encoders, environment, functions\n"
            "def f(a, b=1): pass\n"
            "print(functions.matching_args(f, {'a': 1, 'c': 2}))\n"  # B7.3
            "print(encoders.decode('1,2\\n', 'text/csv').shape)\n"  # B7.4
            "print(encoders.decode('1,2\\n3,4\\n', 'text/csv').shape)\n"
            "print(encoders.decode('1\\n2\\n3\\n', 'text/csv').shape)\n"
            "print(environment.Environment().get_current_instance_group())\n"  # B7.5
        )
    )
    assert made.run() == 0, made.log
    said = made.log.splitlines()[-5:]
    assert said == ["{'a': 1}", "(1, 2)", "(2, 2)", "(3,)", "homogeneousCluster"]


_TORCHRUN = """#!/bin/sh
echo "launched with $*"
for word; do last=$word; done
exec python3 train.py --launched
"""


@pytest.mark.parametrize("code", [0, 7])
def test_a_launcher_keeps_the_exit_code(job: Make, code: int) -> None:
    made = job(
        **script(
            f"import os, sys; print('host', os.environ['SM_CURRENT_HOST']); sys.exit({code})",
            hyperparameters={"sagemaker_torch_distributed_enabled": "true", "epochs": "3"},
            files={"/usr/local/bin/torchrun": _TORCHRUN},
        )
    )
    assert made.run() == code, made.log
    assert "launched with" in made.log
    assert "--epochs 3" in made.log
    assert "\nhost algo-1" in made.log
    assert (made.failure is None) == (code == 0)


def test_sigterm_through_a_launcher(job: Make) -> None:
    made = job(
        **script(
            "import signal, sys, time\n"
            "signal.signal(signal.SIGTERM, lambda *_: (print('saved'), sys.exit(0)))\n"
            "print('ready')\n"
            "time.sleep(60)\n",
            hyperparameters={"sagemaker_torch_distributed_enabled": "true"},
            files={"/usr/local/bin/torchrun": _TORCHRUN},
        )
    ).start()
    made.wait_for("\nready")
    made.container.stop(timeout=30)
    assert made.wait() == 0
    assert "saved" in made.log


def test_a_launcher_that_is_not_installed(job: Make) -> None:
    made = job(**script("pass", hyperparameters={"sagemaker_torch_distributed_enabled": "true"}))
    assert made.run() == 1
    assert "torchrun" in (made.failure or "").splitlines()[0]


def test_commands_and_names_are_those_of_the_toolkit(job: Make) -> None:  # B5.1, B5.2
    made = job(
        **script(
            "import os, sys\n"
            "from pathlib import Path\n"
            "from sagemaker_training import errors, process\n"
            "from sagedock.errors import TrainingError\n"
            "from sagedock.runtime.entry_point import check_name, command_of, kind_of\n"
            "words = ['--a', \"it's $(id)\", '']\n"
            "def ours(name):\n"
            "    try: check_name(name)\n"
            "    except TrainingError: return None\n"
            "    command = command_of(name, kind_of(name, os.listdir('.')), words,\n"
            "                         python=sys.executable)\n"
            "    return [word.removeprefix('exec ') for word in command]\n"
            "def theirs(name):\n"
            "    try: return process.ProcessRunner(name, words, {}, 1)._create_command()\n"
            "    except errors.ClientError: return None\n"
            "names = ['train.py', 'a/b.py', 'train.sh', 'train', 'a/x+1.sh', '-c', '/a.py', '',\n"
            "         '../a.py', 'a/../b.py', './a.py', 'a b.py', 'a;b.sh', 'a//b.py', '_x.py',\n"
            "         'x.py.py', 'a/', '.x']\n"
            "for setup in (False, True):\n"
            "    if setup: Path('setup.py').touch()\n"
            "    for name in names:\n"
            "        if name in ('', '/a.py') and ours(name) is None: continue\n"
            "        if ours(name) != theirs(name): print('DIFFERENT', ours(name), theirs(name))\n"
            "print('compared')\n"
        )
    )
    assert made.run() == 0, made.log
    assert "\ncompared" in made.log
    assert "\nDIFFERENT" not in made.log


def test_arguments_of_train(job: Make) -> None:
    made = job(**script(DUMP, command=["train", "--epochs", "3"]))
    assert made.run() == 0
    assert "warning: arguments --epochs 3 are ignored" in made.log


def test_any_command_under_supervision(job: Make) -> None:
    made = job(command=["train", "--", "sh", "-c", "echo hello; exit 6"])
    assert made.run() == 6
    assert "hello" in made.log
    assert (made.failure or "").startswith("The program exited with code 6.")
