"""Builds an image twice without the builder's cache, and says whether both hold the same files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sagedock.images.build import Builder, BuiltImage
from sagedock.images.plan import BuildPlan
from sagedock.images.trees import Difference, differences, tree


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """Two builds of one plan. `files` were compared; `same_id` where even the digests are equal."""

    image: BuiltImage
    files: int
    same_id: bool
    differences: tuple[Difference, ...]


def reproduce(
    name: str, plan: BuildPlan, builder: Builder, report: Callable[[str], None] = lambda line: None
) -> Reproduced:
    """The plan's tags name the first of the two; of the second nothing stays. Raises BuildError."""
    plan = replace(plan, no_cache=True)
    first = builder.execute(name, plan)
    repository = plan.tags[0].rpartition(":")[0]
    again = replace(plan, tags=(f"{repository}:sagedock-again",))
    second = builder.execute(name, again)
    try:
        report("comparing the files of both")
        with builder.docker.files(first.id) as files:
            one = tree(files)
        with builder.docker.files(second.id) as files:
            other = tree(files)
    finally:
        builder.docker.remove(again.tags[0])
    return Reproduced(
        image=first,
        files=len(one),
        same_id=first.id == second.id,
        differences=tuple(differences(one, other)),
    )
