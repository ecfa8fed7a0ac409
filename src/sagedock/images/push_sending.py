"""One image on its way from the engine to a registry: tries again where that helps, logs in anew
where a token has ended, and tells what no second try mends.

The engine asks the registry for each layer first, so what has arrived is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sagedock.engine.docker import Engine
from sagedock.errors import EngineError, ResourceInUseError, ResourceNotFoundError, SagedockError
from sagedock.images.manifests import Manifest

TRIES = 4
_FIRST_PAUSE_SECONDS = 1.0

_EXPIRED = ("token has expired",)
_TAKEN = ("tag invalid", "immutable")
_UNKNOWN = ("name unknown", "name_unknown", "name not known", "does not exist in the registry")
_DENIED = (
    "denied", "unauthorized", "no basic auth", "authentication required", "not authorized",
    "forbidden",
)  # fmt: skip
_FAULT = ("unexpected http status: 5",)
_FULL = ("no space left", "disk is full", "insufficient storage", "quota")

Report = Callable[[str], None]
Progress = Callable[[int, int], None]


class Place(Protocol):
    """A repository somewhere. `uri` is HOST/NAME; `immutable` whether its tags stay what they are;
    `apart` whether a tag can be used for a moment and taken away again."""

    name: str
    uri: str
    immutable: bool
    made: bool
    apart: bool
    account: str | None
    region: str | None
    needs: str
    """What SageMaker wants besides, to pull from there."""

    def login(self) -> dict[str, str] | None: ...
    def manifest(self, reference: str) -> Manifest | None: ...
    def put(self, tag: str, text: str) -> Manifest: ...
    def delete_tag(self, tag: str) -> None: ...
    def refused(self, words: str) -> SagedockError: ...


class Sending:
    """Sends images to `place`. `layers` counts those that were sent, and those that were there."""

    def __init__(self, engine: Engine, place: Place, report: Report, progress: Progress) -> None:
        self._engine, self._place = engine, place
        self._report, self._progress = report, progress
        self._totals: dict[str, tuple[int, int]] = {}
        self._ends: dict[str, bool] = {}

    @property
    def layers(self) -> tuple[int, int]:
        """How many layers were sent, how many were there already."""
        sent = sum(self._ends.values())
        return sent, len(self._ends) - sent

    def send(self, tag: str) -> None:
        """Send what the engine has by HOST/NAME:`tag`. Raises EngineError after TRIES tries,
        ResourceInUseError, ResourceNotFoundError, and what the place says where it refuses."""
        pause = _FIRST_PAUSE_SECONDS
        for left in range(TRIES - 1, -1, -1):
            try:
                return self._once(tag)
            except EngineError as error:
                self._stop(error, left)
                if _has(error, _EXPIRED):
                    self._report("the registry's token has ended: going on with a new one")
                    continue
                self._report(f"{error.message}; again in {pause:g} s, from where it broke off")
            time.sleep(pause)
            pause *= 2
        return None

    def _once(self, tag: str) -> None:
        events = self._engine.push(self._place.uri, tag, login=self._place.login())
        for event in events:
            self._seen(event)

    def _stop(self, error: EngineError, left: int) -> None:
        """Raise where it is no use to try again."""
        if _has(error, _TAKEN):
            raise ResourceInUseError(
                error.message, hint="Choose another tag; the default one has the commit in it."
            ) from error
        if _has(error, _UNKNOWN):
            raise ResourceNotFoundError(
                error.message, hint="Somebody may have deleted the repository: push again."
            ) from error
        if _has(error, _FULL):
            raise EngineError(
                f"{self._place.uri}: the registry has no room left. {error.message}",
                hint="Make room where the registry keeps its data, then push again: layers that "
                "have arrived are not sent again.",
            ) from error
        if _has(error, _DENIED) and not _has(error, _EXPIRED):
            raise self._place.refused(error.message) from error
        if _has(error, _FAULT):  # the engine itself has tried again by then, for a minute
            raise EngineError(
                error.message,
                hint="The registry has a fault of its own, a full disk perhaps: its "
                "log says which. Then push again: layers that have arrived are not sent again.",
            ) from error
        if not left:
            raise EngineError(
                f"{error.message} ({TRIES} tries)",
                hint="Push again when the registry answers: layers that have arrived are not sent "
                "again.",
            ) from error

    def _seen(self, event: Mapping[str, Any]) -> None:
        layer, status = event.get("id"), str(event.get("status", ""))
        if not layer:
            return
        if status == "Pushed":
            self._ends[layer] = True
        elif status == "Layer already exists" or status.startswith("Mounted from"):
            self._ends.setdefault(layer, False)
        detail = event.get("progressDetail") or {}
        if detail.get("total"):
            self._totals[layer] = (detail.get("current", 0), detail["total"])
            whole = sum(total for _, total in self._totals.values())
            self._progress(sum(sent for sent, _ in self._totals.values()), whole)


def _has(error: EngineError, words: tuple[str, ...]) -> bool:
    text = error.message.lower()
    return any(word in text for word in words)
