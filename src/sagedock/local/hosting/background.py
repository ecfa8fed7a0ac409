"""What an endpoint's owner does beside keeping its containers: works off asynchronous requests,
and moves captured data to the store. Must not know containers."""

from __future__ import annotations

from sagedock.local.hosting.records import HostingRecords
from sagedock.local.settings import LocalSettings
from sagedock.store.disk import DiskStore


class Background:
    """The background work of endpoint `name`, in threads of this process."""

    def __init__(
        self, name: str, *, settings: LocalSettings, store: DiskStore, records: HostingRecords
    ) -> None:
        self._name, self._settings = name, settings
        self._store, self._records = store, records

    def start(self) -> None:
        """Begin; a second call changes nothing."""

    def stop(self) -> None:
        """End: returns when nothing is under way any more. May be called without `start`."""
