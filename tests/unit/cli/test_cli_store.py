"""ls and cp, and build as far as it goes without an engine."""

import json
import os
import stat

import pytest


@pytest.fixture
def tree(work):
    """Files with names that are easy to get wrong."""
    folder = work / "tree"
    for name, text in {"a.txt": "A", "sub/b c.txt": "B", "sub/deep/ü=1.txt": "C"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def contents(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_round_trip_of_a_folder(sagedock, tree, work):
    up = sagedock("cp", "-r", "tree", "s3://bucket/data")
    assert (up.returncode, up.stderr) == (0, "")
    assert up.stdout.splitlines()[:2] == [
        "made bucket bucket",
        "tree/a.txt -> s3://bucket/data/a.txt",
    ]
    assert sagedock("cp", "-r", "-q", "s3://bucket/data/", "s3://other").stdout == ""
    assert sagedock("cp", "-r", "s3://other", "back").returncode == 0
    assert contents(work / "back") == contents(tree)


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("s3://bucket", "a.txt"),
        ("s3://bucket/", "a.txt"),
        ("s3://bucket/new", "new"),
        ("s3://bucket/dir/", "dir/a.txt"),
    ],
)
def test_where_one_file_goes(sagedock, tree, target, key):
    sagedock("cp", "tree/a.txt", target)
    assert [item["Uri"] for item in json.loads(sagedock("ls", "s3://bucket", "--json").stdout)] == [
        f"s3://bucket/{key}"
    ]


def test_where_one_object_goes(sagedock, tree, work):
    sagedock("cp", "tree/a.txt", "s3://bucket/x/a.txt")
    for target in (".", "tree/sub", "new/", "named.txt", "deeper/named.txt"):
        assert sagedock("cp", "s3://bucket/x/a.txt", target).returncode == 0
    for path in ("a.txt", "tree/sub/a.txt", "new/a.txt", "named.txt", "deeper/named.txt"):
        assert (work / path).read_text() == "A"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((work / "a.txt").stat().st_mode) == 0o666 & ~umask


def test_objects_within_the_store(sagedock, tree, work):
    sagedock("cp", "tree/a.txt", "s3://bucket/one")
    sagedock("cp", "s3://bucket/one", "s3://second/two")
    sagedock("cp", "s3://second/two", "two")
    assert (work / "two").read_text() == "A"


def test_ls(sagedock, tree):
    assert sagedock("ls").stdout == ""
    sagedock("cp", "-r", "tree", "s3://bucket/data")
    sagedock("cp", "tree/a.txt", "s3://bucket/date")
    assert sagedock("ls").stdout == "bucket\n"
    assert json.loads(sagedock("ls", "--json").stdout) == ["bucket"]

    def names(*arguments):
        """Without the time and the size, or PRE, before them."""
        return [line[33:] for line in sagedock("ls", *arguments).stdout.splitlines()]

    assert names("s3://bucket") == ["data/", "date"]
    assert names("s3://bucket/dat") == ["data/", "date"]
    assert names("s3://bucket/data/") == ["a.txt", "sub/"]
    assert names("s3://bucket/data/sub/") == ["b c.txt", "deep/"]
    assert names("-r", "s3://bucket/data/sub/") == ["data/sub/b c.txt", "data/sub/deep/ü=1.txt"]


def test_ls_as_json(sagedock, tree):
    sagedock("cp", "tree/a.txt", "s3://bucket/k")
    (item,) = json.loads(sagedock("ls", "s3://bucket", "--json").stdout)
    assert (item["Uri"], item["Size"]) == ("s3://bucket/k", 1)
    assert item["LastModified"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ls", "bucket"], 9, "'bucket' is not an S3 URI"),
        (["ls", "s3://unknown"], 9, "Bucket 'unknown' is not known"),
        (["cp", "a", "b"], 2, "one of them must be an s3:// URI"),
        (["cp", "none", "s3://bucket/"], 8, "none: no such file"),
        (["cp", "tree", "s3://bucket/"], 8, "tree is a folder"),
        (["cp", "-r", "tree/a.txt", "s3://bucket/"], 8, "tree/a.txt is not a folder"),
        (["cp", "tree/a.txt", "s3://B_d/"], 9, "'B_d' is not a bucket name"),
        (["cp", "tree/a.txt", "https://a.b/c"], 2, "'https://a.b/c' can't be copied"),
        (["cp", "s3://here/none", "."], 9, "No object s3://here/none"),
        (["cp", "s3://here/", "."], 8, "s3://here names no object"),
        (["cp", "-r", "s3://here/none", "."], 8, "There is nothing to copy in s3://here/none"),
        (["cp", "s3://here/a.txt", "tree/a.txt/x"], 10, "can't be written"),
        (["build", "nonsense"], 14, "nonsense is no image of the project"),
    ],
)
def test_what_is_refused(sagedock, tree, arguments, code, words):
    sagedock("cp", "tree/a.txt", "s3://here/a.txt")
    done = sagedock(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_key_cannot_leave_the_folder(sagedock, tree, data, work):
    from sagedock.store.disk import DiskStore
    from sagedock.store.uri import S3Uri

    store = DiskStore(data)
    store.create_bucket("bucket")
    store.put(S3Uri("bucket", "d/../../evil"), b"x")
    store.close()
    done = sagedock("cp", "-r", "s3://bucket/d", "target/deep")
    assert done.returncode == 9
    assert "can't be a file below" in done.stderr
    assert not (work / "evil").exists()


def test_building_without_an_engine(sagedock):
    assert sagedock("build", "base").returncode == 6


def test_building_without_a_client(sagedock, tmp_path):
    done = sagedock("build", "base", env={"PATH": str(tmp_path)})
    assert done.returncode == 6
    assert "There is no docker client on PATH" in done.stderr
