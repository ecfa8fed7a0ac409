"""`sagedock init`: a new project of the user's own."""

from __future__ import annotations

from pathlib import Path

import click

from sagedock import __version__


@click.command(
    epilog="""\b
Examples:
  sagedock init penguins                       # everything
  sagedock init scorer --only serving
  sagedock init vision --from-image my-registry/torch:2.9"""
)
@click.argument("name")
@click.option(
    "--directory", type=click.Path(path_type=Path), metavar="DIR",
    help="Where to put it.  [default: ./NAME]",
)  # fmt: skip
@click.option(
    "--only", metavar="PARTS",
    help="Some of training, processing, serving, with commas between them.  [default: all]",
)  # fmt: skip
@click.option(
    "--from-image", metavar="IMAGE", help="What the images stand on, instead of sagedock's own."
)
@click.option("--dry-run", is_flag=True, help="List the files and write nothing.")
def init(
    name: str, directory: Path | None, only: str | None, from_image: str | None, dry_run: bool
) -> None:
    """Write a new project that builds, trains and is tested.

    Dockerfiles with hashed locks, a training script, a processing script, a serving handler,
    tests that run on this machine, build_and_push.sh and a CI recipe, on a small real data set.
    A folder that holds anything is left alone.
    """
    from sagedock.images import find_root
    from sagedock.project import init_files
    from sagedock.project.init import PARTS, NewProject, check_name, files, parts_of

    check_name(name)
    project = NewProject(
        name=name,
        version=__version__,
        parts=parts_of(only) if only is not None else PARTS,
        from_image=from_image,
    )
    folder = (directory or Path(name)).expanduser()
    parents = init_files.parent_packages(find_root())
    written = init_files.locked(files(project, init_files.templates(), parents))
    init_files.check_free(folder)
    if dry_run:
        click.echo("\n".join(str(folder / file.path) for file in written))
        return
    init_files.write(written, folder)
    click.echo(f"{folder}: {len(written)} files. What to do with them: {folder / 'README.md'}")
