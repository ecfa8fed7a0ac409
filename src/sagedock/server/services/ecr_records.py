"""What is known of ECR's repositories: their settings, their images, and which tag names which
image. The bytes are the registry's. Raises the service's errors.
"""

from __future__ import annotations

import fnmatch
import time
from pathlib import Path
from typing import Any

from sagedock.server.services.documents import Document, Documents
from sagedock.server.services.rpc import ServiceError


class EcrRecords:
    """Repositories in `folder`'s database."""

    def __init__(self, folder: Path, account: str) -> None:
        self.documents = Documents(folder, "ecr")
        self.account = account

    def close(self) -> None:
        """Let go of the database."""
        self.documents.close()

    # repositories

    def create(self, name: str, more: Document) -> Document:
        """Make a repository. Raises ServiceError where the name is taken."""
        new = {"created": time.time(), **more}
        if not self.documents.add("repository", name, new):
            raise ServiceError(
                "RepositoryAlreadyExistsException",
                f"The repository with name '{name}' already exists in the registry with id "
                f"'{self.account}'",
            )
        return new

    def find(self, name: str) -> Document | None:
        """A repository's settings, None where there is none."""
        return self.documents.get("repository", name)

    def get(self, name: str) -> Document:
        """The same. Raises ServiceError where there is none."""
        known = self.find(name)
        if known is None:
            raise self.missing(name)
        return known

    def missing(self, name: str) -> ServiceError:
        """There is no such repository."""
        return ServiceError(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id "
            f"'{self.account}'",
        )

    def change(self, name: str, **members: Any) -> Document:
        """Set settings of a repository, None to remove them. Raises ServiceError."""

        def changed(known: Document | None) -> Document:
            if known is None:
                raise self.missing(name)
            merged = {**known, **members}
            return {key: value for key, value in merged.items() if value is not None}

        return self.documents.update("repository", name, changed) or {}

    def delete(self, name: str) -> None:
        """Forget a repository and all that is in it."""
        for digest in self.images(name):
            self.documents.delete("image", f"{name}@{digest}")
        for tag in self.tags(name):
            self.documents.delete("tag", f"{name}:{tag}")
        self.documents.delete("repository", name)

    def all(self) -> dict[str, Document]:
        """All repositories by name."""
        return self.documents.list("repository")

    # images

    def images(self, name: str) -> dict[str, Document]:
        """A repository's images by digest."""
        return _below(self.documents.list("image", f"{name}@"), "@")

    def image(self, name: str, digest: str) -> Document | None:
        """What is known of an image."""
        return self.documents.get("image", f"{name}@{digest}")

    def tags(self, name: str) -> dict[str, str]:
        """A repository's tags, and the digests of their images."""
        found = _below(self.documents.list("tag", f"{name}:"), ":")
        return {tag: known["digest"] for tag, known in found.items()}

    def digest(self, name: str, tag: str) -> str | None:
        """The image that a tag names."""
        known = self.documents.get("tag", f"{name}:{tag}")
        return known["digest"] if known else None

    def add_image(self, name: str, digest: str, tag: str | None, more: Document) -> None:
        """Remember a pushed image, and its tag. Raises ServiceError where the tag may not move."""
        settings = self.get(name)
        if tag is not None:

            def moved(known: Document | None) -> Document:
                if known and known["digest"] != digest and is_immutable(settings, tag):
                    raise immutable(name, tag)
                return {"digest": digest}

            self.documents.update("tag", f"{name}:{tag}", moved)
        self.documents.add("image", f"{name}@{digest}", {"pushed": time.time(), **more})

    def untag(self, name: str, tag: str) -> bool:
        """Take a tag away; False where there is none."""
        return self.documents.delete("tag", f"{name}:{tag}")

    def remove_image(self, name: str, digest: str) -> None:
        """Forget an image and its tags."""
        for tag, named in self.tags(name).items():
            if named == digest:
                self.untag(name, tag)
        self.documents.delete("image", f"{name}@{digest}")


def is_immutable(settings: Document, tag: str) -> bool:
    """Whether the repository's settings forbid that the tag moves."""
    mode: str = settings.get("mutability", "MUTABLE")
    filters = [one["filter"] for one in settings.get("exclusions", ())]
    excluded = any(fnmatch.fnmatchcase(tag, one.replace("[", "[[]")) for one in filters)
    return mode.startswith("IMMUTABLE") != (mode.endswith("_WITH_EXCLUSION") and excluded)


def immutable(name: str, tag: str) -> ServiceError:
    """The tag is there, and may not move."""
    return ServiceError(
        "ImageTagAlreadyExistsException",
        f"The image tag '{tag}' already exists in the '{name}' repository and cannot be "
        "overwritten because the tag is immutable.",
    )


def _below(found: dict[str, Document], mark: str) -> dict[str, Document]:
    return {name.partition(mark)[2]: document for name, document in found.items()}
