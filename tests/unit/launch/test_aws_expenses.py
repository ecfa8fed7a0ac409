"""What a job costs, in words, and where nothing is said."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sagedock.aws.prices import PriceTable, Sheet
from sagedock.launch.aws.expenses import Expenses
from sagedock.local.records import Kind

PRICES = {"Training": {"ml.a": Decimal("3.6")}, "Transform": {"ml.a": Decimal("7.2")}}
SHEET = Sheet(region="here", source="a test", published="2026-11-24", prices=PRICES)
EXPENSES = Expenses(table=PriceTable(sheets=(SHEET,)), region="here")
ELSEWHERE = Expenses(table=PriceTable(sheets=(SHEET,)), region="elsewhere")
BEGUN = datetime(2026, 11, 24, 8, 7, 1, tzinfo=UTC)
JOB = {
    "ResourceConfig": {"InstanceType": "ml.a", "InstanceCount": 2},
    "TrainingStartTime": BEGUN,
    "TrainingEndTime": BEGUN + timedelta(seconds=200),
    "TrainingTimeInSeconds": 200,
    "BillableTimeInSeconds": 100,
}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(86400, "$172.80 at most (24 h)"), (600, "$1.20 at most (10 min)"), (90, "(90 s)")],
)
def test_beforehand_an_hour_and_the_most_it_can_be(seconds, words):
    request = {**JOB, "StoppingCondition": {"MaxRuntimeInSeconds": seconds}}
    text = EXPENSES.beforehand(Kind.TRAINING, request)
    assert text.startswith("Price: $7.20 an hour (2 x ml.a), ")
    assert words in text


def test_a_transform_job_has_no_most():
    request = {"TransformResources": {"InstanceType": "ml.a", "InstanceCount": 1}}
    assert EXPENSES.beforehand(Kind.TRANSFORM, request) == "Price: $7.20 an hour (1 x ml.a)"


def test_what_is_billed_is_the_services_own_figure():
    assert EXPENSES.so_far(Kind.TRAINING, JOB) == "$0.2000 (100 s billable)"
    spot = {**JOB, "EnableManagedSpotTraining": True}
    assert EXPENSES.so_far(Kind.TRAINING, spot) == "$0.2000 (100 s billable), spot saved 50%"


def test_so_far_is_said_while_it_runs():
    running = {key: JOB[key] for key in ("ResourceConfig", "TrainingStartTime")}
    assert EXPENSES.so_far(Kind.TRAINING, running).endswith(" so far")
    assert EXPENSES.so_far(Kind.TRAINING, {"ResourceConfig": JOB["ResourceConfig"]}) == ""


def test_without_a_price_nothing_is_made_up():
    assert ELSEWHERE.beforehand(Kind.TRAINING, JOB) == ""
    assert ELSEWHERE.so_far(Kind.TRAINING, JOB) == ""
    assert EXPENSES.beforehand(Kind.PROCESSING, {}) == ""
