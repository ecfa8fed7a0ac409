"""From laptop to SageMaker in five commands: the README's own, as they stand there, and what they
say. AWS is this machine's, with a real registry."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from readme_kit import remove_images

ROOT = Path(__file__).parents[2]
HEADING = "From laptop to SageMaker in five commands"
NAME = f"penguins-{uuid.uuid4().hex[:8]}"
"""Of the test's project and images: nobody else's."""


def session() -> str:
    """The README's block below the heading: commands after `$`, each with what it said."""
    found = re.search(
        rf"^## {HEADING}\n.*?^```\n(?P<block>.*?)^```$",
        (ROOT / "README.md").read_text("utf-8"),
        re.M | re.S,
    )
    assert found, f"README.md has no block below {HEADING!r}"
    return found["block"]


def steps() -> list[tuple[str, str]]:
    """(command, what it said) for each `$ ` of the block, with the test's own name in it."""
    block = re.sub(r"\bpenguins(?!\.csv)\b", NAME, session())
    parts = re.split(r"^\$ ", block, flags=re.M)[1:]
    return [tuple(part.partition("\n")[::2]) for part in parts]


CHANGING = (
    (r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-\d{3}", "TIME"),  # in a job's name
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
    (r"127\.0\.0\.1:\d+", "REGISTRY"),
    (r"\b[0-9a-f]{12,64}\b", "DIGEST"),
    (r"\bin [\d.]+ s\b.*", "in SECONDS"),
    (r"^(Seconds|Cost) .*", r"\1"),
    (r"^Uploading \S+(?=/data/)", "Uploading FOLDER"),
    (r"\s+\d+(?= +\d+ +built)", " MB"),
    (r"\s+", " "),  # columns are as wide as names are long
)
"""What differs from run to run, and what is said of it instead."""


def plain(line: str) -> str:
    """A line without what differs from run to run."""
    for changing, instead in CHANGING:
        line = re.sub(changing, instead, line)
    return line.strip()


@pytest.fixture(scope="module")
def said(tmp_path_factory, images):
    """What one shell says when it is given the five commands, with each command's end marked."""
    subprocess.run([ROOT / "docker" / "ensure-registry.sh"], capture_output=True, check=True)
    commands = [command for command, _ in steps()]
    script = "".join(f"{command}\necho '== done'\n" for command in commands)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SAGEDOCK_DATA": str(tmp_path_factory.mktemp("data")),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path_factory.mktemp("laptop"), env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    remove_images(NAME)
    assert done.returncode == 0, done.stdout
    return done.stdout.split("== done\n")[:-1]


def test_there_are_five_of_them():
    assert len(steps()) == 5


@pytest.mark.parametrize("number", range(5))
def test_the_command_says_what_the_readme_says(said, number):
    """Every line of the README is there, in its order; lines of `…` stand for others."""
    command, shown = steps()[number]
    lines = iter([plain(line) for line in said[number].splitlines()])
    for line in map(plain, shown.splitlines()):
        if line not in {"", "…"}:
            assert line in lines, f"$ {command}\nno line {line!r}, or not there, in\n{said[number]}"
