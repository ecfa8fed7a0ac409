"""The job's configuration files as a container reads them, with messages a person can act on.

The toolkit dies with exit code 2 and a traceback where a file is missing (B1.4); a container that
was started by hand usually lacks all three. Must not know what is done with their content.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sagedock.contract.paths import MLPaths
from sagedock.errors import TrainingError

_HINT = (
    "SageMaker writes hyperparameters.json, inputdataconfig.json and resourceconfig.json before "
    "it starts a container. Start this image as a training job (`sagedock train`), or lay the "
    "files down yourself."
)


def read_object(path: str) -> dict[str, Any]:
    """A JSON object from `path`. Raises TrainingError when missing, unreadable or no object."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TrainingError(f"Configuration file {path} is missing.", hint=_HINT) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"Configuration file {path} can't be read: {error}.") from error
    try:
        document = json.loads(text)
    except ValueError as error:
        raise TrainingError(
            f"Configuration file {path} is not valid JSON: {error}. It begins {text[:60]!r}."
        ) from error
    if not isinstance(document, dict):
        raise TrainingError(
            f"Configuration file {path} must hold a JSON object, not {type(document).__name__}."
        )
    return document


def read_hosts(paths: MLPaths) -> tuple[str, list[str]]:
    """`current_host` and `hosts` of resourceconfig.json; other keys may be there or not (A2.3b)."""
    document = read_object(paths.resource_config)
    current, hosts = document.get("current_host"), document.get("hosts")
    if not isinstance(current, str) or not isinstance(hosts, list) or not hosts:
        raise TrainingError(
            f"{paths.resource_config} must have `current_host` (text) and `hosts` (a list that is "
            f"not empty); found current_host={current!r}, hosts={hosts!r}."
        )
    return current, [str(host) for host in hosts]
