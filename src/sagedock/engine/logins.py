"""What this user has logged in to: the docker command's configuration and its credential helpers.

Nothing is written, and no password is kept.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from docker import auth
from docker.errors import DockerException

from sagedock.errors import EngineError


@dataclass(frozen=True, kw_only=True)
class Login:
    """A login for one registry: a user and a password, or a token that stands for both."""

    username: str = ""
    password: str = ""
    token: str = ""

    def for_engine(self) -> dict[str, str]:
        """As the engine wants it."""
        if self.token:
            return {"identitytoken": self.token}
        return {"username": self.username, "password": self.password}

    def __repr__(self) -> str:
        return "Login(…)"  # a password is in no message


def stored(host: str) -> Login | None:
    """The login that `docker login HOST` has left, None where there is none. Raises EngineError
    where a credential helper fails."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of a helper that is missing: an error
            found = auth.load_config().resolve_authconfig(host)
    except DockerException as error:
        raise EngineError(
            f"The login for {host} can't be read: {error}.",
            hint=f"See credsStore and credHelpers in docker's config.json; or: docker login {host}",
        ) from error
    known = {str(key).lower(): str(value) for key, value in (found or {}).items() if value}
    if not known.get("identitytoken") and not known.get("username"):
        return None
    return Login(
        username=known.get("username", ""),
        password=known.get("password", ""),
        token=known.get("identitytoken", ""),
    )
