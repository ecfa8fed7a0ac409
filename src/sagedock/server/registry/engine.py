"""An engine that is logged in to the registry of this machine, as SageMaker is to the account's:
a job's image is pulled without anybody's `docker login`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sagedock.engine.docker import Engine, ImageInfo
from sagedock.server.registry.local import LocalRegistry


class RegistryEngine(Engine):
    """An Engine, and the registry that it pulls from by itself."""

    registry: LocalRegistry

    @classmethod
    def connecting(cls, registry: LocalRegistry) -> Callable[[], Engine]:
        """What LocalSageMaker's `engine` wants."""

        def connect() -> Engine:
            engine = cls(Engine.connect()._client)
            engine.registry = registry
            return engine

        return connect

    def pull(self, reference: str, *, login: Mapping[str, str] | None = None) -> ImageInfo:
        """As Engine's. Raises ImageNotFoundError."""
        if login is None and reference.startswith(f"{self.registry.address}/"):
            login = self.registry.login()
        return super().pull(reference, login=login)
