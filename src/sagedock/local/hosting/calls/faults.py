"""What goes wrong with an invocation, in the service's words: ModelError and its kin.

Must not know how a container is reached.
"""

from __future__ import annotations

from dataclasses import dataclass

from sagedock.errors import ModelError, ModelNotReadyError
from sagedock.local.hosting.calls.connections import Message
from sagedock.local.settings import LocalSettings

_SHOWN = 1000
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Errors of the endpoint `endpoint`, whose log's name is `log_stream`."""

    endpoint: str
    log_stream: str

    @classmethod
    def of(cls, endpoint: str, settings: LocalSettings) -> Faults:
        """Those of an endpoint of this machine."""
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        arn = f"arn:aws:logs:{settings.region}:{settings.account}:log-group:{group}"
        return cls(endpoint=endpoint, log_stream=arn)

    def answered(self, container: str, message: Message) -> ModelError:
        """The container answered, with an error (D3.11)."""
        return self._error(container, message.status, message.content, self._see_log())

    def late(self, container: str, seconds: float) -> ModelError:
        """No whole answer within `seconds` (D3.8)."""
        text = (
            "Your invocation timed out while waiting for a response from container "
            f"{container}. Review the latency metrics for each container in Amazon CloudWatch, "
            "resolve the issue, and try again."
        )
        hint = f"No answer came within {seconds:g} s (D3.8). {self._see_log()}"
        return self._error(container, 0, text.encode(), hint)

    def broken(self, container: str, reason: str) -> ModelError:
        """The container broke off before its answer had come."""
        text = f"No whole response came from container {container}: it broke off ({reason})."
        return self._error(container, 0, text.encode(), "See its status: sagedock endpoints")

    def large(self, container: str, limit: int, rule: str) -> ModelError:
        """The container's answer is too large to be passed on."""
        text = f"The response from container {container} has more than {limit:,} bytes ({rule})."
        return self._error(container, 0, text.encode(), "Let it answer in fewer bytes.")

    def unavailable(self, reason: str, seconds: float) -> ModelError:
        """No container could be reached for `seconds`."""
        text = f"No container of the endpoint could be reached for {seconds:g} s: {reason}."
        return self._error("primary", 503, text.encode(), "See its status: sagedock endpoints")

    def loading(self, target: str) -> ModelNotReadyError:
        """A multi-model endpoint's model was not loaded in time."""
        return ModelNotReadyError(
            f"Model {target} is not ready for inference yet: it is being loaded.",
            hint="Try again; loading goes on.",
        )

    def _error(self, container: str, status: int, body: bytes, hint: str) -> ModelError:
        kind = "client" if 0 < status < _SERVER_ERROR else "server"
        text = body[:_SHOWN].decode("utf-8", "replace")
        return ModelError(
            f'Received {kind} error ({status}) from {container} with message "{text}".',
            status=status,
            body=body,
            log_stream=self.log_stream,
            hint=hint,
        )

    def _see_log(self) -> str:
        return (
            f"The container's log says more: see endpoints/{self.endpoint}/logs in the data folder."
        )
