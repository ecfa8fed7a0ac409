"""Every error sagedock raises on purpose: what happened, where, and what to do next.

One class per kind of cause, one exit code per class. Raised where the fact is known, caught at
the doors (`cli/main.py`, the in-image supervisor). This module must not import anything of
sagedock's own.
"""

from __future__ import annotations


class SagedockError(Exception):
    """Base of all deliberate errors.

    `message` names the thing, the value found and the value expected; `hint` is the next step.
    `exit_code` is what a program that ends because of this error exits with.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(SagedockError):
    """The call itself is wrong: an argument that is missing, unknown or of the wrong form."""

    exit_code = 2


class ValidationError(SagedockError):
    """A request that the service's own model refuses (botocore's shapes, the contract's rules)."""

    exit_code = 3


class UnsupportedError(SagedockError):
    """A request that AWS would take but this version can't do here: refused, never ignored."""

    exit_code = 4


class EngineError(SagedockError):
    """Docker answered with an error."""

    exit_code = 5


class EngineUnavailableError(EngineError):
    """No Docker engine answers, or it may not be used by this user."""

    exit_code = 6


class ImageNotFoundError(EngineError):
    """The engine does not have the image, and a pull did not bring it."""

    exit_code = 7


class InputError(SagedockError):
    """Input data that is missing, empty or not readable."""

    exit_code = 8


class StoreError(SagedockError):
    """Object storage: an unknown bucket or key, a bad URI, a failed write."""

    exit_code = 9


class OutputError(SagedockError):
    """Results that could not be written: disk full, folder not writable."""

    exit_code = 10


class ResourceInUseError(SagedockError):
    """A name that is taken: job names are unique for ever, as on AWS."""

    exit_code = 11


class ResourceNotFoundError(SagedockError):
    """A job, image or endpoint of that name is not known."""

    exit_code = 12


class JobFailedError(SagedockError):
    """A job ended as Failed (or Stopped where the caller needed it Completed)."""

    exit_code = 13


class BuildError(SagedockError):
    """An image could not be built."""

    exit_code = 14


class ModelError(SagedockError):
    """A model's container answered an invocation with an error, too late, or not at all.

    `status` and `body` are the container's own (D3.11); without an answer 0 and empty. `response`
    is what botocore's exceptions have by that name.
    """

    exit_code = 15
    code = "ModelError"
    """The service's own word for it."""
    http_status = 424

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        body: bytes = b"",
        log_stream: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status, self.body, self.log_stream = status, body, log_stream

    @property
    def response(self) -> dict[str, object]:
        """The error as boto3 shows it: Error, OriginalStatusCode, OriginalMessage, LogStreamArn."""
        return {
            "Error": {"Code": self.code, "Message": self.message},
            "ResponseMetadata": {"HTTPStatusCode": self.http_status},
            "Message": self.message,
            **self.members,
        }

    @property
    def members(self) -> dict[str, object]:
        """What the service's error has besides its message."""
        return {
            "OriginalStatusCode": self.status,
            "OriginalMessage": self.body.decode("utf-8", "replace"),
            "LogStreamArn": self.log_stream,
        }


class ModelNotReadyError(ModelError):
    """ModelNotReadyException: a multi-model endpoint loads the model still; ask again."""

    code = "ModelNotReadyException"
    http_status = 429

    @property
    def members(self) -> dict[str, object]:
        """None."""
        return {}


class ModelStreamError(ModelError):
    """A streamed answer has ended before its time. `error_code` is ModelInvocationTimeExceeded or
    StreamBroken (D3.14)."""

    code = "ModelStreamError"

    def __init__(self, message: str, *, error_code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.error_code = error_code

    @property
    def members(self) -> dict[str, object]:
        """ErrorCode."""
        return {"ErrorCode": self.error_code}


class AwsError(SagedockError):
    """AWS has refused what was asked of it, or could not be asked."""

    exit_code = 16


class TrainingError(SagedockError):
    """Inside an image: the user's training could not be done. The text goes to the failure file."""

    exit_code = 1
