"""What a job needs in the store before it starts, as values: a plan can be shown undone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Something a job needs in the store before it starts: bytes, or a file to copy."""

    uri: S3Uri
    source: bytes | Path

    def into(self, store: DiskStore) -> None:
        """Do it."""
        if isinstance(self.source, bytes):
            store.put(self.uri, self.source)
        else:
            store.put_file(self.uri, self.source)
