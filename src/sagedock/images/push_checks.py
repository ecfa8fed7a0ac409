"""Looks into an image of the engine before it is pushed; the rules are `checks`'."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from sagedock.engine.docker import Engine, ImageInfo
from sagedock.errors import BuildError, EngineError
from sagedock.images import checks, push_layers

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was found in an image: how it can be started, and what is worth knowing."""

    capabilities: dict[str, str]
    findings: tuple[checks.Finding, ...]

    @property
    def errors(self) -> list[checks.Finding]:
        """What no image should be pushed with."""
        return [one for one in self.findings if one.level is checks.Level.ERROR]


def look(engine: Engine, image: ImageInfo) -> Seen:
    """Read all of an image's layers. Raises EngineError."""
    try:
        with engine.saved(image.id) as chunks:
            layers = push_layers.read(chunks, checks.wanted)
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise EngineError(
            f"The image {image.id} can't be looked into: {error}.",
            hint="Push it as it is: --no-checks",
        ) from error
    facts = checks.Facts.of(image, engine.history(image.id), layers)
    return Seen(capabilities=checks.capabilities(facts), findings=tuple(checks.findings(facts)))


def told(name: str, seen: Seen, report: Report) -> None:
    """Say what was found. Raises BuildError where there are errors."""
    able = ", ".join(
        what if how == "LABEL" else f"{what} ({how})" for what, how in seen.capabilities.items()
    )
    report(f"{name} can: {able or 'run what a request names'}")
    for finding in seen.findings:
        report(str(finding))
    if seen.errors:
        words = "; ".join(f"{one.text} ({one.rows})" for one in seen.errors)
        raise BuildError(
            f"{name} is not pushed: {words}.", hint="Mend it; or push it as it is: --no-checks"
        )
