"""Inputs laid down from a real store: which object becomes which file, without a copy."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sagedock.engine.plan import Mount
from sagedock.errors import InputError, StoreError
from sagedock.local.channels import InputPlan, lay
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

TARGET = "/target/train"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DiskStore]:
    store = DiskStore(tmp_path / "data")
    store.create_bucket("bucket")
    yield store
    store.close()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    for name in ("train/a.csv", "train/deep/b.csv", "train-old/c.csv", "data.csv", "data.csv.bak"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def fill(store: DiskStore, *keys: str) -> None:
    for key in keys:
        store.put(S3Uri("bucket", key), key.encode())


def plan(uri: object, **changes: object) -> InputPlan:
    given = {"name": "train", "uri": str(uri), "target": TARGET}
    return InputPlan(**{**given, **changes})  # type: ignore[arg-type]


def files(mount: Mount) -> list[str]:
    root = mount.source
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def laid(store: DiskStore, tmp_path: Path, uri: object, **changes: object) -> Mount:
    (mount,) = lay(store, [plan(uri, **changes)], tmp_path / "inputs")
    return mount


# prefixes (A3.1, A3.10)


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("data/train/", ["a.csv", "deep/b.csv"]),
        ("data/train/deep", ["b.csv"]),
        ("data/train/a.csv", ["a.csv"]),
        ("data/train", ["a.csv", "deep/b.csv", "train-old/c.csv", "train.csv"]),
        ("data/tr", ["train-old/c.csv", "train.csv", "train/a.csv", "train/deep/b.csv"]),
        ("data/", ["train-old/c.csv", "train.csv", "train/a.csv", "train/deep/b.csv"]),
        ("", ["data/train-old/c.csv", "data/train.csv", "data/train/a.csv",
              "data/train/deep/b.csv", "other"]),
    ],
)  # fmt: skip
def test_a_prefix_is_a_string_and_keys_keep_what_is_below_it(store, tmp_path, prefix, found):
    fill(store, "data/train/a.csv", "data/train/deep/b.csv", "data/train-old/c.csv",
         "data/train.csv", "other")  # fmt: skip
    mount = laid(store, tmp_path, S3Uri("bucket", prefix) if prefix else "s3://bucket")
    assert files(mount) == found
    assert mount.target == TARGET


def test_objects_are_linked_not_copied_and_stay_as_they_were(store, tmp_path):
    fill(store, "t/a")
    mount = laid(store, tmp_path, "s3://bucket/t")
    assert (mount.source / "a").stat().st_ino == store.path(S3Uri("bucket", "t/a")).stat().st_ino
    store.put(S3Uri("bucket", "t/a"), b"new")
    assert (mount.source / "a").read_bytes() == b"t/a"


def test_names_with_spaces_and_letters_of_any_script(store, tmp_path):
    fill(store, "t/a b/ü.csv", "t/日本/🙂")
    assert files(laid(store, tmp_path, "s3://bucket/t/")) == ["a b/ü.csv", "日本/🙂"]


def test_a_consoles_folder_object_is_no_file(store, tmp_path):
    fill(store, "t/", "t/a", "t/sub/")
    assert files(laid(store, tmp_path, "s3://bucket/t/")) == ["a"]


@pytest.mark.parametrize("key", ["t/../x", "t/a/../../x", "t//x", "t/./x", "t/nul\0"])
def test_keys_that_are_no_paths_are_refused(store, tmp_path, key):
    fill(store, key)
    with pytest.raises(InputError, match="can't be a file path"):
        laid(store, tmp_path, "s3://bucket/t/")


@pytest.mark.parametrize("keys", [("t/d", "t/d/e"), ("t/d-", "t/d/e", "t/d")])
def test_a_file_and_a_folder_of_one_name_clash(store, tmp_path, keys):
    fill(store, *keys)
    with pytest.raises(InputError, match=r"Input 'train': s3://bucket/t/d.* can't be laid down"):
        laid(store, tmp_path, "s3://bucket/t/")


def test_nothing_under_the_prefix(store, tmp_path):
    fill(store, "t/a")
    with pytest.raises(InputError, match="Input 'train': no S3 objects found") as caught:
        laid(store, tmp_path, "s3://bucket/u")
    assert "'s3://bucket/u'" in caught.value.message


def test_an_unknown_bucket(store, tmp_path):
    with pytest.raises(StoreError, match="'elsewhere' is not known"):
        laid(store, tmp_path, "s3://elsewhere/t")


# manifests (A3.11)


def manifest(store: DiskStore, document: object) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    store.put(S3Uri("bucket", "manifest"), text.encode())
    return "s3://bucket/manifest"


def test_a_manifest_names_exactly_the_channels_objects(store, tmp_path):
    fill(store, "p/a", "p/sub/b", "p/c")
    uri = manifest(store, [{"prefix": "s3://bucket/p/"}, "a", "sub/b"])
    assert files(laid(store, tmp_path, uri, is_manifest=True)) == ["a", "sub/b"]


@pytest.mark.parametrize(
    "document",
    ["no json", "[]", "{}", '"x"', [["a"]], [{"prefixes": "x"}, "a"], [{"prefix": 1}, "a"],
     [{"prefix": "s3://bucket/p/"}, 1], [{"prefix": "s3://bucket/p/"}, None], "\xff"],
)  # fmt: skip
def test_what_is_no_manifest(store, tmp_path, document):
    with pytest.raises(InputError, match="is no manifest") as caught:
        laid(store, tmp_path, manifest(store, document), is_manifest=True)
    assert '[{"prefix"' in caught.value.hint


def test_a_manifest_of_nothing_or_of_what_is_not_there(store, tmp_path):
    with pytest.raises(InputError, match="no S3 objects found"):
        laid(store, tmp_path, manifest(store, [{"prefix": "s3://bucket/p/"}]), is_manifest=True)
    uri = manifest(store, [{"prefix": "s3://bucket/p/"}, "missing"])
    with pytest.raises(StoreError, match="No object s3://bucket/p/missing"):
        lay(store, [plan(uri, is_manifest=True)], tmp_path / "again")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_a_manifest_cannot_lead_out_of_the_channel(store, tmp_path, name):
    fill(store, f"p/{name}")
    uri = manifest(store, [{"prefix": "s3://bucket/p/"}, name])
    with pytest.raises(InputError, match="can't be a file path"):
        laid(store, tmp_path, uri, is_manifest=True)


# folders of the user's


def test_a_folder_of_the_users_is_mounted_itself(store, tmp_path, mine):
    mount = laid(store, tmp_path, store.folder_bucket(mine))
    assert mount.source == mine
    place = store.folder_bucket(mine)
    (mount,) = lay(store, [plan(place.join("train-old"))], tmp_path / "again")
    assert mount.source == mine / "train-old"
    assert not (tmp_path / "again").exists() or not any((tmp_path / "again").iterdir())


def test_a_prefix_that_is_more_than_one_folder_is_linked(store, tmp_path, mine):
    """A3.10: `train` also begins `train-old`."""
    mount = laid(store, tmp_path, store.folder_bucket(mine).join("train"))
    assert files(mount) == ["a.csv", "deep/b.csv", "train-old/c.csv"]


def test_a_folder_with_links_is_laid_down_as_files(store, tmp_path, mine):
    """In a container, a link may lead to what isn't there."""
    (mine / "train" / "deep" / "link.csv").symlink_to(mine / "data.csv")
    mount = laid(store, tmp_path, store.folder_bucket(mine / "train"))
    assert files(mount) == ["a.csv", "deep/b.csv", "deep/link.csv"]
    assert not any(path.is_symlink() for path in mount.source.rglob("*"))
    assert (mount.source / "deep" / "link.csv").read_text() == "data.csv"


def test_a_single_file_is_exactly_that_file(store, tmp_path, mine):
    """SDK v2's local mode mounts the whole folder; a string prefix would take data.csv.bak."""
    mount = laid(store, tmp_path, store.folder_bucket(mine).join("data.csv"))
    assert files(mount) == ["data.csv"]


def test_an_empty_folder(store, tmp_path):
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    with pytest.raises(InputError, match=f"no file in {tmp_path / 'empty'}") as caught:
        laid(store, tmp_path, store.folder_bucket(tmp_path / "empty"))
    assert "holds files" in caught.value.hint


def test_a_folder_that_went_away(store, tmp_path, mine):
    place = store.folder_bucket(mine / "train-old")
    (mine / "train-old" / "c.csv").unlink()
    (mine / "train-old").rmdir()
    with pytest.raises(InputError, match="no file in"):
        laid(store, tmp_path, place)


# several


def test_nested_inputs_have_their_mount_points(store, tmp_path, mine):
    """Processing: a mount below a read-only mount needs its folder to be there before."""
    fill(store, "t/a")
    outer = InputPlan(name="outer", uri="s3://bucket/t", target="/in")
    inner = InputPlan(name="inner", uri="s3://bucket/t", target="/in/deep/er")
    mounts = lay(store, [inner, outer], tmp_path / "inputs")
    assert [mount.target for mount in mounts] == ["/in", "/in/deep/er"]
    assert (mounts[0].source / "deep" / "er").is_dir()
    mine_outer = InputPlan(name="outer", uri=str(store.folder_bucket(mine)), target="/in")
    mounts = lay(store, [inner, mine_outer], tmp_path / "again")
    assert mounts[0].source != mine  # the user's folder is left as it is
    assert (mounts[0].source / "deep" / "er").is_dir()
    assert not (mine / "deep").exists()


def test_a_file_in_the_place_of_another_input(store, tmp_path):
    fill(store, "t/deep")
    plans = [
        InputPlan(name="outer", uri="s3://bucket/t", target="/in"),
        InputPlan(name="inner", uri="s3://bucket/t", target="/in/deep"),
    ]
    with pytest.raises(InputError, match="'outer' has a file where another input"):
        lay(store, plans, tmp_path / "inputs")


@pytest.mark.parametrize("name", ["a/b", "../../../x", "..", "x" * 256, "a b", "ü"])
def test_names_of_inputs_are_no_paths(store, tmp_path, name):
    """InputName may be any text of 256 characters."""
    fill(store, "t/a")
    mount = laid(store, tmp_path, "s3://bucket/t", name=name)
    assert mount.source.resolve().parent == (tmp_path / "inputs").resolve()
    assert list((tmp_path / "inputs").iterdir()) == [mount.source]
