"""What both SDKs' conversions need: the right SDK, a request taken apart, the caller's role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from sagedock.errors import UsageError
from sagedock.launch.place import Place
from sagedock.launch.tracking.place import wished_uri
from sagedock.store.uri import SCHEME

Found = Mapping[str, str]
"""Member of a request, with dots, to the name of the argument that takes it."""


def require(major: int, *, found: str | None = None) -> None:
    """Raise UsageError unless version `major` of the SDK is installed (`found`: its version)."""
    found = found or _installed()
    if found is None:
        raise UsageError(
            f"SageMaker's Python SDK v{major} is not installed.",
            hint=f"pip install 'sagedock[sdk-v{major}]'",
        )
    if found.partition(".")[0] != str(major):
        raise UsageError(
            f"to_sdk_v{major}() needs SageMaker's Python SDK v{major}: installed is {found}.",
            hint=f"v2 and v3 can't be in one environment. In another one: "
            f"pip install 'sagedock[sdk-v{major}]'",
        )


def _installed() -> str | None:
    try:
        return version("sagemaker")
    except PackageNotFoundError:
        return None


class Members:
    """A request that is taken apart: what nobody has taken at the end is refused."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._left: dict[str, Any] = deepcopy(dict(request))

    def take(self, path: str, default: Any = None) -> Any:
        """A member by its names with dots between; it is no longer left."""
        *above, name = path.split(".")
        holder: Any = self._left
        for step in above:
            holder = holder.get(step, {})
        return holder.pop(name, default)

    def arguments(self, table: Found) -> dict[str, Any]:
        """What the request has of a table, as arguments."""
        taken = {argument: self.take(path) for path, argument in table.items()}
        return {argument: value for argument, value in taken.items() if value is not None}

    def refuse_rest(self, target: str, hints: Found) -> None:
        """Raise UsageError for what is left: `target` has no place for it. `hints` by member."""
        left = [path for path, _ in _leaves(self._left)]
        if left:
            told = [
                text for path, text in hints.items() if any(_below(item, path) for item in left)
            ]
            raise UsageError(
                f"{target} can't take {', '.join(left)} of the request.",
                hint=" ".join(told) or "Leave it out, or send the request itself with boto3.",
            )


def _below(path: str, above: str) -> bool:
    return path == above or path.startswith((f"{above}.", f"{above}["))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Values with their paths; empty structures, all of which has been taken, are none."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def s3_only(what: str, value: object) -> str:
    """A URI that the SDK hands on as it is. Raises UsageError for anything local."""
    text = str(value)
    if text.startswith(SCHEME):
        return text
    raise UsageError(
        f"{what} is {text!r}: the SDK takes an s3:// URI here.",
        hint="Upload it first, for example: sagemaker_session.upload_data(path).",
    )


class SdkPlace:
    """The place where the SDK's jobs will be, as far as a request asks for it: names stay as they
    are given, the default bucket is the SDK's, and nothing local can be named."""

    def __init__(self, place: Place, theirs: Any) -> None:
        self._place, self._theirs = place, theirs

    def job_name(self, given: str | None, base: str) -> str:
        """The SDK makes a name of its own from `base`."""
        return given or base

    def default_bucket(self) -> str:
        """The bucket of the SDK's session."""
        found: str = self._theirs.default_bucket()
        return found

    planned_bucket = default_bucket

    def role_arn(self, role: str | None) -> str:
        """The place's on AWS; else as given, empty for none: the SDK looks it up."""
        return self._place.role_arn(role) if boto_session(self._place) else role or ""

    def instance_type(self, given: str | None) -> str:
        """As the place has it."""
        return self._place.instance_type(given)

    def input_uri(self, source: str | Path) -> str:
        """Raises UsageError for a local path."""
        return s3_only("An input", source)

    def output_uri(self, target: str | Path | None) -> str:
        """Raises UsageError for a local path."""
        return s3_only("The output", target or f"{SCHEME}{self.default_bucket()}").rstrip("/")


Facade = TypeVar("Facade")


def moved(ours: Facade, theirs: Any) -> Facade:
    """A facade as it would be at the SDK's place. Raises UsageError for one that is tracked."""
    found: Any = copy(ours)
    if uri := wished_uri(found.sagemaker_session):
        raise UsageError(
            f"tracking_uri is {uri!r}: the SDK's jobs are not tracked by MLflow from here.",
            hint="Leave it out, and let the script call mlflow.",
        )
    found.sagemaker_session = SdkPlace(found.sagemaker_session, theirs)
    return found  # type: ignore[no-any-return]


def boto_session(place: Place) -> Any:
    """The boto3 session of a place on AWS, None where the SDK is to make its own."""
    account = getattr(place, "account", None)
    return account.boto_session if account else None


def session_of(place: Place, given: Any, kind: Any) -> Any:
    """The session that an SDK's object has, of the SDK's class `kind`: `given`, else one of the
    place's account and bucket, else the SDK's own."""
    if given is not None:
        return given
    found = boto_session(place)
    return kind(boto_session=found, default_bucket=place.planned_bucket()) if found else kind()


def same_encoding(
    values: Mapping[str, Any], ours: Mapping[str, str], theirs: Any
) -> dict[str, Any]:
    """Hyperparameters as the caller has given them where the SDK (`theirs`) writes them as we do,
    else as we write them."""
    return {
        name: value if theirs(value) == ours[name] else ours[name] for name, value in values.items()
    }
