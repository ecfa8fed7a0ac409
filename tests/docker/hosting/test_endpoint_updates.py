"""UpdateEndpoint: nobody notices, unless by the answers."""

import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from sagedock.errors import ValidationError
from sagedock.local.hosting.calls.runtime import LocalRuntime

WORD = """
    import time

    def model_fn(folder):
        return None

    def transform_fn(model, body, content_type, accept):
        time.sleep(0.02)
        return "{word}"
"""
BROKEN = "def model_fn(folder):\n    raise RuntimeError('no such luck')\n"


@contextmanager
def callers(hosting, name, number=4):
    """Requests without a pause; gives the answers and the errors so far."""
    answers, errors, over = [], [], threading.Event()

    def call():
        runtime = LocalRuntime(hosting.settings)
        while not over.is_set():
            try:
                answer = runtime.invoke_endpoint(
                    EndpointName=name, Body=b"1", ContentType="text/csv"
                )
                answers.append(answer["Body"].read().decode())
            except Exception as error:
                errors.append(error)
        runtime.close()

    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield answers, errors
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_an_update_loses_no_request(hosting):
    """D1.4: the old containers answer what they have, and are gone afterwards."""
    hosting.model("old", WORD.format(word="old"))
    hosting.model("new", WORD.format(word="new"))
    hosting.endpoint("live", {"old": 1})
    hosting.config("next", {"new": 1})
    with callers(hosting, "live") as (answers, errors):
        hosting.until(lambda: len(answers) > 50)
        hosting.client.update_endpoint(EndpointName="live", EndpointConfigName="next")
        described = hosting.client.describe_endpoint(EndpointName="live")
        assert described["EndpointStatus"] == "Updating"
        assert described["PendingDeploymentSummary"]["EndpointConfigName"] == "next"
        with pytest.raises(ValidationError, match="Cannot update in-progress endpoint"):
            hosting.client.update_endpoint(EndpointName="live", EndpointConfigName="next")
        assert hosting.settled("live", "Updating") == "InService"
        seen = len(answers)
        hosting.until(lambda: len(answers) > seen + 50)
    assert errors == []
    assert set(answers[:50]) == {"old"}
    assert set(answers[seen:]) == {"new"}
    described = hosting.client.describe_endpoint(EndpointName="live")
    assert described["EndpointConfigName"] == "next"
    assert len(hosting.containers("live")) == 1


def test_an_update_that_fails_changes_nothing(hosting):
    hosting.model("old", WORD.format(word="old"))
    hosting.model("new", BROKEN)
    hosting.endpoint("live", {"old": 1})
    hosting.config("next", {"new": 1})
    with callers(hosting, "live", 2) as (answers, errors):
        hosting.client.update_endpoint(EndpointName="live", EndpointConfigName="next")
        hosting.settled("live", "Updating")
        assert hosting.settled("live", "RollingBack") == "InService"
    assert errors == []
    assert set(answers) == {"old"}
    described = hosting.client.describe_endpoint(EndpointName="live")
    assert "no such luck" in described["FailureReason"]
    assert described["EndpointConfigName"] == "live"
    assert len(hosting.containers("live")) == 1


def test_a_canary_gets_its_share_first(hosting):
    hosting.model("old", WORD.format(word="old"))
    hosting.model("new", WORD.format(word="new"))
    hosting.endpoint("live", {"old": 1})
    hosting.config("next", {"new": 1})
    routing = {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25},
        "WaitIntervalInSeconds": 4,
    }
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    hosting.client.update_endpoint(
        EndpointName="live", EndpointConfigName="next", DeploymentConfig=policy
    )
    hosting.until(lambda: len(hosting.instances("live")) == 2)
    with callers(hosting, "live") as (answers, errors):
        time.sleep(2)
        shares = Counter(answers)
    assert errors == []
    assert 0.1 < shares["new"] / shares.total() < 0.4
    assert hosting.settled("live", "Updating") == "InService"
    assert len(hosting.instances("live")) == 1


def test_weights_and_instances_change_while_requests_come(hosting):
    hosting.model("a", WORD.format(word="a"))
    hosting.model("b", WORD.format(word="b"))
    hosting.endpoint("live", {"a": 1, "b": 0})
    change = [
        {"VariantName": "a", "DesiredWeight": 0.0},
        {"VariantName": "b", "DesiredWeight": 1.0, "DesiredInstanceCount": 2},
    ]
    with callers(hosting, "live", 2) as (answers, errors):
        hosting.until(lambda: answers)
        hosting.client.update_endpoint_weights_and_capacities(
            EndpointName="live", DesiredWeightsAndCapacities=change
        )
        assert hosting.settled("live", "Updating") == "InService"
        seen = len(answers)
        hosting.until(lambda: len(answers) > seen + 40)
        assert len(hosting.instances("live")) == 3
        change[1]["DesiredInstanceCount"] = 1
        hosting.client.update_endpoint_weights_and_capacities(
            EndpointName="live", DesiredWeightsAndCapacities=change
        )
        assert hosting.settled("live", "Updating") == "InService"
        hosting.until(lambda: len(hosting.containers("live")) == 2)
    assert errors == []
    assert set(answers[seen + 4 :]) == {"b"}
    variants = hosting.client.describe_endpoint(EndpointName="live")["ProductionVariants"]
    assert [item["CurrentWeight"] for item in variants] == [0.0, 1.0]
    with pytest.raises(ValidationError, match='Could not find production variant "c"'):
        hosting.client.update_endpoint_weights_and_capacities(
            EndpointName="live", DesiredWeightsAndCapacities=[{"VariantName": "c"}]
        )


def test_variant_properties_are_retained_when_asked_for(hosting):
    hosting.model("a", WORD.format(word="a"))
    hosting.endpoint("live", {"a": 3})
    hosting.config("next", {"a": 7})
    hosting.client.update_endpoint(
        EndpointName="live", EndpointConfigName="next", RetainAllVariantProperties=True
    )
    assert hosting.settled("live", "Updating") == "InService"
    (variant,) = hosting.client.describe_endpoint(EndpointName="live")["ProductionVariants"]
    assert variant["CurrentWeight"] == 3
