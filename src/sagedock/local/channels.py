"""Lays a job's inputs down: which object becomes which file, and where a container sees it.

An input is a tree of hard links to the store's immutable files, or the user's own folder itself;
either way read-only and without a copy. Source: A3.1, A3.10, A3.11, C11.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagedock.engine.plan import Mount
from sagedock.errors import InputError
from sagedock.store.disk import DiskStore
from sagedock.store.folders import FolderBucket
from sagedock.store.protocol import ObjectInfo
from sagedock.store.uri import S3Uri

_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
"""A processing input's name may hold anything, slashes too."""


@dataclass(frozen=True, kw_only=True)
class InputPlan:
    """One input: what it is called, which objects it holds, where the container sees them."""

    name: str
    uri: str
    target: str
    is_manifest: bool = False


def lay(
    store: DiskStore, plans: Sequence[InputPlan], folder: Path, outputs: Sequence[str] = ()
) -> list[Mount]:
    """Lay `plans` down below `folder`; returns the mounts, outer targets first. `outputs` are
    other paths of the container that may lie in an input.

    Raises InputError for an input without objects, StoreError for an unknown bucket.
    """
    mounts = []
    for number, plan in enumerate(sorted(plans, key=lambda plan: plan.target)):
        targets = (*(other.target for other in plans), *outputs)
        nested = [target for target in targets if target.startswith(f"{plan.target}/")]
        place = folder / f"{number:02d}-{_UNFIT.sub('-', plan.name)[:40]}"
        direct = None if nested else _users_own_folder(store, plan)
        source = direct or _linked(store, plan, place)
        for target in nested:  # a mount in a read-only mount needs its folder to be there before
            _make_mount_point(plan, place / target.removeprefix(f"{plan.target}/"))
        mounts.append(Mount(source=source, target=plan.target))
    return mounts


def _make_mount_point(plan: InputPlan, place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"Input {plan.name!r} has a file where another input is to be seen: {place.name}.",
            hint="Give the other input a local path of its own.",
        ) from error


def _users_own_folder(store: DiskStore, plan: InputPlan) -> Path | None:
    """The user's folder where it is exactly the input and can be mounted as it is."""
    uri = S3Uri.parse(plan.uri)
    behind = store.as_folder(uri.bucket)
    if plan.is_manifest or behind is None:
        return None
    directory = behind.directory(uri.key)
    if directory is None or _has_links(directory):
        return None
    if not any(behind.list(f"{uri.key.rstrip('/')}/" if uri.key else "")):
        raise _empty(plan, behind)
    return directory


def _has_links(folder: Path) -> bool:
    """Whether symbolic links lie in it: they may lead to what the container can't see."""
    entries = list(os.scandir(folder))
    return any(entry.is_symlink() for entry in entries) or any(
        _has_links(Path(entry.path)) for entry in entries if entry.is_dir()
    )


def _linked(store: DiskStore, plan: InputPlan, place: Path) -> Path:
    place.mkdir(parents=True)
    found = False
    for info, relative in objects(store, plan):
        found = True
        if not info.uri.key.endswith("/"):  # a console's "folder" object is no file
            _place(store, plan, info, place / relative)
    if not found:
        uri = S3Uri.parse(plan.uri)
        raise _empty(plan, store.as_folder(uri.bucket))
    return place


def _place(store: DiskStore, plan: InputPlan, info: ObjectInfo, target: Path) -> None:
    try:
        store.place(info, target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError(
            f"Input {plan.name!r}: {info.uri} can't be laid down as a file, since another object "
            "has the same path, or has its path as a folder.",
            hint="Rename one of them: in a container, objects are files.",
        ) from error


def objects(store: DiskStore, plan: InputPlan) -> Iterator[tuple[ObjectInfo, Path]]:
    """The objects of an input and the path each has below it."""
    if plan.is_manifest:
        yield from _manifest(store, plan)
        return
    prefix = S3Uri.parse(plan.uri)
    behind = store.as_folder(prefix.bucket)
    if behind and prefix.key and not prefix.key.endswith("/") and behind.path(prefix.key).is_file():
        # A file of the user's that was named is that file, not all whose names begin so.
        yield behind.head(prefix.key), Path(Path(prefix.key).name)
        return
    for info in store.list(prefix):
        yield info, _relative(plan, _below(prefix.key, info.uri.key))


def _manifest(store: DiskStore, plan: InputPlan) -> Iterator[tuple[ObjectInfo, Path]]:
    """A3.11: `[{"prefix": "s3://…/"}, "relative/key", …]` names exactly the channel's objects."""
    uri = S3Uri.parse(plan.uri)
    try:
        with store.open(uri) as stream:
            head, *names = json.load(stream)
        prefix = head["prefix"]
        uris = [S3Uri.parse(prefix + name) for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"Input {plan.name!r}: {uri} is no manifest ({error}).",
            hint='Expected JSON: [{"prefix": "s3://bucket/prefix/"}, "key-1", "key-2", …].',
        ) from error
    for name, item in zip(names, uris, strict=True):
        yield store.head(item), _relative(plan, name)


def _below(prefix: str, key: str) -> str:
    """The part of `key` that makes its path: below the prefix as a folder, or, where the prefix
    is only the beginning of a name (A3.10), below the folder that name is in."""
    folder = prefix.rstrip("/") + "/" if prefix else ""
    if key.startswith(folder):
        return key[len(folder) :]
    return key[len(prefix.rpartition("/")[0]) :].lstrip("/")


def _relative(plan: InputPlan, name: str) -> Path:
    parts = name.rstrip("/").split("/")
    if name.strip("/") and any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise InputError(
            f"Input {plan.name!r}: the key {name!r} can't be a file path: it has an empty part, "
            "'.' or '..' in it.",
            hint="Copy the object to a key whose parts are plain names.",
        )
    return Path(*parts)


def _empty(plan: InputPlan, behind: FolderBucket | None) -> InputError:
    if behind:
        key = S3Uri.parse(plan.uri).key
        return InputError(
            f"Input {plan.name!r}: no file in {behind.folder / key}.",
            hint="Name a folder that holds files, or a file.",
        )
    return InputError(
        f"Input {plan.name!r}: no S3 objects found under S3 URL {plan.uri!r}.",
        hint="Upload the data first (sagedock cp, Session.upload_data) or check the prefix.",
    )
