"""How a training container ends: exit codes, signals, failure file, bad input.

Rows of the contract are named in the tests.
"""

from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from training_container import DUMP, Make, script

from sagedock.contract.paths import ML

CA_BUNDLE = "/etc/sagedock/ca-bundle.crt"


# ---- how it ends: B6, B7.1, B7.2, A5, A6 ------------------------------------------------------
def test_a_script_that_raises(job: Make) -> None:
    made = job(**script("import os\ndef load():\n    raise KeyError('churn')\nload()\n"))
    assert made.run() == 1
    failure = made.failure or ""
    assert failure.startswith("KeyError: 'churn'\nThe program exited with code 1.\nCommand: ")
    assert 'File "/opt/ml/code/train.py", line 3, in load' in failure
    assert not made.succeeded


def test_a_script_that_exits_3(job: Make) -> None:  # B6.1
    made = job(**script("print('giving up'); raise SystemExit(3)"))
    assert made.run() == 3
    assert (made.failure or "").startswith("The program exited with code 3.")


def test_a_script_that_is_killed(job: Make) -> None:  # B6.2
    made = job(**script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert made.run() == 137
    assert (made.failure or "").startswith("The program was killed by SIGKILL (exit code 137)")


def test_a_script_that_takes_too_much_memory(job: Make) -> None:
    made = job(**script("b = bytearray(600 * 2**20); print(len(b))", mem_limit="200m",
                        memswap_limit="200m"))  # fmt: skip
    assert made.run() == 137
    assert "ut of memory" in (made.failure or "").splitlines()[0]


def test_a_failure_file_of_the_script(job: Make) -> None:  # B6.3
    made = job(**script(f"open({ML.failure!r}, 'w').write('my words'); raise SystemExit(4)"))
    assert made.run() == 4
    assert made.failure == "my words"


def test_a_failure_file_of_an_earlier_start(job: Make) -> None:  # A5.14
    made = job(**script("pass", files={ML.failure: "old words"}))
    assert made.run() == 0
    assert made.failure is None


def test_sigterm_reaches_the_script(job: Make) -> None:  # B7.1, A6.1
    made = job(
        **script(
            "import signal, sys, time\n"
            "def save(*_):\n"
            "    open('/opt/ml/model/saved', 'w').write('yes'); print('saved'); sys.exit(0)\n"
            "signal.signal(signal.SIGTERM, save)\n"
            "print('ready')\n"
            "time.sleep(60)\n"
        )
    ).start()
    made.wait_for("\nready")
    made.container.stop(timeout=30)
    assert made.wait() == 0
    assert made.read("/opt/ml/model/saved") == "yes"
    assert made.failure is None


def test_sigterm_without_a_handler(job: Make) -> None:  # A6.2
    made = job(**script("print('ready'); import time; time.sleep(60)")).start()
    made.wait_for("\nready")
    before = time.monotonic()
    made.container.stop(timeout=30)
    assert made.wait() == 143
    assert time.monotonic() - before < 15
    assert (made.failure or "").startswith("Stopped: SIGTERM was received")


def test_a_script_that_ignores_sigterm(job: Make) -> None:
    """It goes on, undisturbed, until the platform's SIGKILL."""
    made = job(
        **script(
            "import signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "print('ready')\n"
            "time.sleep(60)\n"
        )
    ).start()
    made.wait_for("\nready")
    made.container.stop(timeout=2)
    assert made.wait() == 137
    assert made.failure is None


def test_sigterm_while_pip_installs(job: Make) -> None:
    slow = {"requirements.txt": "--index-url https://192.0.2.1/simple\nnosuch\n"}
    made = job(**script("print('never')", code=slow, environment={"PIP_RETRIES": "50"})).start()
    made.wait_for("pip install")
    time.sleep(0.5)
    made.container.stop(timeout=30)
    assert made.wait() == 143, made.log
    assert (made.failure or "").startswith("Stopped: SIGTERM")


def test_orphans_are_reaped(job: Make) -> None:
    made = job(
        **script(
            "import os, subprocess, time\n"
            "for _ in range(20): subprocess.run(['sh', '-c', 'sleep 0.2 &'])\n"
            "time.sleep(1)\n"
            "states = [open(f'/proc/{p}/stat').read().rpartition(')')[2].split()[0]\n"
            "          for p in os.listdir('/proc') if p.isdigit()]\n"
            "print('processes', len(states), 'zombies', states.count('Z'))\n"
        )
    )
    assert made.run() == 0
    assert "processes 2 zombies 0" in made.log


def test_a_process_left_behind(job: Make) -> None:  # A5.8
    made = job(**script("import subprocess; subprocess.Popen(['sleep', '300']); print('done')"))
    before = time.monotonic()
    assert made.run() == 0
    assert time.monotonic() - before < 60
    assert "done" in made.log


def test_no_program_and_no_data(job: Make) -> None:  # A2.2e
    made = job()
    assert made.run() == 1
    assert "num_round" in (made.failure or "")
    made = job(hyperparameters={"num_round": "1", "objective": "binary:logistic"})
    assert made.run() == 1
    assert "channel" in (made.failure or "").splitlines()[0]


# ---- bad input --------------------------------------------------------------------------------
def test_a_script_that_is_not_there(job: Make) -> None:  # B6.5
    made = job(hyperparameters={"sagemaker_program": "train.py"}, code={"src/train.py": "pass"})
    assert made.run() == 1
    assert (made.failure or "").startswith(
        f"Script train.py not found in {ML.code}: it holds src/train.py.\nDid you mean src/train.py"
    )


def test_a_script_whose_name_cannot_be_used(job: Make) -> None:  # B5.2
    made = job(hyperparameters={"sagemaker_program": "../train.py"})
    assert made.run() == 1
    assert "'../train.py' can't be used" in (made.failure or "")


@pytest.mark.parametrize("name", ["hyperparameters", "input_data_config", "resource_config"])
def test_a_missing_config_file(job: Make, name: str) -> None:  # B1.4
    path = getattr(ML, name)
    made = job(**script(DUMP, files={path: None}))
    assert made.run() == 1
    assert (made.failure or "").startswith(f"Configuration file {path} is missing.")


def test_hyperparameters_that_are_no_json(job: Make) -> None:
    made = job(files={ML.hyperparameters: "{epochs: 3"})
    assert made.run() == 1
    assert f"{ML.hyperparameters} is not valid JSON" in (made.failure or "")


def test_hyperparameters_too_large_for_linux(job: Make) -> None:
    large = {f"h{n}": "x" * 2500 for n in range(60)}
    made = job(**script(DUMP, hyperparameters=large))
    assert made.run() == 1
    assert "Linux passes at most 131072" in (made.failure or "")


def _wheel() -> bytes:
    """A package as a wheel, made here, so that installing it needs no network."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        wheel.writestr("tiny_of_sagedock.py", "WORD = 'installed'\n")
        info = "tiny_of_sagedock-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-of-sagedock\n"
                                           "Version: 1.0\n")  # fmt: skip
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\n"
                                        "Root-Is-Purelib: true\nTag: py3-none-any\n")  # fmt: skip
        wheel.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


def test_requirements_are_installed(job: Make) -> None:  # B5.3
    code = {
        "requirements.txt": "./tiny_of_sagedock-1.0-py3-none-any.whl\n",
        "tiny_of_sagedock-1.0-py3-none-any.whl": _wheel(),
    }
    made = job(**script("import tiny_of_sagedock; print(tiny_of_sagedock.WORD)", code=code))
    assert made.run() == 0, made.log
    assert "\ninstalled" in made.log


def test_requirements_that_cannot_be_installed(job: Make) -> None:
    code = {"requirements.txt": "--no-index\nnosuch-of-sagedock==9.9\n"}
    made = job(**script("print('never')", code=code))
    assert made.run() == 1
    failure = made.failure or ""
    assert failure.startswith("Could not install nosuch-of-sagedock==9.9 (from /opt/ml/code/requ")
    assert "ERROR: No matching distribution found for nosuch-of-sagedock==9.9" in failure
    assert "never" not in made.log.splitlines()


def test_requirements_of_a_shell_script_are_not_installed(job: Make) -> None:  # B5.3
    made = job(
        hyperparameters={"sagemaker_program": "bin/train.sh", "name": "it's; $(id)"},
        code={
            "bin/train.sh": '#!/bin/sh\necho "got $1 $2 in $PWD"\nexit 5\n',
            "requirements.txt": "--no-index\nnosuch\n",
        },
    )
    assert made.run() == 5
    assert f"got --name it's; $(id) in {ML.code}" in made.log


def test_sigterm_reaches_a_shell_script(job: Make) -> None:
    made = job(
        hyperparameters={"sagemaker_program": "train.sh"},
        code={
            "train.sh": "#!/bin/sh\ntrap 'echo saved; exit 0' TERM\necho ready\n"
            "while :; do sleep 0.1; done\n"
        },
    ).start()
    made.wait_for("\nready")
    made.container.stop(timeout=30)
    assert made.wait() == 0
    assert "saved" in made.log


def test_a_package(job: Make) -> None:  # B5.1b
    """setup.py beside the script: installed by pip, which fetches what builds it, then `-m`."""
    setup = "from setuptools import setup\nsetup(name='churn-of-test', py_modules=['train'])\n"
    made = job(
        **script("print('as', __name__, __spec__.name)", code={"setup.py": setup}),
        **_reaching_out(),
    )
    assert made.run() == 0, made.log
    assert "\nas __main__ train" in made.log


def _reaching_out() -> dict[str, Any]:
    """Settings of the machine that a container needs to reach a package index."""
    bundle = os.environ.get("SSL_CERT_FILE", "")
    names = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    files: dict[str, str] = {}
    if bundle:
        environment |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), CA_BUNDLE)
        files[CA_BUNDLE] = Path(bundle).read_text(encoding="utf-8")
    return {"environment": environment, "files": files, "network": "bridge"}
