"""Where a new project goes: nothing is overwritten, and what goes wrong leaves nothing behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sagedock.errors import OutputError, ResourceInUseError
from sagedock.project.init import NewFile
from sagedock.project.init_files import check_free, write

PROGRAM = Path(sys.executable).with_name("sagedock")
FILES = (
    NewFile(path="README.md", text="hello\n"),
    NewFile(path="run.sh", text="#!/bin/sh\n"),
    NewFile(path="deep/er/file.txt", text="ünï\n"),
)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


class Interrupted(BaseException):
    """What comes from outside in the middle of it."""


def until(count: int, error: BaseException) -> Iterator[NewFile]:
    yield from FILES[:count]
    raise error


def test_all_of_it_is_written(tmp_path):
    write(FILES, tmp_path / "a" / "b")
    found = tmp_path / "a" / "b"
    assert names(found) == ["README.md", "deep", "deep/er", "deep/er/file.txt", "run.sh"]
    assert (found / "deep" / "er" / "file.txt").read_bytes() == "ünï\n".encode()
    assert os.access(found / "run.sh", os.X_OK)
    assert not os.access(found / "README.md", os.X_OK) or os.name == "nt"


def test_an_empty_folder_and_a_new_repository_are_free(tmp_path):
    (tmp_path / ".git").mkdir()
    write(FILES, tmp_path)
    assert {"README.md", ".git"} <= set(names(tmp_path))


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    for number in range(12):
        (tmp_path / f"file{number:02}").write_text("mine")
    before = names(tmp_path)
    for attempt in (check_free, lambda folder: write(FILES, folder)):
        with pytest.raises(ResourceInUseError) as caught:
            attempt(tmp_path)
        assert "holds file00, file01" in caught.value.message
        assert "file09 and 2 more" in caught.value.message
    assert names(tmp_path) == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "penguins").touch()
    with pytest.raises(OutputError, match="is a file"):
        write(FILES, tmp_path / "penguins")
    with pytest.raises(OutputError, match="can't be written"):
        write(FILES, tmp_path / "penguins" / "below")


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("there", [True, False])
def test_what_is_interrupted_leaves_nothing(tmp_path, count, there):
    folder = tmp_path / "a" / "b" if not there else tmp_path
    with pytest.raises(Interrupted):
        write(until(count, Interrupted()), folder)
    assert names(tmp_path) == []


def test_a_disk_that_refuses_is_told_and_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="No space left on device") as caught:
        write(until(2, OSError(28, "No space left on device")), tmp_path / "p")
    assert "--directory" in caught.value.hint
    assert names(tmp_path) == []


def test_a_name_that_comes_meanwhile_is_not_replaced(tmp_path):
    def slowly() -> Iterator[NewFile]:
        yield from FILES
        (tmp_path / "run.sh").write_text("somebody else's")

    with pytest.raises(ResourceInUseError, match=r"run\.sh has come meanwhile"):
        write(slowly(), tmp_path)
    assert names(tmp_path) == ["run.sh"]
    assert (tmp_path / "run.sh").read_text() == "somebody else's"


# the command


def sagedock(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_command_writes_and_says_where(tmp_path):
    done = sagedock(tmp_path, "init", "penguins", "--only", "serving")
    assert (done.returncode, done.stderr) == (0, "")
    assert "What to do with them: penguins/README.md" in done.stdout
    assert (tmp_path / "penguins" / "containers" / "serving" / "Dockerfile").is_file()
    again = sagedock(tmp_path, "init", "penguins")
    assert again.returncode == 11
    assert "penguins is not empty: it holds .dockerignore, .github" in again.stderr


def test_a_dry_run_lists_and_writes_nothing(tmp_path):
    done = sagedock(tmp_path, "init", "penguins", "--directory", "here", "--dry-run")
    assert done.returncode == 0
    assert "here/containers/training/Dockerfile" in done.stdout.splitlines()
    assert names(tmp_path) == []


def test_the_command_refuses_a_name_before_anything_else(tmp_path):
    done = sagedock(tmp_path, "init", "My Model")
    assert done.returncode == 2
    assert "hint: For example: my-model" in done.stderr
    assert names(tmp_path) == []
