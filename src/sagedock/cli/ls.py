"""`sagedock ls`: buckets, and objects as if `/` made folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagedock.cli.options import JSON
from sagedock.cli.printing import as_text, moment

if TYPE_CHECKING:
    from sagedock.store.protocol import ObjectInfo

_SIZE_WIDTH = 12


@click.command()
@click.argument("uri", required=False, metavar="[s3://BUCKET/PREFIX]")
@click.option("-r", "--recursive", is_flag=True, help="All objects below, with their whole keys.")
@JSON
@click.pass_obj
def ls(data: Path | None, uri: str | None, recursive: bool, as_json: bool) -> None:
    """List buckets, or objects below an s3:// URI.

    A prefix is a string, as in S3: s3://b/da lists data/ too. --json lists every object below.
    """
    from sagedock.cli.context import open_store
    from sagedock.store.uri import S3Uri

    with open_store(data) as store:
        if uri is None:
            buckets = store.buckets()
            click.echo(
                as_text(buckets) if as_json else "\n".join(buckets), nl=bool(buckets or as_json)
            )
            return
        place = S3Uri.parse(uri)
        found = store.list(place)
        if as_json:
            click.echo(as_text([_document(info) for info in found]))
            return
        for line in _all(found) if recursive else _level(found, place.key):
            click.echo(line)


def _document(info: ObjectInfo) -> dict[str, Any]:
    stamp = moment(info.modified).replace(" ", "T") + "Z"
    return {"Uri": str(info.uri), "Size": info.size, "LastModified": stamp, "ETag": info.etag}


def _all(found: Iterable[ObjectInfo]) -> Iterator[str]:
    yield from (_line(info, info.uri.key) for info in found)


def _level(found: Iterable[ObjectInfo], prefix: str) -> Iterator[str]:
    """Objects of this level, and each folder once: names below the prefix's last slash."""
    base = prefix.rpartition("/")[0] + "/" if "/" in prefix else ""
    last = None
    for info in found:
        name, slash, _ = info.uri.key.removeprefix(base).partition("/")
        if not slash:
            yield _line(info, name)
        elif name != last:
            last = name
            yield f"{'PRE':>{len(moment(0)) + _SIZE_WIDTH + 1}} {name}/"


def _line(info: ObjectInfo, name: str) -> str:
    return f"{moment(info.modified)} {info.size:>{_SIZE_WIDTH}} {name}"
