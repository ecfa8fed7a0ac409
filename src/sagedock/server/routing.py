"""Which service a request is for. Pure.

A client says it in up to four ways, all of them by accident of protocol: the target of JSON
requests, the path of CBOR and of endpoints, the scope of its signature, the host it was sent to.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from sagedock.server.messages import Request
from sagedock.server.services.runtime import PREFIX

RUNTIME = "runtime.sagemaker"
S3 = "s3"

_TARGETS = {
    "SageMaker": "sagemaker",
    "Logs_20140328": "logs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "GraniteServiceVersion20100801": "monitoring",
}
_CREDENTIAL = re.compile(r"Credential=[^/,\s]+/\d{8}/[^/,\s]+/([a-z0-9-]+)/aws4_request")
_HOST = re.compile(
    r"(?:.+?\.)??(?P<service>[a-z0-9-]+?)(?:\.dualstack)?(?:\.[a-z]{2}(?:-[a-z]+)+-\d)?"
    r"\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)
_HOSTS = {"runtime": RUNTIME, "api": "ecr"}


def service_of(request: Request) -> str:
    """The service's name as endpoints have it: sagemaker, runtime.sagemaker, s3, logs, ecr,
    monitoring, sts, iam, or any other that is named; s3 where nothing is."""
    target = request.headers.get("X-Amz-Target", "")
    if target:
        prefix = target.rpartition(".")[0]
        return _TARGETS.get(prefix) or _scope(request) or prefix.lower()
    if request.path.startswith("/service/GraniteServiceVersion20100801/"):
        return "monitoring"
    scope = _scope(request)
    if scope == "sagemaker" or (scope is None and _is_invocation(request)):
        return RUNTIME
    return scope or _by_host(request.host) or S3


def _is_invocation(request: Request) -> bool:
    return request.path.startswith(PREFIX) and "invocations" in request.path.rpartition("/")[2]


def _scope(request: Request) -> str | None:
    """The service that the request was signed for."""
    text = request.headers.get("Authorization", "")
    if "X-Amz-Credential=" in request.query:
        scope = unquote(request.query.partition("X-Amz-Credential=")[2].partition("&")[0])
        text = f"Credential={scope}"
    match = _CREDENTIAL.search(text)
    return match.group(1) if match else None


def _by_host(host: str) -> str | None:
    match = _HOST.fullmatch(host.lower())
    if not match:
        return None
    name = match.group("service")
    return _HOSTS.get(name, name)
