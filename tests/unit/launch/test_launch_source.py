"""Source code packed for a job: reproducible, complete, and wrong names told with what is there."""

import gzip
import io
import os
import tarfile
import time
from pathlib import Path

import pytest

from sagedock.errors import InputError
from sagedock.launch.source import SourceCode, pack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    for name in ("train.py", "requirements.txt", "lib/util.py", "lib/deep/x.py", "run.sh",
                 "__pycache__/train.pyc", "lib/__pycache__/u.pyc", ".git/config"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "run.sh").chmod(0o755)
    return folder


def entries(code: SourceCode) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(code.archive), mode="r:gz") as archive:
        return {item.name: item for item in archive.getmembers()}


ALL = ["lib/deep/x.py", "lib/util.py", "requirements.txt", "run.sh", "train.py"]


def test_a_folder_is_packed_whole_without_its_caches(folder):
    code = pack("train.py", str(folder), [])
    assert code.program == "train.py"
    assert sorted(entries(code)) == ALL
    assert oct(entries(code)["run.sh"].mode) == "0o755"
    assert oct(entries(code)["train.py"].mode) == "0o644"


def test_the_same_code_gives_the_same_bytes(folder, tmp_path):
    first = pack("train.py", str(folder), [])
    other = tmp_path / "other"
    for name in reversed(ALL):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(name)
        os.utime(other / name, (time.time() - 5000, 1))
        (other / name).chmod(0o600)
    (other / "run.sh").chmod(0o700)
    assert pack("train.py", str(other), []).archive == first.archive
    assert {(e.uid, e.uname, e.mtime) for e in entries(first).values()} == {(0, "", 0)}


def test_a_changed_file_changes_the_bytes(folder):
    first = pack("train.py", str(folder), [])
    (folder / "lib" / "util.py").write_text("changed")
    assert pack("train.py", str(folder), []).archive != first.archive


def test_without_a_folder_only_the_script_is_packed(folder):
    code = pack(str(folder / "train.py"), None, [])
    assert code.program == "train.py"
    assert list(entries(code)) == ["train.py"]


@pytest.mark.parametrize(
    ("given", "program"), [("./train.py", "train.py"), ("lib//util.py", "lib/util.py"),
                           ("lib/../train.py", "train.py")],
)  # fmt: skip
def test_the_program_is_named_as_it_is_in_the_archive(folder, given, program):
    assert pack(given, str(folder), []).program == program


def test_dependencies_come_beside_the_script(folder, tmp_path):
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "mod.py").write_text("x")
    (tmp_path / "one.py").write_text("x")
    code = pack("train.py", str(folder), [str(tmp_path / "extra"), str(tmp_path / "one.py")])
    assert sorted(set(entries(code)) - set(ALL)) == ["extra/mod.py", "one.py"]


def test_links_are_packed_as_what_they_lead_to(folder, tmp_path):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "s.py").write_text("s")
    (folder / "shared").symlink_to(tmp_path / "shared")
    (folder / "t2.py").symlink_to(folder / "train.py")
    found = entries(pack("train.py", str(folder), []))
    assert {"shared/s.py", "t2.py"} <= set(found)
    assert all(item.isreg() for item in found.values())


def test_what_is_no_source_code_is_left_out(folder):
    (folder / ".#lock").symlink_to("nobody@nowhere:1")
    (folder / "lib" / "up").symlink_to(folder)
    (folder / "self").symlink_to("self")
    os.mkfifo(folder / "pipe")
    assert sorted(entries(pack("train.py", str(folder), []))) == ALL


# wrong names


def refusal(*given: object) -> str:
    with pytest.raises(InputError) as caught:
        pack(*given)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_script_that_is_not_there(folder):
    message = refusal("trian.py", str(folder), [])
    assert "entry_point 'trian.py' in" in message
    assert str(folder / "trian.py") in message
    assert "Files there: requirements.txt, run.sh, train.py" in message
    message = refusal(str(folder / "nothing" / "x.py"), None, [])
    assert "holds no files" in message
    assert "is not a file" in refusal("lib", str(folder), [])


def test_a_script_outside_its_folder(folder, tmp_path):
    """B5.2: the image would refuse it, after everything else was done."""
    (tmp_path / "out.py").write_text("")
    for name in ("../out.py", str(folder / "train.py")):
        assert "does not lie in source_dir" in refusal(name, str(folder), [])


def test_a_folder_that_is_none(folder):
    assert "is not a folder" in refusal("train.py", str(folder / "train.py"), [])


def test_a_dependency_that_is_not_there(folder):
    assert "dependency 'nothing' is not there" in refusal("train.py", str(folder), ["nothing"])


def test_the_archive_holds_no_time_of_its_own(folder):
    archive = pack("train.py", str(folder), []).archive
    assert archive[4:8] == b"\0\0\0\0"
    assert gzip.decompress(archive)
