"""How this machine reaches the world: directly, through a proxy, or not at all.

Reads the usual variables from values that it is given. Must not know AWS.
"""

from __future__ import annotations

import base64
import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sagedock.errors import UsageError
from sagedock.server.proxy import aws_hosts

CONNECT_SECONDS = 20.0
Dial = Callable[[str, int], socket.socket]
"""Opens a connection to host and port; raises OSError. The only way out."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a proxy listens, and its Proxy-Authorization field, if it wants one."""

    host: str
    port: int
    authorization: str | None = None


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Proxies for TLS and for plain HTTP, and the hosts that are reached without them."""

    tls: Address | None = None
    plain: Address | None = None
    exceptions: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Upstream:
        """From HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case. Raises UsageError
        for a proxy that is not spoken to by plain HTTP."""
        return cls(
            tls=_proxy(environment, "https_proxy"),
            plain=_proxy(environment, "http_proxy"),
            exceptions=tuple(entries(_either(environment, "no_proxy"))),
        )

    def proxy_for(self, host: str, port: int, *, tls: bool) -> Address | None:
        """The proxy through which that host is reached, None for none."""
        if aws_hosts.is_loopback(host) or any(
            is_exception(entry, host, port) for entry in self.exceptions
        ):
            return None
        return self.tls if tls else self.plain


def entries(text: str) -> list[str]:
    """The entries of a NO_PROXY variable."""
    return [entry for entry in text.replace(",", " ").split() if entry]


def is_exception(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY (name, .name, *.name, address, network, name:port, *) covers a
    host."""
    name = aws_hosts.plain(host)
    if entry == "*":
        return True
    entry, wanted = _with_port(entry)
    if wanted is not None and wanted != port:
        return False
    address = aws_hosts.address_of(name)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            return False
    suffix = entry.lower().removeprefix("*").strip(".")
    return bool(suffix) and (name == suffix or name.endswith(f".{suffix}"))


def dial(host: str, port: int) -> socket.socket:
    """Connect. Raises OSError."""
    return socket.create_connection((host, port), timeout=CONNECT_SECONDS)


def _with_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        return name, int(port)
    return entry, None


def _either(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _proxy(environment: Mapping[str, str], name: str) -> Address | None:
    text = _either(environment, name) or _either(environment, "all_proxy")
    if not text:
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme != "http" or not host:
        raise UsageError(
            f"{name.upper()} is {_without_secret(text)!r}: expected http://HOST:PORT.",
            hint="Other kinds of proxies can't be chained to.",
        )
    return Address(host=host, port=port, authorization=_basic(parts.username, parts.password))


def _basic(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _without_secret(text: str) -> str:
    return text.rpartition("@")[2] if "@" in text else text
