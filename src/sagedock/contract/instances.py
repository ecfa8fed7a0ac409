"""What an instance type's name says of its size. Pure.

The service doesn't document /dev/shm (K7); Linux gives half of the memory, and memory follows
from family and size: m has 4 GiB per vCPU, c has 2, r and x more. Families whose names say
nothing (accelerated ones) give None, and the caller falls back to the machine it has.
"""

from __future__ import annotations

import re

_GIB = 1 << 30
_PER_VCPU = {"c": 2, "m": 4, "r": 8, "t": 4}
_SIZES = {"medium": 1, "large": 2, "xlarge": 4}
_NAME = re.compile(r"ml\.([a-z]+)\d[a-z0-9-]*\.(\d*)(medium|large|xlarge)")


def memory_bytes(instance_type: str) -> int | None:
    """Memory of an instance type in bytes, None where its name doesn't tell.

    >>> memory_bytes("ml.m5.large") // 2**30
    8
    """
    match = _NAME.fullmatch(instance_type)
    if not match or match.group(1) not in _PER_VCPU:
        return None
    family, times, size = match.groups()
    return _PER_VCPU[family] * _SIZES[size] * int(times or 1) * _GIB


def shm_bytes(instance_type: str, machine_memory: int) -> int:
    """Size of /dev/shm: half of the instance's memory, at most half of this machine's."""
    memory = memory_bytes(instance_type) or machine_memory
    return min(memory, machine_memory) // 2
