"""The user's source directory: bring it to /opt/ml/code, and let submitted code win.

The toolkit unpacks sourcedir.tar.gz only into an empty /opt/ml/code, so code that is baked into an
image silently replaces what a job submitted (B5.4). Here the submitted code wins, aloud; where it
can't be had the job fails rather than train with something else.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from sagedock.errors import TrainingError

DELIVERED_VARIABLE = "SAGEDOCK_CODE_DELIVERED"
"""Set to 1 by a machine that has itself unpacked the job's code into the code folder."""

_LISTED = 10

Say = Callable[[str], None]


def bring(uri: str, folder: Path, *, delivered: bool, say: Say = print) -> None:
    """Makes `folder` hold the submitted code. `uri` is S3, a local folder or a local archive."""
    folder.mkdir(parents=True, exist_ok=True)
    if not uri or delivered or _same(uri, folder):
        return
    with tempfile.TemporaryDirectory(prefix="sagedock-code-", dir=folder.parent) as temporary:
        fresh = Path(temporary) / "code"
        _fetch(uri, fresh)
        hidden = sorted(path.name for path in folder.iterdir())
        if hidden:
            say(_warning(uri, folder, hidden))
        _replace(folder, fresh)


def is_delivered() -> bool:
    """Whether the machine says that the code folder already is the submitted code."""
    return os.environ.get(DELIVERED_VARIABLE) == "1"


def files_in(folder: Path, limit: int = 1000) -> list[str]:
    """Relative paths of the files below `folder`, at most `limit`."""
    found: list[str] = []
    for root, _folders, names in os.walk(folder):
        for name in names:
            found.append((Path(root) / name).relative_to(folder).as_posix())
            if len(found) >= limit:
                return found
    return found


def _same(uri: str, folder: Path) -> bool:
    return not uri.startswith("s3://") and Path(uri).resolve() == folder.resolve()


def _fetch(uri: str, fresh: Path) -> None:
    """By the toolkit's own code: download, and safe extraction."""
    from sagemaker_training import files

    if not uri.startswith("s3://") and not Path(uri).exists():
        raise TrainingError(
            f"The submitted code {uri} (sagemaker_submit_directory) is neither an s3:// address "
            "nor a folder or file in this container."
        )
    try:
        files.download_and_extract(uri, str(fresh))
    except Exception as error:
        raise TrainingError(
            f"The submitted code {uri} can't be fetched: {type(error).__name__}: {error}",
            hint="Check the address, the role's permission to read it, and that the container "
            "can reach S3.",
        ) from error


def _warning(uri: str, folder: Path, hidden: list[str]) -> str:
    listed = ", ".join(hidden[:_LISTED]) + (" …" if len(hidden) > _LISTED else "")
    return (
        f"sagedock: warning: {folder} of the image held {listed}; it is replaced by the code that "
        f"this job submitted ({uri})."
    )


def _replace(folder: Path, fresh: Path) -> None:
    """Empties `folder` (which may be a mount, so it stays) and moves the fresh code in."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in fresh.iterdir():
        shutil.move(path, folder / path.name)
