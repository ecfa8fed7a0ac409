"""A machine for the set-up scripts: a PATH of our own, real small tools, fakes of the rest."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DOCKER = Path(__file__).parents[3] / "docker"
REAL = """
awk bash basename cat chmod cksum cut dirname env find flock head kill ls mkdir mktemp mv rm sed
setsid sleep sort tail tar timeout touch tr
"""


class Machine:
    """Runs a script of docker/ where `id`, `uname`, `docker`, `apt-get`… are what the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.temporary = folder / "temporary"
        self.repository = folder / "repository"
        self.log = folder / "calls"
        self.variables: dict[str, str] = {}
        for path in (self.bin, self.temporary, self.repository):
            path.mkdir()
        shutil.copytree(DOCKER, self.repository / "docker")
        for name in REAL.split():
            found = shutil.which(name)
            assert found, f"the tests need {name}"
            (self.bin / name).symlink_to(found)
        self.has("uname", "echo Linux")
        self.has("id", '[ "$1" = -un ] && echo somebody || echo 1000')

    def has(self, name: str, script: str) -> None:
        """A program whose every call is noted before `script` runs."""
        path = self.bin / name
        path.write_text(f'#!{shutil.which("bash")}\necho "{name} $*" >>"{self.log}"\n{script}\n')
        path.chmod(0o755)

    def is_root(self) -> None:
        self.has("id", '[ "$1" = -un ] && echo root || echo 0')

    def environ(self, **variables: str) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("LANG",) if name in os.environ}
        return {
            "PATH": str(self.bin),
            "HOME": str(self.folder),
            "TMPDIR": str(self.temporary),
            **keep,
            **self.variables,
            **variables,
        }

    def start(self, script: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.bin / "bash", self.repository / "docker" / script, *arguments],
            env=self.environ(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, script: str, *arguments: str, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        process = self.start(script, *arguments, **variables)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(script, process.returncode, out, err)

    def calls(self, name: str) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.split()[0] == name]

    def left_behind(self) -> list[str]:
        return [path.name for path in self.temporary.iterdir() if path.suffix != ".lock"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
