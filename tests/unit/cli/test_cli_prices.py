"""`sagedock prices`: what is shipped, what a refresh brings, and one that fails."""

import json

import pytest

from faulty_proxy import FaultyProxy
from price_list_kit import offer_file, price_server

PATH = "/AmazonSageMaker/current/{region}/index.json"


@pytest.fixture
def server():
    with price_server({PATH.replace("{region}", "eu-west-1"): offer_file("eu-west-1")}) as running:
        yield running


def test_shipped_prices_are_shown_with_their_dates(sagedock):
    shown = sagedock("prices", "--region", "us-east-1", "--component", "training")
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0].split() == ["REGION", "COMPONENT", "INSTANCE", "TYPE", "USD/HOUR", "AS", "OF"]
    assert ["us-east-1", "Training", "ml.m5.large", "0.115", "2026-08-11"] in [
        line.split() for line in lines
    ]
    assert {line.split()[1] for line in lines[1:]} == {"Training"}


def test_json_has_the_sources(sagedock):
    arguments = ("--instance-type", "ml.p4d.24xlarge", "--region", "us-east-1", "--json")
    found = json.loads(sagedock("prices", *arguments).stdout)
    assert [item["Component"] for item in found] == ["Hosting", "Training"]
    assert {item["UsdPerHour"] for item in found} == {"25.251"}
    assert all(item["Source"] and item["Published"] for item in found)


def test_an_unknown_price_is_not_made_up(sagedock):
    shown = sagedock("prices", "--region", "eu-west-1")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "sagedock prices --refresh --region" in shown.stderr
    assert sagedock("prices", "--region", "eu-west-1", "--json").stdout == "[]\n"


def test_a_refresh_fills_the_table(sagedock, server, data):
    arguments = ("--region", "eu-west-1", "--component", "Training")
    shown = sagedock("prices", "--refresh", "--url", server.url + PATH, *arguments)
    assert shown.returncode == 0, shown.stderr
    assert "5 prices of eu-west-1, list of 2026-10-05" in shown.stderr
    assert ["eu-west-1", "Training", "ml.m5.large", "0.115", "2026-10-05"] in [
        line.split() for line in shown.stdout.splitlines()
    ]
    assert sagedock("prices", *arguments).stdout == shown.stdout
    assert (data / "prices" / "eu-west-1.json").is_file()


def test_a_refresh_that_fails_leaves_the_table_as_it_was(sagedock, server, data):
    arguments = ("prices", "--refresh", "--region", "eu-west-1", "--url")
    assert sagedock(*arguments, server.url + PATH).returncode == 0
    before = (data / "prices" / "eu-west-1.json").read_bytes()
    with FaultyProxy(*server.server_address[:2]) as proxy:
        proxy.rule(r"GET ", cut_down=2000, times=9)
        failed = sagedock(*arguments, proxy.url + PATH)
    assert failed.returncode == 16
    assert "can't be read" in failed.stderr
    assert (data / "prices" / "eu-west-1.json").read_bytes() == before
    assert sagedock(*arguments, server.url + "/nothing").returncode == 16


def test_the_query_api_is_asked_with_credentials(sagedock, server):
    env = {
        "AWS_ENDPOINT_URL_PRICING": server.url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    shown = sagedock("prices", "--refresh", "--api", "--region", "us-east-1", env=env)
    assert shown.returncode == 0, shown.stderr
    assert "0.1152" in shown.stdout
    assert len(server.asked) > 1


@pytest.mark.parametrize(
    "arguments",
    [("--refresh",), ("--api",), ("--url", "x"), ("--refresh", "--api", "--url", "x")],
)
def test_what_can_not_be_meant_is_refused(sagedock, arguments):
    env = {"AWS_REGION": ""}
    assert sagedock("prices", *arguments, env=env).returncode == 2
