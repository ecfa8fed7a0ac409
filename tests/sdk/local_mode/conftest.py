"""The official local modes: Docker Compose, no AWS, and what they leave behind taken away."""

import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from sdk_kit import ROOT, Churn, finished

from sagedock.server.http import free_port

OPTED_OUT = (
    "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"
)
HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def compose() -> None:
    """The program that both SDKs start containers with."""
    if subprocess.run([ROOT / "docker" / "ensure-compose.sh"], check=False).returncode:
        pytest.exit("there is no Docker Compose: see the lines above", returncode=1)


@dataclass(frozen=True)
class LocalMode:
    """One test's folder, `out`, and how to run a program of `programs/` that works in it."""

    environments: Mapping[str, Path]
    variables: Mapping[str, str]
    churn: Churn
    out: Path

    def run(self, program: str, *arguments: object) -> str:
        """By the SDK that the program's name begins with; what it printed."""
        interpreter = self.environments[program.partition("_")[0]] / "python"
        command = [interpreter, HERE / "programs" / program, *map(str, arguments)]
        return finished(command, self.variables, 180).stdout

    @staticmethod
    def members(archive: Path) -> list[str]:
        """Names of the files in a .tar.gz."""
        with tarfile.open(archive) as tar:
            return sorted(Path(member.name).name for member in tar if member.isfile())


@pytest.fixture
def local_mode(
    environments: Mapping[str, Path],
    clean: Callable[[], dict[str, str]],
    churn: Churn,
    tmp_path: Path,
) -> Iterator[LocalMode]:
    """A region and credentials that are none: v2 wants them even where nothing leaves the machine.
    Afterwards the containers that Compose left are removed: it says by label whose they are."""
    config = tmp_path / "config.yaml"
    config.write_text(OPTED_OUT)
    out = tmp_path / "out"
    out.mkdir()
    variables = {
        **clean(),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config),
    }
    yield LocalMode(environments, variables, churn, out)
    remove_left(tmp_path)


def remove_left(folder: Path) -> list[str]:
    """Remove the containers that Compose made for files below `folder`; their states."""
    label = "com.docker.compose.project.working_dir"
    ids = _docker("ps", "-aq", "--filter", f"label={label}").split()
    found = json.loads(_docker("inspect", *ids)) if ids else []
    ours = [item for item in found if Path(item["Config"]["Labels"][label]).is_relative_to(folder)]
    for item in ours:
        _docker("rm", "-fv", item["Id"])
    _docker("network", "rm", "sagemaker-local")  # fails, and may, while others use it
    return [item["State"]["Status"] for item in ours]


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return done.stdout


@pytest.fixture
def port() -> int:
    """A free one, instead of the modes' 8080."""
    return free_port()
