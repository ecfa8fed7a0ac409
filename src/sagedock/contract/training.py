"""The JSON files a training container finds in /opt/ml/input/config, as types.

`to_dict` gives the service's real keys; `from_dict` tolerates unknown keys, as containers must
(A2.3b). Source: A2.2, A2.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOMOGENEOUS_GROUP = "homogeneousCluster"
"""Name of the one instance group of a job that has none of its own (A2.3)."""


@dataclass(frozen=True, kw_only=True)
class ChannelConfig:
    """One channel of inputdataconfig.json (A2.2a). `content_type` is left out when not given."""

    input_mode: str = "File"
    distribution: str = "FullyReplicated"
    record_wrapper: str = "None"
    content_type: str | None = None

    def to_dict(self) -> dict[str, str]:
        document = {
            "TrainingInputMode": self.input_mode,
            "S3DistributionType": self.distribution,
            "RecordWrapperType": self.record_wrapper,
        }
        return (
            document
            if self.content_type is None
            else {"ContentType": self.content_type, **document}
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ChannelConfig:
        """Missing keys take the service's defaults: SDK local modes leave two of them out (A9)."""
        return cls(
            input_mode=document.get("TrainingInputMode", "File"),
            distribution=document.get("S3DistributionType", "FullyReplicated"),
            record_wrapper=document.get("RecordWrapperType", "None"),
            content_type=document.get("ContentType"),
        )


@dataclass(frozen=True, kw_only=True)
class InputDataConfig:
    """inputdataconfig.json: channels by name; empty for a job without channels (A2.2e)."""

    channels: Mapping[str, ChannelConfig]

    def to_dict(self) -> dict[str, Any]:
        return {name: channel.to_dict() for name, channel in self.channels.items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> InputDataConfig:
        return cls(channels={k: ChannelConfig.from_dict(v) for k, v in document.items()})


@dataclass(frozen=True, kw_only=True)
class ResourceConfig:
    """resourceconfig.json in its long, real form (A2.3). `hosts` is sorted as text (A2.3a)."""

    current_host: str
    hosts: Sequence[str]
    instance_type: str
    network_interface: str = "eth0"
    group: str = HOMOGENEOUS_GROUP

    def to_dict(self) -> dict[str, Any]:
        hosts = sorted(self.hosts)
        return {
            "current_host": self.current_host,
            "current_instance_type": self.instance_type,
            "current_group_name": self.group,
            "hosts": hosts,
            "instance_groups": [
                {
                    "instance_group_name": self.group,
                    "instance_type": self.instance_type,
                    "hosts": hosts,
                }
            ],
            "network_interface_name": self.network_interface,
            "topology": None,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ResourceConfig:
        """Reads the long and the documented three-key form (A2.3b)."""
        return cls(
            current_host=document["current_host"],
            hosts=tuple(document["hosts"]),
            instance_type=document.get("current_instance_type", "local"),
            network_interface=document.get("network_interface_name", "eth0"),
            group=document.get("current_group_name", HOMOGENEOUS_GROUP),
        )
