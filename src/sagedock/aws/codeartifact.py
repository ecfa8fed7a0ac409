"""CodeArtifact as pip's index: a token for twelve hours at most, and the address it stands in."""

from __future__ import annotations

from urllib.parse import urlsplit

from sagedock.aws.account import Account, told
from sagedock.errors import AwsError

_SECONDS = 3600
_HINT = (
    "It needs codeartifact:GetAuthorizationToken, codeartifact:GetRepositoryEndpoint and "
    "sts:GetServiceBearerToken."
)


def index_address(
    account: Account, domain: str, repository: str, *, owner: str | None = None
) -> str:
    """The address of a repository's index for pip, with a token in it that is good for an hour:
    a secret. `owner` is the account of the domain, if another. Raises AwsError."""
    client = account.client("codeartifact")
    whose = {"domainOwner": owner} if owner else {}
    with told(f"The CodeArtifact repository {domain}/{repository}", _HINT):
        endpoint = client.get_repository_endpoint(
            domain=domain, repository=repository, format="pypi", **whose
        )["repositoryEndpoint"]
        token = client.get_authorization_token(domain=domain, durationSeconds=_SECONDS, **whose)
    parts = urlsplit(endpoint)
    if not parts.netloc or not token.get("authorizationToken"):
        raise AwsError(f"CodeArtifact gave no address for {domain}/{repository}: {endpoint!r}.")
    place = f"{parts.netloc}{parts.path.rstrip('/')}"
    return f"{parts.scheme}://aws:{token['authorizationToken']}@{place}/simple/"
