"""Opens what commands need for as long as they need it: session, local SageMaker, store.

Finds jobs by name across kinds. Must not print.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sagedock.errors import ResourceNotFoundError, UsageError

if TYPE_CHECKING:
    from sagedock.launch.session import Session
    from sagedock.local.client import LocalSageMaker
    from sagedock.local.execution import Listener
    from sagedock.local.records import Job
    from sagedock.local.settings import LocalSettings
    from sagedock.store.disk import DiskStore


@contextmanager
def open_session(data: Path | None, listener: Listener | None = None) -> Iterator[Session]:
    """A launching session on `data` (None: the user's own folder)."""
    from sagedock.launch.session import Session

    settings = settings_of(data)
    with closing(Session(settings=settings, listener=listener)) as session:
        yield session


@contextmanager
def open_client(data: Path | None) -> Iterator[LocalSageMaker]:
    """The local SageMaker on `data`."""
    from sagedock.local.client import LocalSageMaker

    settings = settings_of(data)
    with closing(LocalSageMaker(settings)) as client:
        yield client


@contextmanager
def open_store(data: Path | None) -> Iterator[DiskStore]:
    """The object store on `data`."""
    from sagedock.store.disk import DiskStore

    settings = settings_of(data)
    with closing(DiskStore(settings.data)) as store:
        yield store


def settings_of(data: Path | None) -> LocalSettings:
    """This machine's settings, with `data` as the data folder, in the project's region where the
    environment names none."""
    from dataclasses import replace

    from sagedock.cli.configuration import current
    from sagedock.local.settings import LocalSettings

    settings = LocalSettings.from_environment(data=data)
    region = current().general("region")
    return replace(settings, region=region) if region else settings


def find_job(client: LocalSageMaker, name: str, kind: str | None = None) -> Job:
    """The job of that name. Raises ResourceNotFoundError with names like it, UsageError where
    jobs of two kinds have it."""
    from sagedock.local.records import Kind

    jobs = client.jobs(Kind(kind) if kind else None)
    found = [job for job in jobs if job.name == name]
    if len(found) > 1:
        raise UsageError(
            f"A {found[0].kind} job and a {found[1].kind} job are both named {name!r}.",
            hint=f"Say which one: --kind {found[0].kind}, or --kind {found[1].kind}.",
        )
    if not found:
        close = difflib.get_close_matches(name, {job.name for job in jobs}, n=3)
        words = f"Did you mean {' or '.join(close)}? " if close else ""
        raise ResourceNotFoundError(
            f"No {kind + ' ' if kind else ''}job is named {name!r} in {client.settings.data}.",
            hint=f"{words}See all of them: sagedock jobs",
        )
    return found[0]
