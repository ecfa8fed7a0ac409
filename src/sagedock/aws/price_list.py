"""AWS's own price list, read: from its public offer file (no credentials) or by GetProducts.

Both speak of products with attributes and of terms with price dimensions. Only what an instance
costs on demand by the hour is kept; what the list says twice and differently is left out, since
nobody could say which of the two it is. Must not know where the prices go.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from sagedock.aws.account import Account, told
from sagedock.aws.prices import COMPONENTS, Sheet
from sagedock.errors import AwsError

SERVICE = "AmazonSageMaker"
URL = (
    "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/"
    "AmazonSageMaker/current/{region}/index.json"
)
"""Public, one file a region, some MB. `{region}` is put in."""

_QUERY_REGIONS = {"eu": "eu-central-1", "ap": "ap-south-1"}
"""The Price List Query API answers in three regions; elsewhere us-east-1 is asked."""

_WORDS = {"Train": "Training", "Processing": "Processing", "Tsform": "Transform", "Host": "Hosting"}
_USAGE = re.compile(rf"(?:[A-Z0-9]+-)?({'|'.join(_WORDS)}):(ml\.[a-z0-9.-]+)")
"""A usage type such as `USE1-Train:ml.m5.large`. The rest of SageMaker's usage types that name an
instance (notebooks, reserved training plans, clusters, asynchronous inference) don't match."""

_TRIES, _PAUSE_SECONDS = 3, 0.5
_SECONDS = 60.0
_OFFLINE = (
    "A proxy is taken from HTTPS_PROXY; a copy of the file can be read instead: "
    "sagedock prices --refresh --url URL"
)

Document = Mapping[str, Any]


def from_offer_file(region: str, *, url: str = URL) -> Sheet:
    """A region's prices from the offer file. A connection that breaks is tried again.

    Raises AwsError where it can't be had, is none, or has no price in USD of what we know.
    """
    place = url.replace("{region}", region)
    document = _parsed(_fetched(place), place)
    try:
        products, terms = document["products"], document["terms"]["OnDemand"]
        published, version = document["publicationDate"], document["version"]
        offers = [(item, terms.get(sku, {})) for sku, item in products.items()]
        prices = prices_of(region, offers)
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise AwsError(f"{place} is not an offer file of AWS's price list: {error!r}.") from error
    if not prices:
        raise AwsError(f"{place} has no hourly price in USD of a SageMaker instance in {region}.")
    source = place.replace("/current/", f"/{version}/")
    return Sheet(region=region, source=source, published=str(published)[:10], prices=prices)


def from_query_api(account: Account, region: str, *, instance_type: str = "") -> Sheet:
    """A region's prices by GetProducts, page by page; with `instance_type` of that type only.

    Raises AwsError.
    """
    near = _QUERY_REGIONS.get(account.region[:2], "us-east-1")
    client = account.boto_session.client("pricing", region_name=near)
    wanted = {"regionCode": region} | ({"instanceName": instance_type} if instance_type else {})
    filters = [{"Type": "TERM_MATCH", "Field": key, "Value": wanted[key]} for key in wanted]
    pages = client.get_paginator("get_products").paginate(ServiceCode=SERVICE, Filters=filters)
    with told("AWS's price list", "It needs the permission pricing:GetProducts."):
        answers = list(pages)
    try:
        # of a body that was cut botocore makes an answer without members
        texts = [text for page in answers for text in page["PriceList"]]
        found = [_parsed(text, "An item of AWS's price list") for text in texts]
        offers = [(item["product"], item["terms"].get("OnDemand", {})) for item in found]
        prices = prices_of(region, offers)
        published = max((item["publicationDate"] for item in found), default="")
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise AwsError(f"AWS's price list has come in another form: {error!r}.") from error
    if not prices:
        raise AwsError(f"AWS's price list has no such price in {region}.")
    return Sheet(
        region=region,
        source="AWS Price List Query API (GetProducts)",
        published=published[:10],
        prices=prices,
    )


def prices_of(
    region: str, offers: Iterable[tuple[Document, Document]]
) -> dict[str, dict[str, Decimal]]:
    """Component to instance type to USD an hour, of pairs of a product and its OnDemand terms.

    Raises KeyError, TypeError, AttributeError or InvalidOperation for another form.
    """
    said: dict[tuple[str, str], set[Decimal]] = {}
    for product, terms in offers:
        attributes = product["attributes"]
        used = _USAGE.fullmatch(attributes.get("usagetype", ""))
        if used and attributes.get("regionCode", region) == region:
            said.setdefault((_WORDS[used[1]], used[2]), set()).update(_hourly(terms))
    return {
        component: found
        for component in COMPONENTS
        if (
            found := {
                name: next(iter(prices))
                for (word, name), prices in sorted(said.items())
                if word == component and len(prices) == 1
            }
        )
    }


def _hourly(terms: Document) -> Iterator[Decimal]:
    for term in terms.values():
        for dimension in term["priceDimensions"].values():
            text = dimension["pricePerUnit"].get("USD")
            if dimension["unit"] == "Hrs" and text is not None and (price := Decimal(text)) > 0:
                yield price.normalize() + 0


def _parsed(text: str | bytes, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise AwsError(f"{what} is no JSON: {error}.") from error


def _fetched(url: str, sleep: Callable[[float], None] = time.sleep) -> bytes:
    for attempt in range(1, _TRIES + 1):
        try:
            with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500 or attempt == _TRIES:
                raise AwsError(
                    f"{url} answers {error.code} {error.reason}.",
                    hint="Is the region's name right? SageMaker may not be there.",
                ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, ValueError) or attempt == _TRIES:
                raise AwsError(f"{url} can't be read: {_words(error)}.", hint=_OFFLINE) from error
        sleep(_PAUSE_SECONDS * attempt)
    raise AssertionError("the last attempt returns or raises")


def _words(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(cause).__name__
