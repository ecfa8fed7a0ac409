"""What instances cost an hour: a table of AWS's list prices, where it lies, who said it and when.

A price that the table does not have is None, never a guess. Must not know who asks, or what runs
on an instance (`launch/cost.py` multiplies).
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any

from sagedock.errors import InputError, OutputError

COMPONENTS = ("Training", "Processing", "Transform", "Hosting")
"""What one pays for by the hour and instance."""

FOLDER = "prices"
"""In the user's data folder: what `sagedock prices --refresh` has fetched, a file a region."""

_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Prices of one region from one source, USD an hour: component to instance type to price.

    `published`: the source's own date (ISO 8601), when that list was made.
    """

    region: str
    source: str
    published: str
    prices: Mapping[str, Mapping[str, Decimal]]

    def hourly(self, component: str, instance_type: str) -> Decimal | None:
        """USD an hour and instance."""
        return self.prices.get(component, {}).get(instance_type)

    def to_dict(self) -> dict[str, Any]:
        """As it lies in a file: prices as text, so that none is rounded."""
        return {
            "region": self.region,
            "source": self.source,
            "published": self.published,
            "prices": {
                component: {name: str(price) for name, price in sorted(found.items())}
                for component, found in sorted(self.prices.items())
            },
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Sheet:
        """Raises KeyError, TypeError, AttributeError or InvalidOperation for another form."""
        return cls(
            region=str(found["region"]),
            source=str(found["source"]),
            published=str(found["published"]),
            prices={
                str(component): {str(name): Decimal(price) for name, price in known.items()}
                for component, known in found["prices"].items()
            },
        )


@dataclass(frozen=True, kw_only=True)
class PriceTable:
    """Sheets, the one to be believed first in front."""

    sheets: tuple[Sheet, ...] = ()

    def sheet(self, region: str, component: str, instance_type: str) -> Sheet | None:
        """The sheet that has this price; None where no sheet has."""
        for sheet in self.sheets:
            if sheet.region == region and sheet.hourly(component, instance_type) is not None:
                return sheet
        return None

    def hourly(self, region: str, component: str, instance_type: str) -> Decimal | None:
        """USD an hour and instance; None where it is not known."""
        sheet = self.sheet(region, component, instance_type)
        return sheet.hourly(component, instance_type) if sheet else None

    def with_sheets(self, fresh: Iterable[Sheet]) -> PriceTable:
        """A table that believes `fresh` and has nothing older of their regions."""
        news = tuple(fresh)
        regions = {sheet.region for sheet in news}
        return PriceTable(sheets=(*news, *(s for s in self.sheets if s.region not in regions)))

    def to_json(self) -> str:
        """The table as a file has it."""
        sheets = [sheet.to_dict() for sheet in self.sheets]
        return json.dumps({"format": _FORMAT, "currency": "USD", "sheets": sheets}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, place: str) -> PriceTable:
        """Raises InputError, naming `place`, for what is no such table."""
        try:
            found = json.loads(text)
            known = {_FORMAT: {"USD": found["sheets"]}}[found["format"]][found["currency"]]
            return cls(sheets=tuple(Sheet.from_dict(item) for item in known))
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation) as error:
            raise InputError(
                f"{place} is not a price table of this version: {error!r}.",
                hint="Delete it, or make it anew: sagedock prices --refresh",
            ) from error


def shipped() -> PriceTable:
    """The table that comes with sagedock: of a few regions, each sheet with its source and date."""
    place = resources.files("sagedock.aws").joinpath("prices.json")
    return PriceTable.from_json(place.read_text("utf-8"), str(place))


def load(data: Path) -> PriceTable:
    """The shipped table, and in front of it what the user has fetched into the folder `data`.

    Raises InputError for a file of the user's that is no price table.
    """
    table = shipped()
    for place in sorted((data / FOLDER).glob("*.json")):
        try:
            text = place.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{place} can't be read: {error}.") from error
        table = table.with_sheets(PriceTable.from_json(text, str(place)).sheets)
    return table


def save(data: Path, sheet: Sheet) -> Path:
    """Keep a region's prices in the folder `data`, in place of what was fetched of it before; the
    file. Each region has its own, so that refreshes side by side can't undo each other.

    It is there whole or not at all. Raises InputError for a region of no such name, OutputError.
    """
    if not _REGION.fullmatch(sheet.region):
        raise InputError(f"{sheet.region!r} is the name of no region, such as eu-west-1.")
    place = data / FOLDER / f"{sheet.region}.json"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".sagedock-", dir=place.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(PriceTable(sheets=(sheet,)).to_json())
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(place)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{place} can't be written: {error.strerror}.") from error
    return place
