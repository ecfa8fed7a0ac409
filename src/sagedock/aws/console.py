"""Links to AWS's web console: pure, from names alone. Must not know whether the thing exists.

Kinds are plain strings: `training`, `processing`, `transform`, `endpoint`, `model`, and
`log-group`, whose name is the group's.
"""

from __future__ import annotations

from urllib.parse import quote

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""Partition to console. The partitions without a public one are left out: no link beats a wrong
one."""

_PAGES = {
    "training": "jobs",
    "processing": "processing-jobs",
    "transform": "transform-jobs",
    "endpoint": "endpoints",
    "model": "models",
}


def console_url(kind: str, name: str, region: str, partition: str = "aws") -> str:
    """The page of a job, an endpoint, a model or a log group; `""` in a partition that has no
    public console. Raises ValueError for another kind."""
    if kind == "log-group":
        return logs_url(name, region=region, partition=partition)
    if kind not in _PAGES:
        raise ValueError(f"kind is {kind!r}: expected one of {', '.join(_PAGES)}, log-group")
    return _page("sagemaker", f"#/{_PAGES[kind]}/{quote(name, safe='')}", region, partition)


def logs_url(group: str, *, region: str, partition: str = "aws", prefix: str = "") -> str:
    """A log group's streams in CloudWatch's console; with `prefix` those that begin with it."""
    shown = f"$3FlogStreamNameFilter$3D{_doubly(prefix)}" if prefix else ""
    fragment = f"#logsV2:log-groups/log-group/{_doubly(group)}{shown}"
    return _page("cloudwatch", fragment, region, partition)


def _page(service: str, fragment: str, region: str, partition: str) -> str:
    host = _HOSTS.get(partition)
    return f"https://{region}.{host}/{service}/home?region={region}{fragment}" if host else ""


def _doubly(text: str) -> str:
    """CloudWatch's console wants names in its fragment quoted twice, with $ in the place of %."""
    return quote(quote(text, safe=""), safe="").replace("%", "$")
