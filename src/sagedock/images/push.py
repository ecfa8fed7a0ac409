"""From an image of the engine to one in ECR that SageMaker can run: checked before, compared after.

Must not know terminals; `report` gets plain lines, `progress` what has been sent of what.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sagedock.engine.docker import Engine, ImageInfo
from sagedock.errors import BuildError, EngineError, ImageNotFoundError, ResourceInUseError
from sagedock.images import manifests, naming
from sagedock.images.ecr import Ecr, Repository, Wishes

TRIES = 4
_FIRST_PAUSE_SECONDS = 1.0
_FATAL = ("denied", "unauthorized", "no basic auth", "tag invalid", "immutable", "no space left")

Report = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """An image in ECR. `sent` is False where it had been there already."""

    uri: str
    digest: str
    account: str
    region: str
    sent: bool

    @property
    def by_digest(self) -> str:
        """The URI that names these bytes and no others (I7)."""
        return f"{self.uri.rpartition(':')[0]}@{self.digest}"


def push(
    image: str,
    tag: str | None = None,
    *,
    engine: Engine,
    ecr: Ecr,
    repository: str | None = None,
    wishes: Wishes | None = None,
    report: Report = lambda line: None,
    progress: Progress = lambda sent, whole: None,
) -> Pushed:
    """Push `image` as `tag` (default: its version and commit) to `repository` (default: its own
    name), which is made where it is missing.

    Raises UsageError, ImageNotFoundError, BuildError for what SageMaker would not run,
    ResourceInUseError where the tag names another image and may not change, AwsError, EngineError.
    """
    found = engine.image(image)
    if found is None:
        raise ImageNotFoundError(
            f"The engine has no image {image!r}.", hint="Build it first, or see: docker images"
        )
    for warning in check(image, found):
        report(f"warning: {warning}")
    name = repository or naming.repository_of(image)
    naming.check_repository(name)
    wanted = tag or naming.default_tag(found.labels, found.id)
    wishes = wishes or Wishes()
    naming.check_tag(wanted, immutable=wishes.immutable)
    place = ecr.ensure(name, wishes)
    if place.made:
        report(f"made the repository {place.uri}")
    naming.check_tag(wanted, immutable=place.immutable)
    return _Push(engine, ecr, place, found, wanted, report, progress).run(image)


class _Push:
    def __init__(
        self,
        engine: Engine,
        ecr: Ecr,
        place: Repository,
        image: ImageInfo,
        tag: str,
        report: Report,
        progress: Progress,
    ) -> None:
        self._engine, self._ecr, self._place = engine, ecr, place
        self._image, self._tag = image, tag
        self._report, self._progress = report, progress

    def run(self, image: str) -> Pushed:
        there = self._ecr.manifest(self._place.name, self._tag)
        if there and self._one(there).config_digest == self._image.id:
            self._report(f"{self._uri} is there already")
            return self._pushed(there, sent=False)
        if self._engine.keeps_manifests():
            return self._through_another_tag(image, there)
        if there and self._place.immutable:
            raise self._taken(there)
        arrived = self._sent(image, self._tag)
        if arrived.config_digest != self._image.id:
            raise EngineError(
                f"{self._uri} was pushed, but what the registry has by that name is not the image "
                f"{self._image.id}.",
                hint="Somebody else may have pushed the same tag: push again.",
            )
        return self._pushed(arrived, sent=True)

    def _through_another_tag(self, image: str, there: manifests.Manifest | None) -> Pushed:
        """An engine with the containerd store sends the manifest it has, an index or an OCI one as
        a rule, and no tag may be set twice: so it goes by a tag of its own first."""
        upload = f"sagedock-upload-{self._image.id.rpartition(':')[2][:12]}"
        try:
            found = self._one(self._sent(image, upload))
            if there and self._one(there).config_digest == found.config_digest:
                return self._pushed(there, sent=False)
            if there and self._place.immutable:
                raise self._taken(there)
            text = found.text
            if found.media_type != manifests.DOCKER:
                self._report(f"{found.media_type} is not for SageMaker: put as Docker's manifest")
                text = manifests.as_docker(found)
            return self._pushed(self._ecr.put(self._place.name, self._tag, text), sent=True)
        finally:
            self._ecr.delete_tag(self._place.name, upload)

    def _sent(self, image: str, tag: str) -> manifests.Manifest:
        """Push by `tag`; what the registry has by it afterwards."""
        self._engine.tag(image, self._place.uri, tag)
        try:
            self._send(tag)
        finally:
            self._engine.untag(f"{self._place.uri}:{tag}")
        arrived = self._ecr.manifest(self._place.name, tag)
        if arrived is None:
            raise EngineError(f"{self._place.uri}:{tag} was pushed, but the registry has it not.")
        return arrived

    def _taken(self, there: manifests.Manifest) -> ResourceInUseError:
        return ResourceInUseError(
            f"{self._uri} names another image ({there.digest}), and the repository's tags are "
            "immutable.",
            hint="Choose another tag; the default one has the commit in it.",
        )

    @property
    def _uri(self) -> str:
        return f"{self._place.uri}:{self._tag}"

    def _one(self, manifest: manifests.Manifest) -> manifests.Manifest:
        """The manifest of one image: an index's, for the image's architecture."""
        if not manifests.is_index(manifest):
            return manifest
        digest = manifests.of_platform(manifest, self._image.architecture)
        found = self._ecr.manifest(self._place.name, digest)
        if found is None:
            raise EngineError(f"The registry has no manifest {digest}, which {self._uri} lists.")
        return found

    def _send(self, tag: str) -> None:
        pause = _FIRST_PAUSE_SECONDS
        for left in range(TRIES - 1, -1, -1):
            layers: dict[str, tuple[int, int]] = {}
            try:
                login = self._ecr.login()
                for event in self._engine.push(self._place.uri, tag, login=login):
                    self._seen(event, layers)
            except EngineError as error:
                if not left or any(word in error.message.lower() for word in _FATAL):
                    raise
                self._report(f"{error.message}; again in {pause:g} s, from where it broke off")
                time.sleep(pause)
                pause *= 2
            else:
                return

    def _seen(self, event: Mapping[str, Any], layers: dict[str, tuple[int, int]]) -> None:
        detail = event.get("progressDetail") or {}
        if event.get("id") and detail.get("total"):
            layers[event["id"]] = (detail.get("current", 0), detail["total"])
            self._progress(
                sum(sent for sent, _ in layers.values()), sum(total for _, total in layers.values())
            )

    def _pushed(self, manifest: manifests.Manifest, *, sent: bool) -> Pushed:
        return Pushed(
            uri=self._uri,
            digest=manifest.digest,
            account=self._ecr.account,
            region=self._ecr.region,
            sent=sent,
        )


def check(name: str, image: ImageInfo) -> list[str]:
    """What is worth a warning; raises BuildError for what SageMaker can't run at all."""
    if image.architecture not in {"amd64", "arm64"}:
        raise BuildError(
            f"{name} is for {image.architecture}: SageMaker runs amd64 and arm64.",
            hint="Build it with --platform linux/amd64.",
        )
    warnings = []
    if image.architecture == "arm64":
        warnings.append(
            f"{name} is for arm64: it runs on Graviton hosts only, not in training jobs"
        )
    if image.user not in {"", "root", "0", "0:0"}:
        warnings.append(
            f"{name} runs as {image.user!r}: containers are expected to run as root (D1.3)"
        )
    if image.entrypoint and image.entrypoint[0].rpartition("/")[2] in {"sh", "bash"}:
        warnings.append(
            f"{name}'s ENTRYPOINT is a shell: signals may not reach the program (D1.2, A1.5)"
        )
    return warnings
