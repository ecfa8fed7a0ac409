"""Prices times time: exact, rounded where shown, and None where no price is known."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.aws.prices import PriceTable, Sheet
from sagedock.launch.cost import Money, estimate, of_endpoint, of_job, spot_savings

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


# bills of jobs

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LARGE = {"InstanceType": "ml.m5.large", "InstanceCount": 2}


def at(minutes):
    return NOW + timedelta(minutes=minutes)


def test_a_training_job_is_billed_as_the_service_says():
    bill = of_job(
        "training",
        {
            "ResourceConfig": LARGE,
            "BillableTimeInSeconds": 90,
            "TrainingTimeInSeconds": 300,
            "EnableManagedSpotTraining": True,
            "WarmPoolStatus": {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 10},
            "TrainingStartTime": at(-60),
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        TABLE, "eu-west-1", NOW,
    )  # fmt: skip
    assert bill.seconds == 100
    assert bill.cost == Money(usd=Decimal("0.128") * 2 * 100 / 3600)
    assert bill.limit == Money(usd=Decimal("0.256"))
    assert bill.saved == pytest.approx(0.7)
    assert (bill.instances, bill.lacking) == ((("ml.m5.large", 2),), ())
    assert bill.published == ("2026-01-02",)


def test_what_runs_still_is_counted_until_now_and_what_waits_costs_nothing():
    document = {"ResourceConfig": LARGE, "TrainingStartTime": at(-30)}
    assert of_job("training", document, TABLE, "eu-west-1", NOW).seconds == 1800
    waiting = of_job("training", {"ResourceConfig": LARGE}, TABLE, "eu-west-1", NOW)
    assert (waiting.seconds, str(waiting.cost), waiting.saved) == (0, "$0.0000", None)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("processing", {"ProcessingResources": {"ClusterConfig": LARGE}}),
        ("transform", {"TransformResources": LARGE}),
    ],
)
def test_other_kinds_are_billed_from_their_start_to_their_end(kind, place):
    word = kind.capitalize()
    times = {f"{word}StartTime": at(-30), f"{word}EndTime": at(-20)}
    prices = {word: {"ml.m5.large": Decimal("0.36")}}
    sheet = Sheet(region="eu-west-1", source="test", published="2026", prices=prices)
    bill = of_job(kind, place | times, PriceTable(sheets=(sheet,)), "eu-west-1", NOW)
    assert (bill.seconds, bill.cost, bill.limit) == (600, Money(usd=Decimal("0.12")), None)


def test_one_price_that_lacks_and_the_sum_is_not_known():
    groups = [
        {"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "a"},
        {"InstanceType": "ml.p9.large", "InstanceCount": 3, "InstanceGroupName": "b"},
    ]
    document = {"ResourceConfig": {"InstanceGroups": groups}, "TrainingStartTime": at(-1)}
    bill = of_job("training", document, TABLE, "eu-west-1", NOW)
    assert (bill.cost, bill.limit, bill.lacking) == (None, None, ("ml.p9.large",))


def test_a_job_without_instances_has_no_bill():
    assert of_job("training", {"ServerlessJobConfig": {}}, TABLE, "eu-west-1", NOW) is None


# rates of endpoints


def endpoint(**counts):
    return {"ProductionVariants": [{"VariantName": name, "CurrentInstanceCount": count}
                                   for name, count in counts.items()]}  # fmt: skip


def config(*, more=None, **types):
    variants = [{"VariantName": name, "InstanceType": kind} for name, kind in types.items()]
    return {"ProductionVariants": variants, **(more or {})}


def test_an_endpoint_costs_what_its_instances_cost():
    rate = of_endpoint(
        endpoint(a=2, b=1), config(a="ml.m5.large", b="ml.m5.large"), TABLE, "eu-west-1"
    )
    assert (rate.hourly, rate.published) == (Money(usd=Decimal("0.39")), ("2026-01-02",))


def test_a_rate_that_is_not_known_says_whose_price_lacks():
    rate = of_endpoint(
        endpoint(a=1, b=1), config(a="ml.m5.large", b="ml.p9.large"), TABLE, "eu-west-1"
    )
    assert (rate.hourly, rate.lacking) == (None, ("ml.p9.large",))


def test_asynchronous_inference_has_prices_of_its_own():
    wanted = config(more={"AsyncInferenceConfig": {}}, a="ml.m5.large")
    rate = of_endpoint(endpoint(a=1), wanted, TABLE, "eu-west-1")
    assert (rate.hourly, rate.lacking) == (None, ("ml.m5.large",))


def test_serverless_endpoints_have_no_rate():
    serverless = {"ProductionVariants": [{"VariantName": "a", "ServerlessConfig": {}}]}
    assert of_endpoint({"ProductionVariants": [{"VariantName": "a"}]}, serverless, TABLE,
                       "eu-west-1") is None  # fmt: skip
