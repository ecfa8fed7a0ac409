"""Prices times time: exact, rounded where shown, and None where no price is known."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.aws.prices import PriceTable, Sheet
from sagedock.launch.cost import Money, estimate, spot_savings

SHEET = Sheet(
    region="eu-west-1",
    source="test",
    published="2026-01-02",
    prices={
        "Training": {"ml.m5.large": Decimal("0.128")},
        "Hosting": {"ml.m5.large": Decimal("0.13")},
    },
)
TABLE = PriceTable(sheets=(SHEET,))


def test_price_times_instances_times_hours():
    assert estimate(TABLE, "eu-west-1", "ml.m5.large", 2, 3600) == Money(usd=Decimal("0.256"))
    assert estimate(TABLE, "eu-west-1", "ml.m5.large", 1, 60) == Money(
        usd=Decimal("0.128") * 60 / 3600
    )


def test_each_component_has_prices_of_its_own():
    found = estimate(TABLE, "eu-west-1", "ml.m5.large", 1, 3600, component="Hosting")
    assert found == Money(usd=Decimal("0.13"))


@pytest.mark.parametrize(
    ("region", "instance", "component"),
    [
        ("us-east-1", "ml.m5.large", "Training"),
        ("eu-west-1", "ml.p5.48xlarge", "Training"),
        ("eu-west-1", "ml.m5.large", "Processing"),
    ],
)
def test_no_price_no_figure(region, instance, component):
    assert estimate(TABLE, region, instance, 1, 60, component=component) is None


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        ("0", "$0.0000"),
        ("0.00385", "$0.0039"),
        ("0.99994", "$0.9999"),
        ("1", "$1.00"),
        ("1.005", "$1.01"),
        ("12345.678", "$12,345.68"),
    ],
)
def test_amounts_are_rounded_half_up_where_they_are_shown(usd, shown):
    assert str(Money(usd=Decimal(usd))) == shown


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 64))
def test_time_in_parts_costs_what_it_costs_in_one(first, second, count):
    parts = [estimate(TABLE, "eu-west-1", "ml.m5.large", count, s) for s in (first, second)]
    whole = estimate(TABLE, "eu-west-1", "ml.m5.large", count, first + second)
    assert abs((parts[0] + parts[1]).usd - whole.usd) < Decimal("1e-18")


def test_spot_savings_by_the_services_rule():
    assert spot_savings(1000, 300) == pytest.approx(0.7)
    assert spot_savings(1000, 1000) == 0
    assert spot_savings(0, 0) is None
