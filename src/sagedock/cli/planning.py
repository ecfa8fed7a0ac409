"""A session for --dry-run: makes the same requests, and no bucket, folder or object.

Buckets that a real run would make are remembered for as long as the request takes to make.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sagedock.launch.place import local_path
from sagedock.launch.session import Session
from sagedock.local.settings import LocalSettings
from sagedock.store.database import FILE_NAME
from sagedock.store.disk import DiskStore
from sagedock.store.folders import FolderBucket, folder_bucket_name
from sagedock.store.uri import SCHEME, S3Uri, check_bucket_name


class _PlanningStore(DiskStore):
    """Reads what is there; buckets it is asked to make are in memory only."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._planned: dict[str, FolderBucket | None] = {}

    def create_bucket(self, bucket: str) -> None:
        check_bucket_name(bucket)
        self._planned.setdefault(bucket, None)

    def folder_bucket(self, folder: Path) -> S3Uri:
        resolved = folder.resolve()
        name = folder_bucket_name(resolved)
        self._planned[name] = FolderBucket(name, resolved)
        return S3Uri(name)

    def as_folder(self, bucket: str) -> FolderBucket | None:
        if self.has_bucket(bucket) or bucket not in self._planned:
            return super().as_folder(bucket)
        return self._planned[bucket]


class PlanningSession(Session):
    """A session whose store only plans. Must not be used to start jobs."""

    def __init__(self, settings: LocalSettings) -> None:
        super().__init__(settings=settings)
        self._planning = _PlanningStore(settings.data)

    @property
    def store(self) -> DiskStore:
        """The planning store."""
        return self._planning

    def output_uri(self, target: str | Path | None) -> str:
        """As of any session, but a local folder is not made."""
        if target is None or str(target).startswith(SCHEME):
            return super().output_uri(target)
        return str(self.store.folder_bucket(local_path(str(target))))

    def close(self) -> None:
        """Let go of the databases."""
        self._planning.close()
        super().close()


@contextmanager
def planning_session(data: Path | None) -> Iterator[PlanningSession]:
    """A planning session on `data`; where nothing is yet, it stays so."""
    settings = LocalSettings.from_environment(data=data)
    with TemporaryDirectory(prefix="sagedock-plan-") as empty:
        if not (settings.data / FILE_NAME).is_file():
            settings = replace(settings, data=Path(empty))
        with closing(PlanningSession(settings)) as session:
            yield session
