"""What a user's Dockerfile stands on, and which of it is ours to build."""

from pathlib import Path

import pytest
from fake_clients import INSIDE, NO_BUILDX, Machine

from sagedock import __version__
from sagedock.errors import BuildError
from sagedock.images import build_folder
from sagedock.images.parents import own_parents, parents
from sagedock.images.plan import OS_IMAGE
from sagedock.images.program import DockerProgram

TEXT = """
# syntax=docker/dockerfile:1
ARG VERSION=0.1.0
ARG PARENT=sagedock/training:${VERSION}
FROM --platform=linux/amd64 debian:bookworm-slim AS build
ARG PARENT=not/this
RUN true
FROM ${PARENT} AS Main
COPY --from=build /x /x
FROM main
FROM scratch
FROM $PARENT
from ${MISSING:-python:3.11}
"""


def test_what_stages_stand_on():
    assert parents(TEXT, {}) == (
        "debian:bookworm-slim", "sagedock/training:0.1.0", "python:3.11",
    )  # fmt: skip


def test_arguments_beat_defaults():
    assert "sagedock/serving" in parents(TEXT, {"PARENT": "sagedock/serving"})
    assert "sagedock/training:9" in parents(TEXT, {"VERSION": "9"})


def test_a_comment_and_a_continued_line():
    assert parents("# FROM x\nARG A='b:1'\nFROM \\\n  $A\n", {}) == ("b:1",)


def nowhere(image: str) -> bool:
    return False


@pytest.mark.parametrize("tag", ["", ":latest", ":1.0"])
def test_ours_of_this_version_are_built(tag):
    assert own_parents([f"sagedock/training{tag}", "debian:12"], "1.0", nowhere) == ("training",)


def test_others_are_left_to_docker():
    assert own_parents(["sagedock/nothing", "me/training", "training"], "1.0", nowhere) == ()


def test_ours_of_another_version_must_be_there():
    assert own_parents(["sagedock/training:0.9"], "1.0", lambda image: True) == ()
    with pytest.raises(BuildError, match=r"sagedock/training:0\.9, which is not") as caught:
        own_parents(["sagedock/training:0.9"], "1.0", nowhere)
    assert caught.value.hint.startswith("Write sagedock/training:1.0 into it")


# a build


@pytest.fixture
def machine(tmp_path) -> Machine:
    machine = Machine(tmp_path)
    machine.image(OS_IMAGE, "sha256:os")
    machine.client(NO_BUILDX, INSIDE)
    return machine


def folder_on(tmp_path: Path, parent: str) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {parent}\n")
    return folder


def test_a_folder_on_one_of_ours_builds_that_first(machine, tmp_path):
    folder = folder_on(tmp_path, f"sagedock/processing:{__version__}")
    build_folder(folder, environ=machine.environ)
    built = [line.partition("--tag ")[2].partition(" ")[0] for line in machine.builds]
    assert [tag.partition(":")[0] for tag in built] == [
        "sagedock/base", "sagedock/pandas", "sagedock/processing", "mine",
    ]  # fmt: skip
    build_folder(folder, environ=machine.environ)
    assert len(machine.builds) == 5  # what was up to date was left


def test_a_folder_on_another_version_of_ours_is_refused(machine, tmp_path):
    folder = folder_on(tmp_path, "sagedock/processing:0.0.1")
    with pytest.raises(BuildError, match=r"stands on sagedock/processing:0\.0\.1"):
        build_folder(folder, environ=machine.environ)
    machine.image("sagedock/processing:0.0.1", "sha256:old")
    build_folder(folder, environ=machine.environ)
    assert len(machine.builds) == 1


def test_nothing_asked_for_is_nothing_found(machine):
    assert DockerProgram(machine.environ).inspect() == {}
    assert machine.calls == []
