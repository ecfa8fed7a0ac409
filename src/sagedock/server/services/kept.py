"""A service that holds something open, a database say, and lets go of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from sagedock.errors import SagedockError
from sagedock.server.services.rpc import Operation, RpcService, ServiceError

if TYPE_CHECKING:
    from botocore.model import OperationModel


class Closable(Protocol):
    """What is held."""

    def close(self) -> None: ...


class KeptService(RpcService):
    """An RpcService over `held`; `close` lets go of them. What sagedock itself finds wrong with a
    request is the service's error `invalid`."""

    def __init__(
        self,
        name: str,
        operations: Mapping[str, Operation],
        *,
        held: Sequence[Closable],
        invalid: str,
    ) -> None:
        def translate(error: SagedockError, operation: OperationModel) -> ServiceError:
            return ServiceError(invalid, error.message)

        super().__init__(name, operations, translate=translate)
        self._held = held

    def close(self) -> None:
        """Let go of everything."""
        for one in self._held:
            one.close()
