"""Endpoints need an owner that lives: whoever finds one without gives it a new one."""

from __future__ import annotations

from sagedock.local.hosting.records import HostingRecords
from sagedock.local.hosting.values import Endpoint, EndpointStatus
from sagedock.local.process import Owner
from sagedock.local.settings import LocalSettings


def keep(endpoint: Endpoint, records: HostingRecords, settings: LocalSettings) -> bool:
    """Start a new owner where the present one has ended; whether that was done here. A failed
    endpoint has nothing to be kept."""
    if endpoint.status is EndpointStatus.FAILED or endpoint.owner.is_alive():
        return False
    if not records.claim(endpoint, Owner.me()):
        return False
    hand_over(endpoint.name, settings)
    return True


def hand_over(name: str, settings: LocalSettings) -> None:
    """Start a process that takes the endpoint over from this one."""
    from sagedock.local import owner  # imports subprocess, which few callers need

    owner.spawn_host(settings, name, settings.data / "endpoints" / name / "runner.log")
