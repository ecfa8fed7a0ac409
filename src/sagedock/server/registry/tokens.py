"""ECR's authorization tokens: made, and looked at when they come back. Nothing is remembered but
one key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time

USER = "AWS"
SECONDS = 12 * 3600
"""How long a token is good."""


class TokenError(Exception):
    """A login that isn't one. `expired`: it was one."""

    def __init__(self, text: str, *, expired: bool = False) -> None:
        super().__init__(text)
        self.expired = expired


class Tokens:
    """Tokens signed with `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def password(self, now: float | None = None) -> tuple[str, float]:
        """A password for the user AWS, and when it ends (seconds since the epoch)."""
        ends = float(int((time.time() if now is None else now) + SECONDS))
        payload = base64.urlsafe_b64encode(json.dumps({"expiration": ends}).encode())
        return f"{payload.decode()}.{self._signature(payload)}", ends

    def check(self, authorization: str | None, now: float | None = None) -> None:
        """Raise TokenError unless an Authorization field has a password that is good."""
        password = _password(authorization or "")
        payload, _, signature = password.rpartition(".")
        wanted = self._signature(payload.encode())
        if not hmac.compare_digest(signature.encode(), wanted.encode()):
            raise TokenError("Not Authorized")
        ends = json.loads(base64.urlsafe_b64decode(payload))["expiration"]
        if ends <= (time.time() if now is None else now):
            raise TokenError(
                "Your authorization token has expired. Reauthenticate and try again.", expired=True
            )

    def _signature(self, payload: bytes) -> str:
        return hmac.new(self._key, payload, hashlib.sha256).hexdigest()


def _password(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        raise TokenError("Not Authorized") from None
    if scheme.lower() != "basic" or user != USER:
        raise TokenError("Not Authorized")
    return password
