"""What programs are told so that they use this machine's AWS, and can't reach the real one.

Variables are pure values here; the few files that they name are written to the data folder, each
under a name made of its content, so that programs started from different shells share none.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

from sagedock.errors import OutputError, UsageError
from sagedock.local.outer import SAVED, before, encoded
from sagedock.server.proxy import aws_hosts, upstream
from sagedock.server.proxy.authority import Authority, merged
from sagedock.server.running.private import write_private
from sagedock.server.running.state import FOLDER, State

Changes = dict[str, str | None]
"""Names to values; None takes a variable away."""

BUNDLES = (
    "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip
_KEPT = ("AWS_CLI_", "AWS_PAGER", "AWS_DEFAULT_OUTPUT", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS",
         "AWS_EXECUTION_ENV", "AWS_SDK_", "AWS_REQUEST_CHECKSUM_", "AWS_RESPONSE_CHECKSUM_",
         "AWS_DATA_PATH")  # fmt: skip
"""Of all variables that begin with AWS_, those that neither name nor hold what is real."""

_OWN_HOSTS = ("127.0.0.1", "localhost", "::1")
_HEADING = re.compile(r"\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]")
_PROFILE = re.compile(r"""["']?([A-Za-z0-9_.@:/+-]{1,128})["']?""")


def default_bucket(state: State) -> str:
    """The bucket that both SDKs use where a program names none."""
    return f"sagemaker-{state.region}-{state.account}"


def program_environment(
    state: State,
    data: Path,
    environment: Mapping[str, str],
    *,
    home: Path,
    restorable: bool = False,
) -> Changes:
    """What changes for programs that are started with `environment`.

    Writes the files that the changes name. With `restorable` all that is replaced is kept, as a
    shell needs it that is to be put back; else only what programs of ours need, and no credentials.
    Raises UsageError for a bundle of certificates that isn't there, OutputError.
    """
    outside = before(environment)
    folder = data / FOLDER
    authority = Authority.of(folder)
    bundle = _kept(
        folder, "ca-bundle", ".pem", merged(host_bundles(outside), authority.certificate)
    )
    config, credentials = profiles(profile_names(outside, home), state)
    changes: Changes = {
        name: None for name, value in outside.items() if _is_taken_away(name, value)
    }
    changes |= {
        "AWS_ENDPOINT_URL": state.endpoint,
        "AWS_ACCESS_KEY_ID": state.access_key,
        "AWS_SECRET_ACCESS_KEY": state.secret_key,
        "AWS_REGION": state.region,
        "AWS_DEFAULT_REGION": state.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": _kept(folder, "aws-config", "", config.encode()),
        "AWS_SHARED_CREDENTIALS_FILE": _kept(folder, "aws-credentials", "", credentials.encode()),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": _kept(folder, "sdk", ".yaml", sdk_config(state).encode()),
        "SAGEDOCK_DATA": str(data),
        "NODE_USE_ENV_PROXY": "1",
        **dict.fromkeys(BUNDLES, bundle),
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), state.proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), no_proxy(outside)),
    }
    changes[SAVED] = encoded(
        {name: outside.get(name) for name in changes if restorable or not _may_be_secret(name)}
    )
    return changes


def applied(changes: Changes, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with its changes."""
    kept = {name: value for name, value in before(environment).items() if name not in changes}
    return kept | {name: value for name, value in changes.items() if value is not None}


def no_proxy(outside: Mapping[str, str]) -> str:
    """This machine's own names after those that were excepted already, without what would let a
    program go to AWS past the proxy."""
    known = [entry for name in ("no_proxy", "NO_PROXY")
             for entry in upstream.entries(outside.get(name, ""))]  # fmt: skip
    return ",".join(dict.fromkeys([*(e for e in known if not _excepts_aws(e)), *_OWN_HOSTS]))


def _excepts_aws(entry: str) -> bool:
    name = aws_hosts.plain(re.sub(r":\d+$", "", entry)).removeprefix("*").strip(".")
    if entry == "*" or aws_hosts.is_aws(name) or aws_hosts.is_metadata(name):
        return True
    inside = (f"sts.us-east-1.{suffix}" for suffix in aws_hosts.SUFFIXES)
    metadata = ("169.254.169.254", "169.254.170.2", "169.254.170.23")
    return any(upstream.is_exception(entry, host, 443) for host in (*inside, *metadata))


def _may_be_secret(name: str) -> bool:
    return name.startswith(("AWS_", "BOTO_")) and name not in BUNDLES


def _is_taken_away(name: str, value: str) -> bool:
    if name in {"BOTO_CONFIG", "BOTO_PATH"}:
        return True
    if name == "SAGEMAKER_ADMIN_CONFIG_OVERRIDE":
        return value.startswith("s3://")  # a real bucket
    return name.startswith("AWS_") and not name.startswith(_KEPT)


# files


def sdk_config(state: State) -> str:
    """Defaults of SageMaker's SDK, as its versions 2 and 3 read them."""
    return (
        "SchemaVersion: '1.0'\n"
        "SageMaker:\n"
        "  PythonSDK:\n"
        "    Modules:\n"
        "      TelemetryOptOut: true\n"
        "      Session:\n"
        f"        DefaultS3Bucket: {default_bucket(state)}\n"
    )


def profile_names(outside: Mapping[str, str], home: Path) -> list[str]:
    """Names of the profiles that programs may ask for; nothing else is read of the files."""
    folder = home / ".aws"
    paths = [
        Path(outside.get("AWS_CONFIG_FILE") or folder / "config"),
        Path(outside.get("AWS_SHARED_CREDENTIALS_FILE") or folder / "credentials"),
    ]
    found = ["default", outside.get("AWS_PROFILE", ""), outside.get("AWS_DEFAULT_PROFILE", "")]
    for path in paths:
        try:
            lines = path.expanduser().read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        found += [match[1] for match in map(_HEADING.match, lines) if match]
    named = (_PROFILE.fullmatch(name) for name in found)
    return list(dict.fromkeys(match[1] for match in named if match))


def profiles(names: list[str], state: State) -> tuple[str, str]:
    """Files of configuration and of credentials in which every profile is this machine's."""
    config = "".join(
        f"[{name if name == 'default' else f'profile {name}'}]\n"
        f"region = {state.region}\n\n" for name in names
    )  # fmt: skip
    credentials = "".join(
        f"[{name}]\naws_access_key_id = {state.access_key}\n"
        f"aws_secret_access_key = {state.secret_key}\n\n"
        for name in names
    )
    return config, credentials


def host_bundles(outside: Mapping[str, str]) -> list[bytes]:
    """Contents of the bundles that programs of this machine trust. Raises UsageError."""
    named = {outside[name]: name for name in BUNDLES if outside.get(name)}
    found = [_read(Path(text), name) for text, name in named.items()]
    default = ssl.get_default_verify_paths()
    for system in (default.openssl_cafile, default.cafile, *_SYSTEM):
        if system and Path(system).is_file():
            return [*found, Path(system).read_bytes()]
    return [*found, *_certifi()]


_SYSTEM = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
           "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem")  # fmt: skip


def _certifi() -> list[bytes]:
    """What Python's HTTP libraries bring along, where the system itself has no bundle."""
    try:
        import certifi
    except ImportError:
        return []
    return [Path(certifi.where()).read_bytes()]


def _read(path: Path, name: str) -> bytes:
    if path.is_dir():  # requests takes a folder, too
        return b"\n".join(part.read_bytes() for part in sorted(path.iterdir()) if part.is_file())
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{name} is {str(path)!r}, which can't be read: {error.strerror}.",
            hint="Name your bundle of certificate authorities, or unset the variable.",
        ) from error


def _kept(folder: Path, stem: str, suffix: str, content: bytes) -> str:
    path = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}{suffix}"
    try:
        if not path.exists() or path.read_bytes() != content:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(path, content)
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror}.") from error
    return str(path)
