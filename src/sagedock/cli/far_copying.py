"""`cp --aws`: files to, from and within S3, planned as on this machine and carried out in parallel.

Must not know the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from sagedock.cli.copying import Copy, Place, plan_copies, progress, say
from sagedock.cli.far import Far
from sagedock.cli.interrupts import hushed
from sagedock.store.uri import S3Uri


@dataclass(frozen=True, kw_only=True)
class Object:
    """An object of S3's: where, and how many bytes."""

    uri: S3Uri
    size: int


class FarShelf:
    """Looks objects up in S3. `client` is boto3's."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def head(self, uri: S3Uri) -> Object:
        """One object. Raises StoreError where there is none, AwsError."""
        from sagedock.aws.objects import size_of

        return Object(uri=uri, size=size_of(self._client, uri.bucket, uri.key))

    def list(self, prefix: S3Uri) -> Iterator[Object]:
        """All below a prefix. Raises StoreError for an unknown bucket, AwsError."""
        from sagedock.aws.objects import listed

        for found in listed(self._client, prefix.bucket, prefix.key):
            yield Object(uri=S3Uri(prefix.bucket, found.key), size=found.size or 0)


def copy_all(
    aws: Mapping[str, Any], source: Place, target: Place, *, recursive: bool, stream: TextIO | None
) -> None:
    """Copy, saying each on `stream` when it is there. Raises as `plan_copies` and
    `sagedock.aws.objects.carry_out` do."""
    from sagedock.aws.objects import Transfer, carry_out

    client = Far(aws).storage.client
    copies = plan_copies(FarShelf(client), source, target, recursive=recursive)
    transfers = (Transfer(source=_end(item.source), target=_end(item.target)) for item in copies)
    waiting = iter(copies)

    def done(transfer: Transfer) -> None:
        copy = next(waiting)  # they end in their order
        say(stream, f"{copy.source} -> {copy.target}")

    with progress(_words(copies), sum(item.size for item in copies), stream) as moved:
        carry_out(client, transfers, done=done, moved=moved, ending=hushed)


def _words(copies: list[Copy]) -> str:
    return str(copies[0].source) if len(copies) == 1 else f"{len(copies)} files"


def _end(end: S3Uri | Path) -> Path | tuple[str, str]:
    return (end.bucket, end.key) if isinstance(end, S3Uri) else end
