"""The table of prices: the shipped one, the user's own in front of it, files that are broken."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from sagedock.aws.prices import COMPONENTS, FOLDER, PriceTable, Sheet, load, save, shipped
from sagedock.errors import InputError, OutputError


def sheet(region="eu-west-1", price="0.2", published="2026-10-01"):
    prices = {"Training": {"ml.m5.large": Decimal(price)}}
    return Sheet(region=region, source="test", published=published, prices=prices)


def test_every_shipped_price_has_a_source_and_a_date():
    for one in shipped().sheets:
        assert one.source
        assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", one.published)
        assert re.fullmatch(r"[a-z]{2}-[a-z]+-\d", one.region)
        assert set(one.prices) <= set(COMPONENTS)
        for found in one.prices.values():
            assert found
            assert all(name.startswith("ml.") and price > 0 for name, price in found.items())


def test_known_prices_are_shipped_and_others_are_not_made_up():
    table = shipped()
    assert table.hourly("us-east-1", "Training", "ml.m5.large") == Decimal("0.115")
    assert table.hourly("ap-south-1", "Processing", "ml.t3.medium") == Decimal("0.054")
    assert table.hourly("ap-south-1", "Training", "ml.t3.medium") is None
    assert table.hourly("us-east-1", "Transform", "ml.m5.large") is None
    assert table.hourly("eu-north-1", "Training", "ml.m5.large") is None


def test_shipped_sheets_agree_where_they_speak_of_the_same():
    said: dict[tuple[str, str, str], set[Decimal]] = {}
    for one in shipped().sheets:
        for component, found in one.prices.items():
            for name, price in found.items():
                said.setdefault((one.region, component, name), set()).add(price)
    assert {key for key, prices in said.items() if len(prices) > 1} == set()


def test_a_fetched_region_is_believed_in_place_of_the_shipped_one(tmp_path: Path):
    assert load(tmp_path) == shipped()
    place = save(tmp_path, sheet("us-east-1", "0.5"))
    assert place == tmp_path / FOLDER / "us-east-1.json"
    table = load(tmp_path)
    assert table.hourly("us-east-1", "Training", "ml.m5.large") == Decimal("0.5")
    assert table.hourly("us-east-1", "Hosting", "ml.m5.large") is None  # of another list
    assert table.hourly("ap-south-1", "Training", "ml.m5.large") == Decimal("0.121")


def test_regions_are_kept_side_by_side(tmp_path: Path):
    save(tmp_path, sheet("eu-west-1", "0.2"))
    save(tmp_path, sheet("eu-west-3", "0.3"))
    save(tmp_path, sheet("eu-west-1", "0.4"))
    table = load(tmp_path)
    assert table.hourly("eu-west-1", "Training", "ml.m5.large") == Decimal("0.4")
    assert table.hourly("eu-west-3", "Training", "ml.m5.large") == Decimal("0.3")
    names = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
    assert names == ["eu-west-1.json", "eu-west-3.json"]


def test_a_table_survives_its_file_exactly():
    table = PriceTable(sheets=(sheet(price="0.1150000001"),))
    assert PriceTable.from_json(table.to_json(), "x") == table


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"format": 2, "currency": "USD", "sheets": []}',
        '{"format": 1, "currency": "CNY", "sheets": []}',
        '{"format": 1, "currency": "USD", "sheets": [1]}',
        json.dumps({"format": 1, "currency": "USD", "sheets": [
            {"region": "r", "source": "s", "published": "p", "prices": {"Training": {"a": "x"}}}]}),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_is_named_and_made_anew_by_a_refresh(text: str, tmp_path: Path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "eu-west-1.json").write_text(text)
    with pytest.raises(InputError, match=r"eu-west-1\.json is not a price table") as caught:
        load(tmp_path)
    assert "--refresh" in caught.value.hint
    save(tmp_path, sheet())
    assert load(tmp_path).hourly("eu-west-1", "Training", "ml.m5.large") == Decimal("0.2")


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        save(tmp_path / "file", sheet())


@pytest.mark.parametrize("region", ["../x", "", "x/y-1", "EU-west-1", "-a", "us-east-1.json"])
def test_a_file_has_the_name_of_a_region(region: str, tmp_path: Path):
    with pytest.raises(InputError, match="the name of no region"):
        save(tmp_path, sheet(region))
    assert list(tmp_path.iterdir()) == []


def test_refreshes_side_by_side_lose_nothing(tmp_path: Path):
    regions = [f"eu-west-{number}" for number in range(1, 30)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda region: save(tmp_path, sheet(region)), regions))
    table = load(tmp_path)
    assert all(table.hourly(region, "Training", "ml.m5.large") for region in regions)
