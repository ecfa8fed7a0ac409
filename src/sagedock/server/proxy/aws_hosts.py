"""Which host names are AWS's, and which are this machine's. Pure; nothing is ever resolved."""

from __future__ import annotations

import ipaddress

SUFFIXES = (
    "amazonaws.com", "amazonaws.com.cn", "amazonaws.cn", "amazonaws.eu", "amazonaws-eusc.eu",
    "amazonaws-us-gov.com", "amazonwebservices.com.cn", "amazonwebservices.eu", "api.aws",
    "on.aws", "signin.aws", "sagemaker.aws", "signin.aws.amazon.com", "aws.scloud", "aws.ic.gov",
    "aws.hci.ic.gov", "c2s.ic.gov", "sc2s.sgov.gov", "csp.hci.ic.gov", "cloud.adc-e.uk",
    "cloud-aws.adc-e.uk",
)  # fmt: skip
"""What the names of AWS's endpoints end with: all suffixes of botocore's partitions and endpoint
rules, and those that the SDKs for SageMaker spell out."""

_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "169.254.170.2", "169.254.170.23",
                               "fd00:ec2::254", "fd00:ec2::23"))
)  # fmt: skip
"""Where EC2, ECS and EKS give out credentials."""

CONTAINER_NAMES = ("host.docker.internal",)
"""What containers call this machine."""


def plain(host: str) -> str:
    """A host in the one form that is compared: lower case, no brackets, no dot at the end."""
    return host.strip("[]").rstrip(".").lower()


def is_aws(host: str) -> bool:
    """Whether a host belongs to AWS."""
    return _within(plain(host), SUFFIXES)


def is_metadata(host: str) -> bool:
    """Whether a host is one of the addresses that give real credentials to whoever asks."""
    address = address_of(host)
    return address in _METADATA


def is_loopback(host: str) -> bool:
    """Whether a host is this machine as only it sees itself."""
    address = address_of(host)
    if address is not None:
        mapped = getattr(address, "ipv4_mapped", None) or address
        return bool(mapped.is_loopback)
    return _within(plain(host), ("localhost",))


def is_container_name(host: str) -> bool:
    """Whether a host is this machine as containers call it, or a bucket there."""
    return _within(plain(host), CONTAINER_NAMES)


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is spelled as, None for a name."""
    try:
        return ipaddress.ip_address(plain(host).partition("%")[0])
    except ValueError:
        return None


def _within(name: str, suffixes: tuple[str, ...]) -> bool:
    return any(name == suffix or name.endswith(f".{suffix}") for suffix in suffixes)
