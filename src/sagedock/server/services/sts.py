"""STS: who the caller is, and credentials for a while. Every caller here may do everything.

The caller is an assumed role, as in a SageMaker notebook: `get_execution_role()` of both SDKs makes
a role's ARN of it. A session token holds what it is for, so that whoever comes with it is known
without anything being remembered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sagedock.errors import SagedockError
from sagedock.local.settings import LocalSettings
from sagedock.server.messages import Request, Response
from sagedock.server.protocols.shapes import Params
from sagedock.server.services.rpc import RpcService, ServiceError

if TYPE_CHECKING:
    from botocore.model import OperationModel

ROLE = "SageMakerRole"
"""The role that a caller with the credentials of this machine has."""

_SESSION = "sagedock"
_ROLE_SECONDS, _SESSION_SECONDS = 3600, 43200
"""DurationSeconds where none is given: AssumeRole's and GetSessionToken's."""

_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,64})", re.A)
_KEY = "ASIA"


class StsService(RpcService):
    """The service `sts` of this machine's account."""

    def __init__(self, settings: LocalSettings) -> None:
        self._account = settings.account
        self._of_thread = threading.local()
        super().__init__(
            "sts",
            {
                "GetCallerIdentity": self._get_caller_identity,
                "AssumeRole": self._assume_role,
                "GetSessionToken": self._get_session_token,
                "GetAccessKeyInfo": lambda params: {"Account": self._account},
            },
            translate=_validation,
        )

    def __call__(self, request: Request) -> Response:
        self._of_thread.token = request.headers.get("X-Amz-Security-Token", "")
        return super().__call__(request)

    def _get_caller_identity(self, params: Params) -> dict[str, Any]:
        known = _read_token(self._of_thread.token)
        if known:
            return {**known, "Account": known["Arn"].split(":")[4]}
        return {**self._identity(self._account, ROLE, _SESSION), "Account": self._account}

    def _assume_role(self, params: Params) -> dict[str, Any]:
        match = _ROLE_ARN.fullmatch(params["RoleArn"])
        if not match:
            raise ServiceError("ValidationError", f"{params['RoleArn']} is invalid")
        who = self._identity(match.group(1), match.group(2), params["RoleSessionName"])
        return {
            "Credentials": _credentials(params.get("DurationSeconds", _ROLE_SECONDS), who),
            "AssumedRoleUser": {"AssumedRoleId": who["UserId"], "Arn": who["Arn"]},
        }

    def _get_session_token(self, params: Params) -> dict[str, Any]:
        who = self._get_caller_identity({})
        del who["Account"]
        return {"Credentials": _credentials(params.get("DurationSeconds", _SESSION_SECONDS), who)}

    @staticmethod
    def _identity(account: str, role: str, session: str) -> dict[str, str]:
        return {
            "UserId": f"{role_id(account, role)}:{session}",
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        }


def service(settings: LocalSettings) -> RpcService:
    """The service `sts`."""
    return StsService(settings)


def role_id(account: str, role: str) -> str:
    """The unique id of a role: the same for the same role at any time."""
    digest = hashlib.sha256(f"{account}/{role}".encode()).digest()
    return "AROA" + base64.b32encode(digest).decode()[:17]


def _credentials(seconds: int, who: dict[str, str]) -> dict[str, Any]:
    return {
        "AccessKeyId": _KEY + base64.b32encode(secrets.token_bytes(10)).decode(),
        "SecretAccessKey": secrets.token_urlsafe(30),
        "SessionToken": base64.b64encode(json.dumps(who).encode()).decode(),
        "Expiration": datetime.now(UTC) + timedelta(seconds=seconds),
    }


def _read_token(token: str) -> dict[str, str] | None:
    """Whom a session token is for; None where it is none of ours."""
    try:
        who = json.loads(base64.b64decode(token, validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(who, dict) or set(who) != {"UserId", "Arn"}:
        return None
    texts = all(isinstance(value, str) for value in who.values())
    return who if texts and who["Arn"].count(":") >= 5 else None


def _validation(error: SagedockError, operation: OperationModel) -> ServiceError:
    return ServiceError("ValidationError", error.message)
