"""What a build has made, for people and for programs: size, layers, changes, what weighs most."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sagedock.images.build import BuiltImage
    from sagedock.images.report import Change, Layer, Weight
    from sagedock.images.reproduce import Reproduced

_HEAVIEST = 12
_DIFFERENCES = 40
_WIDTH = 100


def show(built: Sequence[BuiltImage], *, weigh: bool, as_json: bool) -> None:
    """The table, then of each image that was built its layers and what has changed."""
    from sagedock.cli.printing import as_text, table

    built = list({image.tags[0]: image for image in built}.values())
    heavy = {image.id: _weights(image) for image in built} if weigh else {}
    if as_json:
        listed = [
            {**asdict(image), "weights": [asdict(w) for w in heavy.get(image.id, ())]}
            for image in built
        ]
        click.echo(as_text(listed))
        return
    rows = [
        (image.tags[0], f"{image.size / 1e6:.0f}", _budget(image), _state(image)) for image in built
    ]
    click.echo("\n".join(table(("IMAGE", "MB", "BUDGET", "STATE"), rows)))
    for image in built:
        click.echo("".join(f"{line}\n" for line in _details(image, heavy.get(image.id, ()))),
                   nl=False)  # fmt: skip


def _weights(image: BuiltImage) -> Sequence[Weight]:
    from sagedock.images.program import DockerProgram
    from sagedock.images.report import weights

    with DockerProgram(os.environ).files(image.id) as files:
        return weights(files)[:_HEAVIEST]


def _budget(image: BuiltImage) -> str:
    return f"{image.budget / 1e6:.0f}" if image.budget else "-"


def _state(image: BuiltImage) -> str:
    return f"built in {image.seconds:.1f} s" if image.fresh else "up to date"


def _details(image: BuiltImage, heavy: Sequence[Weight]) -> Iterator[str]:
    if image.layers:
        yield ""
        yield f"{image.tags[0]}, by {image.client}"
        yield from (_line(layer) for layer in image.layers)
    if image.change:
        yield from _changes(image.change)
    if heavy:
        yield ""
        yield f"{image.tags[0]}: what weighs most"
        yield from (f"  {weight.size / 1e6:8.1f} MB  {weight.what}" for weight in heavy)


def _line(layer: Layer) -> str:
    text = layer.instruction
    cut = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
    return f"  {layer.size / 1e6:8.1f} MB  {cut}".rstrip()


def _changes(change: Change) -> Iterator[str]:
    if not change.added and not change.removed:
        yield "  nothing in it has changed since the last build"
        return
    yield (
        f"  since the last build: {change.size / 1e6:+.1f} MB; {change.reused} layers as they were "
        f"({change.reused_size / 1e6:.1f} MB), {len(change.added)} new:"
    )
    yield from (f"+ {_line(layer).strip()}" for layer in change.added)


def show_reproduced(done: Reproduced, as_json: bool) -> int:
    """What differs between two builds; the exit code: 1 where something does."""
    from sagedock.cli.printing import as_text

    if as_json:
        click.echo(as_text(asdict(done)))
        return 1 if done.differences else 0
    name = done.image.tags[0]
    if not done.differences:
        ids = "the same digest" if done.same_id else "digests differ by times only"
        click.echo(f"{name}: two builds hold the same {done.files} files ({ids})")
        return 0
    click.echo(f"{name}: {len(done.differences)} of {done.files} files differ between two builds")
    for difference in done.differences[:_DIFFERENCES]:
        click.echo(f"  {difference.path}: {difference.what}")
    return 1
