"""AWS's price list over HTTP: the offer file, GetProducts; connections and bodies that break."""

import os
from decimal import Decimal

import pytest

from faulty_proxy import FaultyProxy
from price_list_kit import VERSION, get_products_pages, offer_file, price_server
from sagedock.aws.account import Account
from sagedock.aws.price_list import SERVICE, from_offer_file, from_query_api
from sagedock.errors import AwsError

PATH = "/offers/v1.0/aws/AmazonSageMaker/current/{region}/index.json"
PLACE = PATH.replace("{region}", "us-east-1")

PRICES = {
    "Training": {"ml.m5.large": Decimal("0.115"), "ml.p4d.24xlarge": Decimal("25.251")},
    "Processing": {"ml.m5.large": Decimal("0.1151")},
    "Transform": {"ml.m5.large": Decimal("0.1152")},
    "Hosting": {"ml.m5.large": Decimal("0.1153")},
}
"""Of the kit's products: neither fees, notebooks, zeros nor what is said twice."""


@pytest.fixture
def server():
    with price_server({PLACE: offer_file()}) as running:
        yield running


@pytest.fixture
def proxy(server):
    with FaultyProxy(*server.server_address[:2]) as between:
        yield between


def test_the_offer_file_of_a_region(server):
    sheet = from_offer_file("us-east-1", url=server.url + PATH)
    assert sheet.prices == PRICES
    assert (sheet.region, sheet.published) == ("us-east-1", "2026-10-05")
    assert sheet.source == server.url + PLACE.replace("current", VERSION)


def test_a_cut_connection_is_tried_again(proxy):
    proxy.rule(r"GET ", cut_down=3000, times=2)
    assert from_offer_file("us-east-1", url=proxy.url + PATH).prices == PRICES
    assert proxy.asked("GET ") == 3


def test_what_breaks_each_time_is_told_and_nothing_is_kept(proxy):
    proxy.rule(r"GET ", cut_down=3000, times=9)
    with pytest.raises(AwsError, match="can't be read: IncompleteRead") as caught:
        from_offer_file("us-east-1", url=proxy.url + PATH)
    assert "--url" in caught.value.hint
    assert proxy.asked("GET ") == 3


def test_a_busy_server_is_tried_again_and_a_refusal_is_not(proxy):
    proxy.rule(r"GET ", status=503)
    assert from_offer_file("us-east-1", url=proxy.url + PATH).prices == PRICES
    proxy.rule(r"GET ", status=403)
    before = proxy.asked("GET ")
    with pytest.raises(AwsError, match="answers 403"):
        from_offer_file("us-east-1", url=proxy.url + PATH)
    assert proxy.asked("GET ") == before + 1


def test_a_region_without_a_list_is_named(server):
    with pytest.raises(AwsError, match=r"mars-1/index\.json answers 404") as caught:
        from_offer_file("mars-1", url=server.url + PATH)
    assert "region" in caught.value.hint


def test_nobody_there():
    with pytest.raises(AwsError, match="Connection refused"):
        from_offer_file("us-east-1", url="http://127.0.0.1:1/{region}")
    with pytest.raises(AwsError, match="unknown url type"):
        from_offer_file("us-east-1", url="{region}.json")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "is no JSON"),
        (b"<html>Please sign in</html>", "is no JSON"),
        (offer_file()[:-900], "is no JSON"),
        (b"[]", "is not an offer file"),
        (b"{}", "is not an offer file"),
        (offer_file().replace(b'"attributes"', b'"other"'), "is not an offer file"),
        (offer_file().replace(b'"0.1150000000"', b'"cheap"'), "is not an offer file"),
        (offer_file().replace(b'"pricePerUnit"', b'"price"'), "is not an offer file"),
        (offer_file(currency="CNY"), "no hourly price in USD"),
        (offer_file("eu-west-1"), "no hourly price in USD of a SageMaker instance in us-east-1"),
    ],
)
def test_what_is_no_offer_file_is_told(body, words):
    with price_server({PLACE: body}) as server, pytest.raises(AwsError, match=words):
        from_offer_file("us-east-1", url=server.url + PATH)


# GetProducts


@pytest.fixture
def account(server, monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return Account("us-east-1")


def test_get_products_page_by_page(account, server):
    sheet = from_query_api(account, "us-east-1", instance_type="ml.m5.large")
    assert sheet.prices == PRICES
    assert sheet.published == "2026-10-05"
    assert len(server.asked) == len(get_products_pages())
    assert {item["ServiceCode"] for item in server.asked} == {SERVICE}
    wanted = {item["Field"]: item["Value"] for item in server.asked[0]["Filters"]}
    assert wanted == {"regionCode": "us-east-1", "instanceName": "ml.m5.large"}


def test_a_page_that_is_refused_or_cut_is_told(account, proxy, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", proxy.url)
    refusal = b'{"__type": "AccessDeniedException", "Message": "Not you."}'
    proxy.rule(r"POST ", status=400, body=refusal)
    with pytest.raises(AwsError, match="AccessDeniedException: Not you") as caught:
        from_query_api(account, "us-east-1")
    assert "pricing:GetProducts" in caught.value.hint
    proxy.rule(r"POST ", cut_down=400)
    with pytest.raises(AwsError, match="AWS's price list has come in another form"):
        from_query_api(account, "us-east-1")


def test_no_such_price(account):
    with pytest.raises(AwsError, match="no such price in eu-west-1"):
        from_query_api(account, "eu-west-1")
