"""Registries other than ECR: pushed to with the login that the user has, read back over their own
API.

Source: I9 (what SageMaker wants of such a registry).
"""

from __future__ import annotations

from collections.abc import Callable

from sagedock.engine import logins
from sagedock.errors import EngineError, SagedockError
from sagedock.images.ecr import Wishes
from sagedock.images.manifests import DOCKER, Manifest
from sagedock.images.registry_api import RegistryApi

NEEDS = (
    "SageMaker pulls from a registry that is not ECR in your VPC only (I9): give training jobs "
    "TrainingImageConfig={TrainingRepositoryAccessMode: Vpc}, models ImageConfig="
    "{RepositoryAccessMode: Vpc}, both a VpcConfig that reaches the registry, and a Lambda with "
    "the login (…RepositoryAuthConfig) if it wants one; its certificate must be of a public "
    "authority. Processing jobs and serverless endpoints can't use it"
)


_API = dict.fromkeys(("docker.io", "index.docker.io"), "registry-1.docker.io")
"""Hosts whose API is at another one."""


class PrivateRegistry:
    """The registry at `host` (HOST[:PORT]). `plain`: the engine talks to it without TLS, too."""

    def __init__(self, host: str, *, plain: bool) -> None:
        self._host = host
        self._login = logins.stored(host)
        self._api = RegistryApi(_API.get(host, host), self._login, plain=plain)

    def ensure(self, name: str, wishes: Wishes, before: Callable[[], None]) -> PrivateRepository:
        """The repository; such registries make them when something comes."""
        return PrivateRepository(self._host, name, self._login, self._api)


class PrivateRepository:
    """A repository of a registry that is not ECR. A Place."""

    apart = False
    """A tag can't be taken away there without the image that it names."""
    immutable = False
    made = False
    account: str | None = None
    region: str | None = None
    needs = NEEDS

    def __init__(self, host: str, name: str, login: logins.Login | None, api: RegistryApi) -> None:
        self._host, self.name, self._login, self._api = host, name, login, api
        self.uri = f"{host}/{name}"

    def login(self) -> dict[str, str] | None:
        """What the engine logs in with; None where the user has not logged in."""
        return self._login.for_engine() if self._login else None

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest that a tag or digest names, None where there is none."""
        return self._api.manifest(self.name, reference)

    def put(self, tag: str, text: str) -> Manifest:
        """Put a Docker manifest of blobs that are there already."""
        return self._api.put(self.name, tag, text, DOCKER)

    def delete_tag(self, tag: str) -> None:
        """Nothing is pushed there by a tag that has to go."""

    def refused(self, words: str) -> SagedockError:
        """The error for a push that the registry denies."""
        return EngineError(words, hint=f"Log in as somebody who may: docker login {self._host}")
