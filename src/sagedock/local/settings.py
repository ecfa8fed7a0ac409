"""Settings of this machine for local jobs: data folder, ARNs, and what containers need to reach
package indexes. They never enter a request or a record: they belong to the machine, not the job.

The only place below the command line that reads the environment.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sagedock.errors import UsageError
from sagedock.local.outer import original

CA_TARGET = "/etc/sagedock/ca-bundle.crt"
"""Where a container sees the host's bundle of certificate authorities."""

_CA_VARIABLES = (
    "SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE",
)  # fmt: skip
_CA_SOURCES = ("SAGEDOCK_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_INDEX = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "UV_INDEX_URL")
_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """What local jobs need to know of this machine.

    `shm_bytes` overrides the size of /dev/shm that goes with a job's instance type.
    `container_environment` reaches every container that has a network, below the job's own
    Environment; `ca_bundle` is mounted there and named by the usual variables. `stop_grace`
    overrides the seconds between the stop signal and SIGKILL. `extra_hosts` are names that
    containers with a network resolve besides. `images` take the place of AWS's own
    (`image_names.here`); `registry` is HOST:PORT of the account's registry, where it has one here.
    """

    data: Path
    region: str = "us-east-1"
    account: str = "000000000000"
    ca_bundle: Path | None = None
    container_environment: Mapping[str, str] = field(default_factory=dict)
    shm_bytes: int | None = None
    stop_grace: float | None = None
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    registry: str | None = None

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, *, data: Path | None = None
    ) -> LocalSettings:
        """Settings from SAGEDOCK_DATA, SAGEDOCK_ACCOUNT, SAGEDOCK_SHM_SIZE, SAGEDOCK_STOP_GRACE,
        SAGEDOCK_IMAGES, AWS_REGION, the usual variables for certificates, proxies and package
        indexes. Bad values raise UsageError."""
        env = original(os.environ if environment is None else environment)
        shm, grace = env.get("SAGEDOCK_SHM_SIZE"), env.get("SAGEDOCK_STOP_GRACE")
        return cls(
            data=data or _data_folder(env),
            region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or cls.region,
            account=_account(env.get("SAGEDOCK_ACCOUNT", cls.account)),
            ca_bundle=_ca_bundle(env),
            container_environment={k: env[k] for k in (*_INDEX, *_PROXY) if env.get(k)},
            shm_bytes=_bytes("SAGEDOCK_SHM_SIZE", shm) if shm else None,
            stop_grace=_seconds("SAGEDOCK_STOP_GRACE", grace) if grace else None,
            images=_images(env.get("SAGEDOCK_IMAGES", "")),
        )

    def to_json(self) -> str:
        """These settings as text, for a process of our own."""
        members = vars(self) | {
            "data": str(self.data.absolute()),
            "ca_bundle": self._bundle(),
            "container_environment": dict(self.container_environment),
            "extra_hosts": dict(self.extra_hosts),
            "images": dict(self.images),
        }
        return json.dumps(members)

    @classmethod
    def from_json(cls, text: str) -> LocalSettings:
        """Read what `to_json` wrote."""
        members = json.loads(text)
        bundle = members.pop("ca_bundle")
        data = Path(members.pop("data"))
        return cls(data=data, ca_bundle=Path(bundle) if bundle else None, **members)

    def _bundle(self) -> str | None:
        return str(self.ca_bundle) if self.ca_bundle else None

    def machine_environment(self) -> dict[str, str]:
        """Variables for containers with a network."""
        trust = dict.fromkeys(_CA_VARIABLES, CA_TARGET) if self.ca_bundle else {}
        return {**self.container_environment, **trust}


def mlflow_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What MLflow's own variables say of where runs go, as far as they are set."""
    env = os.environ if environment is None else environment
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID")
    return {name: env[name] for name in names if env.get(name)}


def _data_folder(env: Mapping[str, str]) -> Path:
    if env.get("SAGEDOCK_DATA"):
        return Path(env["SAGEDOCK_DATA"]).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "sagedock"
    base = env.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "sagedock"


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise UsageError(f"SAGEDOCK_ACCOUNT is {text!r}: expected the 12 digits of an account.")
    return text


def _ca_bundle(env: Mapping[str, str]) -> Path | None:
    for name in _CA_SOURCES:
        if env.get(name):
            path = Path(env[name])
            if not path.is_file():
                raise UsageError(
                    f"{name} is {env[name]!r}, but there is no such file.",
                    hint="Name your bundle of certificate authorities, or unset the variable.",
                )
            return path.resolve()
    return None


def _images(text: str) -> dict[str, str]:
    """`NAME=IMAGE,NAME=IMAGE`; an IMAGE may be empty, a NAME may not."""
    pairs = [item.strip().partition("=") for item in text.split(",") if item.strip()]
    for name, sign, _ in pairs:
        if not name or not sign:
            raise UsageError(
                f"SAGEDOCK_IMAGES is {text!r}: expected NAME=IMAGE,NAME=IMAGE …",
                hint="For example: SAGEDOCK_IMAGES=sagemaker-xgboost=my/xgboost:1",
            )
    return {name.strip(): image.strip() for name, _, image in pairs}


_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _bytes(name: str, text: str) -> int:
    match = re.fullmatch(r"(\d+)\s*([bkmg]?)b?", text.strip().lower())
    if not match:
        raise UsageError(f"{name} is {text!r}: expected a size such as 512m or 8g.")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _seconds(name: str, text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text.strip()):
        raise UsageError(f"{name} is {text!r}: expected seconds, such as 30.")
    return float(text)
