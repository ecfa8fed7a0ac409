"""`sagedock cp`: files to, from and within the local object store, or S3."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sagedock.cli.aws import AWS, is_aws


@click.command()
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.option("-r", "--recursive", is_flag=True, help="A folder, or all objects below a prefix.")
@click.option("-q", "--quiet", is_flag=True, help="Do not say what is copied.")
@AWS
@click.pass_obj
def cp(
    data: Path | None, /, source: str, target: str, recursive: bool, quiet: bool, **aws: Any
) -> None:
    """Copy files to, from and within the local object store.

    SOURCE and TARGET are paths or s3:// URIs, at least one of them a URI. A TARGET that ends with
    a slash, is a bucket or is a folder takes the source's name. A bucket is made if missing.

    With --aws the object store is S3: many files at a time, in parts where they are large; buckets
    have to be there.
    """
    from sagedock.cli.context import open_store
    from sagedock.cli.copying import carry_out, place, plan_copies

    stream = None if quiet else sys.stdout
    if is_aws(aws):
        from sagedock.cli.far_copying import copy_all

        copy_all(aws, place(source), place(target), recursive=recursive, stream=stream)
        return
    with open_store(data) as store:
        copies = plan_copies(store, place(source), place(target), recursive=recursive)
        carry_out(store, copies, stream=stream)
