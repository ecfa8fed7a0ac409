"""`sagedock ls`: buckets, and objects as if `/` made folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.aws import AWS, is_aws
from sagedock.cli.options import JSON
from sagedock.cli.printing import as_text, moment

if TYPE_CHECKING:
    from sagedock.store.uri import S3Uri

_SIZE_WIDTH = 12


@click.command()
@click.argument("uri", required=False, metavar="[s3://BUCKET/PREFIX]")
@click.option("-r", "--recursive", is_flag=True, help="All objects below, with their whole keys.")
@JSON
@AWS
@click.pass_obj
def ls(data: Path | None, /, uri: str | None, recursive: bool, as_json: bool, **aws: Any) -> None:
    """List buckets, or objects below an s3:// URI.

    A prefix is a string, as in S3: s3://b/da lists data/ too. --json lists every object below.
    """
    from sagedock.store.uri import S3Uri

    shelf = _far(aws) if is_aws(aws) else _Near(data)
    if uri is None:
        buckets = shelf.buckets()
        click.echo(as_text(buckets) if as_json else "\n".join(buckets), nl=bool(buckets or as_json))
        return
    place = S3Uri.parse(uri)
    if as_json:
        click.echo(as_text([item.document() for item in shelf.below(place)]))
        return
    found: Iterable[Item] = shelf.below(place) if recursive else shelf.level(place)
    for item in found:
        click.echo(item.line(item.key if recursive else item.key.removeprefix(_base(place.key))))


@dataclass(frozen=True, kw_only=True)
class Item:
    """An object, or (without a size) what a slash makes look like a folder. `modified` in seconds
    since the epoch."""

    bucket: str
    key: str
    size: int | None = None
    modified: float = 0.0
    etag: str = ""

    def line(self, name: str) -> str:
        """For people."""
        if self.size is None:
            return f"{'PRE':>{len(moment(0)) + _SIZE_WIDTH + 1}} {name}"
        return f"{moment(self.modified)} {self.size:>{_SIZE_WIDTH}} {name}"

    def document(self) -> dict[str, Any]:
        """For programs."""
        stamp = moment(self.modified).replace(" ", "T") + "Z"
        uri = f"s3://{self.bucket}/{self.key}"
        return {"Uri": uri, "Size": self.size, "LastModified": stamp, "ETag": self.etag}


def _base(prefix: str) -> str:
    """A prefix up to its last slash."""
    return prefix.rpartition("/")[0] + "/" if "/" in prefix else ""


class _Near:
    """The object store on this machine."""

    def __init__(self, data: Path | None) -> None:
        self._data = data

    def buckets(self) -> list[str]:
        """Names, in order."""
        from sagedock.cli.context import open_store

        with open_store(self._data) as store:
            return store.buckets()

    def below(self, place: S3Uri) -> Iterator[Item]:
        """Every object."""
        from sagedock.cli.context import open_store

        with open_store(self._data) as store:
            for info in store.list(place):
                yield Item(
                    bucket=info.uri.bucket,
                    key=info.uri.key,
                    size=info.size,
                    modified=info.modified,
                    etag=info.etag,
                )

    def level(self, place: S3Uri) -> Iterator[Item]:
        """Objects of this level, and each folder once."""
        base, last = _base(place.key), None
        for item in self.below(place):
            name, slash, _ = item.key.removeprefix(base).partition("/")
            if not slash:
                yield item
            elif name != last:
                last = name
                yield Item(bucket=item.bucket, key=f"{base}{name}/")


class _Far:
    """The account's S3."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def buckets(self) -> list[str]:
        """Names, in order."""
        from sagedock.aws import objects

        return objects.buckets(self._client)

    def below(self, place: S3Uri) -> Iterator[Item]:
        """Every object."""
        return self._listed(place, "")

    def level(self, place: S3Uri) -> Iterator[Item]:
        """Objects of this level, and each folder once: S3 itself leaves out what is deeper."""
        return self._listed(place, "/")

    def _listed(self, place: S3Uri, delimiter: str) -> Iterator[Item]:
        from sagedock.aws import objects

        for found in objects.listed(self._client, place.bucket, place.key, delimiter=delimiter):
            modified = found.modified.timestamp() if found.modified else 0.0
            yield Item(
                bucket=place.bucket,
                key=found.key,
                size=found.size,
                modified=modified,
                etag=found.etag,
            )


def _far(aws: Mapping[str, Any]) -> _Far:
    from sagedock.cli.far import Far

    return _Far(Far(aws).storage.client)
