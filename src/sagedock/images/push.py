"""From an image of the engine to one in a registry that SageMaker can run: checked before, compared
after.

Must not know terminals, nor which registry it is; `report` gets plain lines, `progress` what has
been sent of what.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sagedock.engine.docker import Engine, ImageInfo
from sagedock.errors import BuildError, EngineError, ImageNotFoundError, ResourceInUseError
from sagedock.images import manifests, naming
from sagedock.images.ecr import Wishes
from sagedock.images.push_sending import Place, Progress, Report, Sending

UPLOAD = "sagedock-upload-"
"""What tags begin with that an image has only while it is sent."""

Checks = Callable[[ImageInfo], None]
"""Looks at an image before it is sent. Raises BuildError for what must not be."""


class Registry(Protocol):
    """Where repositories are. `before` is called before one is made."""

    def ensure(self, name: str, wishes: Wishes, before: Callable[[], None]) -> Place: ...


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """An image in a registry. `sent` is False where it had been there already; `layers` how many
    were sent, and how many were there. `account` and `region` are ECR's, else None."""

    uri: str
    digest: str
    account: str | None
    region: str | None
    sent: bool
    layers: tuple[int, int] = (0, 0)
    needs: str = ""
    """What SageMaker wants besides, to pull it."""

    @property
    def by_digest(self) -> str:
        """The URI that names these bytes and no others (I7)."""
        return f"{self.uri.rpartition(':')[0]}@{self.digest}"


def push(
    image: str,
    tag: str | None = None,
    *,
    engine: Engine,
    registry: Registry,
    repository: str | None = None,
    wishes: Wishes | None = None,
    checks: Checks = lambda image: None,
    report: Report = lambda line: None,
    progress: Progress = lambda sent, whole: None,
) -> Pushed:
    """Push `image` as `tag` (default: its version and commit) to `repository` (default: its own
    name), which is made where it is missing.

    Raises UsageError, ImageNotFoundError, BuildError for what SageMaker would not run,
    ResourceInUseError where the tag names another image and may not change, AwsError, EngineError.
    """
    found = image_of(engine, image)
    name = repository or naming.repository_of(image)
    naming.check_repository(name)
    wanted = tag or naming.default_tag(found.labels, found.id)
    wishes = wishes or Wishes()
    naming.check_tag(wanted, immutable=False)
    looks = _Once(lambda: checks(found))
    place = registry.ensure(name, wishes, looks)
    if place.made:
        report(f"made the repository {place.uri}")
    naming.check_tag(wanted, immutable=place.immutable)
    naming.check_reference(f"{place.uri}:{wanted}")
    return _Push(engine, place, found, wanted, report, progress).run(looks)


def image_of(engine: Engine, image: str) -> ImageInfo:
    """The image of that name. Raises ImageNotFoundError, BuildError for one that SageMaker has no
    machine for."""
    found = engine.image(image)
    if found is None:
        raise ImageNotFoundError(
            f"The engine has no image {image!r}.", hint="Build it first, or see: docker images"
        )
    if found.os != "linux" or found.architecture not in {"amd64", "arm64"}:
        raise BuildError(
            f"{image} is for {found.os}/{found.architecture}: SageMaker runs linux/amd64 and "
            "linux/arm64 (A1.10).",
            hint="Build it with --platform linux/amd64.",
        )
    return found


class _Once:
    """Calls a function once, however often it is called."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def __call__(self) -> None:
        call, self._call = self._call, None
        if call:
            call()


class _Push:
    def __init__(
        self,
        engine: Engine,
        place: Place,
        image: ImageInfo,
        tag: str,
        report: Report,
        progress: Progress,
    ) -> None:
        self._engine, self._place = engine, place
        self._image, self._tag, self._report = image, tag, report
        self._sending = Sending(engine, place, report, progress)

    def run(self, looks: Callable[[], None]) -> Pushed:
        there = self._place.manifest(self._tag)
        if there and self._is_ours(there):
            return self._already(there)
        if there and self._place.immutable and not self._engine.keeps_manifests():
            raise self._taken(there)
        looks()
        if self._engine.keeps_manifests():
            return self._converted(there)
        arrived = self._sent(self._tag)
        if arrived.config_digest != self._image.id:
            raise EngineError(
                f"{self._uri} was pushed, but what the registry has by that name is not the image "
                f"{self._image.id}.",
                hint="Somebody else may have pushed the same tag: push again.",
            )
        return self._pushed(arrived, sent=True)

    def _is_ours(self, there: manifests.Manifest) -> bool:
        """Whether the registry has this very image: by its configuration's digest, which is an
        image's id; in a containerd store the id is the manifest's own."""
        return self._image.id in {there.digest, self._config_of(there)}

    def _config_of(self, there: manifests.Manifest) -> str | None:
        """The digest of an image's configuration; None of an index that has no such image."""
        try:
            return self._one(there).config_digest
        except BuildError:
            return None

    def _already(self, there: manifests.Manifest) -> Pushed:
        """The tag names this image. It may have come another way, as OCI's manifest: then it is
        put once more as Docker's, of the same layers."""
        if there.media_type == manifests.DOCKER:
            self._report(f"{self._uri} is there already")
            return self._pushed(there, sent=False)
        if self._place.immutable:
            raise ResourceInUseError(
                f"{self._uri} is this image, but as {there.media_type}, which SageMaker does not "
                "take (A1.11), and the repository's tags are immutable.",
                hint="Push it by another tag: it is sent as Docker's manifest then.",
            )
        return self._pushed(self._put_docker(self._one(there)), sent=True)

    def _converted(self, there: manifests.Manifest | None) -> Pushed:
        """An engine with the containerd store sends the manifest it has, an index or an OCI one as
        a rule, and no tag may be set twice: so it goes by a tag of its own first. Where a tag
        can't be taken away again, it goes by the right one twice."""
        if not self._place.apart:
            return self._pushed(self._as_docker(self._one(self._sent(self._tag))), sent=True)
        upload = f"{UPLOAD}{self._image.id.rpartition(':')[2][:12]}"
        with _finally(lambda: self._place.delete_tag(upload)):
            found = self._one(self._sent(upload))
            same = there and self._config_of(there) == found.config_digest
            if there and same and there.media_type == manifests.DOCKER:
                return self._pushed(there, sent=False)
            if there and self._place.immutable:
                raise self._taken(there)
            return self._pushed(self._put_docker(found), sent=True)

    def _as_docker(self, found: manifests.Manifest) -> manifests.Manifest:
        known = self._place.manifest(self._tag)
        same = known is not None and known.digest == found.digest
        return found if same and found.media_type == manifests.DOCKER else self._put_docker(found)

    def _put_docker(self, found: manifests.Manifest) -> manifests.Manifest:
        """Put one image's manifest by the tag, as Docker's; what the registry has afterwards."""
        text = found.text
        if found.media_type != manifests.DOCKER:
            self._report(f"{found.media_type} is not for SageMaker: put as Docker's manifest")
            text = manifests.as_docker(found)
        self._place.put(self._tag, text)
        arrived = self._read_back(self._tag)
        if arrived.config_digest != found.config_digest or arrived.media_type != manifests.DOCKER:
            raise EngineError(
                f"{self._uri} was put as Docker's manifest, but the registry has "
                f"{arrived.media_type} {arrived.digest} by that name.",
                hint="Somebody else may have pushed the same tag: push again.",
            )
        return arrived

    def _sent(self, tag: str) -> manifests.Manifest:
        """Push by `tag`; what the registry has by it afterwards. The engine is left as it was."""
        with self._named(tag):
            self._sending.send(tag)
        return self._read_back(tag)

    def _read_back(self, tag: str) -> manifests.Manifest:
        arrived = self._place.manifest(tag)
        if arrived is None:
            raise EngineError(
                f"{self._place.uri}:{tag} was pushed, but the registry does not have it.",
                hint="Somebody else may have deleted it, or a lifecycle policy: push again.",
            )
        return arrived

    @contextlib.contextmanager
    def _named(self, tag: str) -> Iterator[None]:
        """The image has the name that it is pushed by, meanwhile; one that was called so before
        is called so again."""
        name = f"{self._place.uri}:{tag}"
        before = self._engine.image(name)
        if before and before.id == self._image.id:
            yield
            return

        def back() -> None:
            self._engine.untag(name)
            if before:
                self._engine.tag(before.id, self._place.uri, tag)

        with _finally(back):
            self._engine.tag(self._image.id, self._place.uri, tag)
            yield

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
        found = self._place.manifest(digest)
        if found is None:
            raise EngineError(f"The registry has no manifest {digest}, which {self._uri} lists.")
        return found

    def _pushed(self, manifest: manifests.Manifest, *, sent: bool) -> Pushed:
        return Pushed(
            uri=self._uri,
            digest=manifest.digest,
            account=self._place.account,
            region=self._place.region,
            sent=sent,
            layers=self._sending.layers,
            needs=self._place.needs,
        )


@contextlib.contextmanager
def _finally(clean: Callable[[], None]) -> Iterator[None]:
    """Clean up, however the block ends; what goes wrong then hides no error of the block's."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            clean()
        raise
    clean()
