"""How what is asked of a build is written: sizes and secrets. The environment is passed in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sagedock.errors import UsageError
from sagedock.images.plan import Secret

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmg]i?|)b?", re.IGNORECASE)


def size(text: str) -> int:
    """`450MB`, `1.5 GB`, `400MiB` as bytes. UsageError for anything else."""
    match = _SIZE.fullmatch(text.strip())
    found = int(float(match["number"]) * _UNITS[match["unit"].lower()]) if match else 0
    if not found:
        raise UsageError(f"{text!r} is no size of an image: expected for example 450MB or 2GB.")
    return found


def secret(text: str, environ: Mapping[str, str]) -> Secret:
    """`id=NAME,src=FILE` or `id=NAME,env=VARIABLE`, as Docker writes them; without either the
    variable of that name. UsageError for anything else; no message shows a value."""
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    name = fields.get("id", "")
    if not name or not set(fields) <= {"id", "src", "source", "env", "type"}:
        raise UsageError(
            f"{text!r} is no secret: expected id=NAME,src=FILE or id=NAME,env=VARIABLE."
        )
    path = fields.get("src") or fields.get("source")
    if path:
        return Secret(id=name, path=path)
    variable = fields.get("env") or name
    if not environ.get(variable):
        raise UsageError(f"The secret {name} is to be the variable {variable}, which is not set.")
    return Secret(id=name, value=environ[variable])
