"""Lets one installed distribution be known by a second name, so that pip finds it satisfied.

    alias_distribution.py PREFIX REAL ALIAS

A user's requirements.txt that names `xgboost` would otherwise put the 300 MB wheel with NCCL over
the CPU build that is there. The alias claims the real package's files in its RECORD: whoever does
ask for another version has the CPU build's files taken away first, instead of mixed with it.

It must not know which packages these are.
"""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

METADATA = """\
Metadata-Version: 2.1
Name: {alias}
Version: {version}
Summary: The installed {real} {version}, known by this name too
Requires-Dist: {real}=={version}
"""


def find(site: Path, name: str) -> Distribution:
    return next(d for d in distributions(path=[str(site)]) if d.metadata["Name"] == name)


def payload(real: Distribution) -> list[str]:
    """The real package's RECORD lines, without those of its own metadata."""
    lines = (real.read_text("RECORD") or "").splitlines()
    return [line for line in lines if ".dist-info/" not in line]


def main(prefix: str, real_name: str, alias: str) -> None:
    site = next(Path(prefix).glob("lib/python3*/site-packages"))
    real = find(site, real_name)
    folder = f"{alias}-{real.version}.dist-info"
    texts = {
        "METADATA": METADATA.format(alias=alias, real=real_name, version=real.version),
        "INSTALLER": "pip\n",
    }
    (site / folder).mkdir()
    record = payload(real) + [f"{folder}/{name},," for name in [*texts, "RECORD"]]
    for name, text in {**texts, "RECORD": "\n".join(record) + "\n"}.items():
        (site / folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
