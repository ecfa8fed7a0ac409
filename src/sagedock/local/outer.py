"""The environment as it was before `sagedock env` or `sagedock run` pointed it at this machine.

What is replaced is kept in one variable, so that it can be put back, and so that programs of ours
inside such a shell know the machine's own proxies and certificates. Pure.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

SAVED = "SAGEDOCK_SAVED"
_KEPT = frozenset(("AWS_REGION", "AWS_DEFAULT_REGION", "SAGEDOCK_DATA"))
"""These mean the same inside and outside, and the inner ones win."""


def saved(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Names to the values they had; None for those that were not there. Empty outside."""
    try:
        found = json.loads(base64.b64decode(environment.get(SAVED, ""), validate=True) or b"{}")
    except (binascii.Error, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def encoded(values: Mapping[str, str | None]) -> str:
    """What `saved` reads."""
    return base64.b64encode(json.dumps(values).encode()).decode()


def before(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment outside."""
    changed = saved(environment)
    outside = {name: value for name, value in environment.items()
               if name != SAVED and name not in changed}  # fmt: skip
    return outside | {name: value for name, value in changed.items() if value is not None}


def original(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment outside, with the region and the data folder of inside."""
    inner = {name: environment[name] for name in _KEPT if name in environment}
    return before(environment) | inner
