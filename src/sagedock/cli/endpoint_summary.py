"""What an endpoint is, for people: a few lines from its description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagedock.cli.far import Far

_LABEL = 10


def near_lines(document: Mapping[str, Any]) -> list[str]:
    """Of one on this machine."""
    return [f"{label:<{_LABEL}}{text}" for label, text in _facts(document)]


def far_lines(far: Far, document: Mapping[str, Any], data: Path) -> list[str]:
    """Of one on AWS: where the console shows it, too, and what it costs an hour. `data` is the
    folder with the user's prices."""
    facts = [*_facts(document), *_links(far, document["EndpointName"]), *_rate(far, document, data)]
    return [f"{label:<{_LABEL}}{text}" for label, text in facts]


def _facts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Endpoint", document["EndpointName"]
    yield "Status", document["EndpointStatus"]
    for item in document.get("ProductionVariants", ()):
        count = item.get("CurrentInstanceCount")
        size = "serverless" if count is None else f"{count} of {item['DesiredInstanceCount']}"
        yield "Variant", f"{item['VariantName']} ({size}, weight {item.get('CurrentWeight', 1):g})"
    if document.get("FailureReason"):
        yield "Failure", document["FailureReason"].partition("\n")[0]


def _links(far: Far, name: str) -> Iterator[tuple[str, str]]:
    from sagedock.aws.console import console_url, logs_url
    from sagedock.launch.aws.endpoints import log_group

    place = {"region": far.account.region, "partition": far.account.partition}
    links = {
        "Console": console_url("endpoint", name, **place),
        "Logs": logs_url(log_group(name), **place),
    }
    yield from ((label, link) for label, link in links.items() if link)


def _rate(far: Far, document: Mapping[str, Any], data: Path) -> Iterator[tuple[str, str]]:
    from sagedock.aws.prices import load
    from sagedock.launch.cost import of_endpoint

    name = document["EndpointConfigName"]
    config = far.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    region = far.account.region
    rate = of_endpoint(document, config, load(data), region)
    if rate is None:
        return
    what = " + ".join(f"{count} {kind}" for kind, count in rate.instances)
    if rate.hourly is not None:
        yield "Cost", f"{rate.hourly} an hour ({what}; list price of {', '.join(rate.published)})"
    elif "AsyncInferenceConfig" in config:
        yield "Cost", f"unknown ({what}): asynchronous inference has prices of its own"
    else:
        lacking = ", ".join(dict.fromkeys(rate.lacking))
        yield (
            "Cost",
            (
                f"unknown: no price of {lacking} for Hosting in {region} "
                f"(sagedock prices --refresh --region {region})"
            ),
        )
