"""Looks at certificates and proxies: what the environment names, whether it can be used."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sagedock.project.doctor.facts import Proxies, Proxy, Trust

BUNDLES = ("SAGEDOCK_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "AWS_CA_BUNDLE")
PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_SECONDS = 3
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def bundles(environ: Mapping[str, str]) -> tuple[Trust, ...]:
    """Every bundle that a variable names, each file once."""
    found: dict[str, Trust] = {}
    for name in BUNDLES:
        path = environ.get(name)
        if path and path not in found:
            found[path] = _bundle(name, path)
    return tuple(found.values())


def _bundle(variable: str, path: str) -> Trust:
    """By the library that would use it: what OpenSSL can't load helps nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        words = error.reason.lower().replace("_", " ") if error.reason else str(error)
        return Trust(variable=variable, path=path, problem=f"no certificates in it: {words}")
    except OSError as error:
        return Trust(variable=variable, path=path, problem=str(error.strerror))
    old = [_name(item) for item in context.get_ca_certs() if _has_expired(item)]
    return Trust(
        variable=variable,
        path=path,
        certificates=context.cert_store_stats()["x509"],
        expired=tuple(old),
    )


def _has_expired(certificate: Mapping[str, Any]) -> bool:
    return ssl.cert_time_to_seconds(str(certificate["notAfter"])) < time.time()


def _name(certificate: Mapping[str, Any]) -> str:
    parts = {key: value for group in certificate["subject"] for key, value in group}
    return str(parts.get("commonName") or parts.get("organizationName") or "one without a name")


def proxies(environ: Mapping[str, str]) -> Proxies:
    """Every proxy that a variable names, each address once, and whether it takes connections."""
    found: dict[str, Proxy] = {}
    for name in PROXIES:
        address = environ.get(name)
        if address and address not in found:
            shown = re.sub(r"(?<=//)[^/@]+(?=@)", "********", address)
            found[address] = Proxy(variable=name, shown=shown, problem=_reach(address))
    no_proxy = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return Proxies(found=tuple(found.values()), no_proxy=no_proxy)


def _reach(address: str) -> str:
    try:
        parts = urlsplit(address if "//" in address else f"http://{address}")
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError as error:
        return str(error)
    if not host or not port:
        return "expected http://HOST:PORT"
    try:
        socket.create_connection((host, port), _SECONDS).close()
    except OSError as error:
        return f"it takes no connections: {error.strerror or error}"
    return ""
