"""`sagedock prices`: what instances cost an hour, by the table that estimates are made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagedock.cli.options import JSON
from sagedock.cli.printing import as_text, table

if TYPE_CHECKING:
    from sagedock.aws.prices import PriceTable, Sheet

_HEAD = ("REGION", "COMPONENT", "INSTANCE TYPE", "USD/HOUR", "AS OF")
_COMPONENTS = ["Training", "Processing", "Transform", "Hosting"]
_COMPLETE = "No such price is known. Fetch a region's list: sagedock prices --refresh --region R"


@click.command()
@click.option("--region", envvar="AWS_REGION", metavar="NAME", help="Only this region's.")
@click.option("--instance-type", metavar="TYPE", help="Only of this type, such as ml.m5.large.")
@click.option("--component", type=click.Choice(_COMPONENTS, case_sensitive=False),
              help="Only for this use.")  # fmt: skip
@click.option("--refresh", is_flag=True, help="Fetch the region's prices from AWS's public list "
              "first; that needs no account.")  # fmt: skip
@click.option("--url", metavar="URL",
              help="With --refresh: where a copy of the list is; {region} is put in.")  # fmt: skip
@click.option("--api", is_flag=True, help="With --refresh: ask the Price List Query API, with "
              "your credentials.")  # fmt: skip
@click.option("--profile", envvar="AWS_PROFILE", metavar="NAME", help="With --api: whose.")
@JSON
@click.pass_obj
def prices(
    data: Path | None, region: str | None, instance_type: str | None, component: str | None,
    refresh: bool, url: str | None, api: bool, profile: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show what instances cost by the hour, on demand.

    Each price has the date of the list that it is from. A price that no list has is not guessed:
    what is estimated with it says so. --refresh puts a region's whole list into the data folder.
    """
    from sagedock.aws.prices import load
    from sagedock.cli.context import settings_of

    if (url or api) and not refresh:
        raise click.UsageError("--url and --api go with --refresh.")
    if url and api:
        raise click.UsageError("--url and --api can't both be had.")
    folder = settings_of(data).data
    if refresh:
        _fetch(folder, region, profile=profile, api=api, url=url)
    _show(load(folder), region, component, instance_type, as_json=as_json)


def _fetch(
    folder: Path, region: str | None, *, profile: str | None, api: bool, url: str | None
) -> None:
    from sagedock.aws import price_list
    from sagedock.aws.prices import save

    if api:
        from sagedock.aws.account import Account

        account = Account(region, profile)
        sheet = price_list.from_query_api(account, account.region)
    elif region is None:
        raise click.UsageError("--refresh fetches one region's list: say --region, too.")
    else:
        sheet = price_list.from_offer_file(region, url=url or price_list.URL)
    place = save(folder, sheet)
    count = sum(len(found) for found in sheet.prices.values())
    click.echo(f"{count} prices of {sheet.region}, list of {sheet.published} -> {place}", err=True)


Row = tuple[str, str, str, str, str, str]
"""Region, component, instance type, USD an hour, date, source."""


def _show(
    known: PriceTable, region: str | None, component: str | None, instance_type: str | None,
    *, as_json: bool,
) -> None:  # fmt: skip
    found = [
        row
        for row in _rows(known)
        if region in {None, row[0]}
        and (component is None or component.lower() == row[1].lower())
        and instance_type in {None, row[2]}
    ]
    if as_json:
        names = ("Region", "Component", "InstanceType", "UsdPerHour", "Published", "Source")
        click.echo(as_text([dict(zip(names, row, strict=True)) for row in found]))
    elif found:
        click.echo("\n".join(table(_HEAD, [row[:5] for row in found])))
    if not found:
        click.echo(_COMPLETE, err=True)


def _rows(known: PriceTable) -> list[Row]:
    """Each price once, from the sheet that is believed."""
    found: dict[tuple[str, str, str], Row] = {}
    for sheet in known.sheets:
        for row in _of(sheet):
            found.setdefault(row[:3], row)
    return [found[key] for key in sorted(found)]


def _of(sheet: Sheet) -> list[Row]:
    return [
        (sheet.region, component, name, f"{price:f}", sheet.published, sheet.source)
        for component, known in sheet.prices.items()
        for name, price in known.items()
    ]
