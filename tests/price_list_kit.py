"""AWS's price list as it is served: an HTTP server on loopback with offer files in their real
form, and GetProducts of the same products."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PUBLISHED = "2026-10-05T11:22:33Z"
VERSION = "20261005112233"

WORDS = {"Train": "Training", "Processing": "Processing", "Tsform": "BatchTransform",
         "Host": "Hosting", "Notebk": "Notebook", "AsyncInf": "AsyncInference",
         "TrainingPlanUpfrontFee": ""}  # fmt: skip


def product(sku: str, usage: str, *, region: str = "us-east-1") -> dict[str, Any]:
    """One product; `usage` is what follows the region in a usage type: `Train:ml.m5.large`."""
    word, _, instance = usage.partition(":")
    component = {"component": WORDS[word]} if WORDS.get(word) else {}
    return {
        "sku": sku,
        "productFamily": "ML Instance",
        "attributes": {
            "servicecode": "AmazonSageMaker",
            "location": "US East (N. Virginia)",
            "locationType": "AWS Region",
            "instanceType": f"{instance}-{word}",
            "instanceName": instance,
            "currentGeneration": "Yes",
            "vCpu": "2",
            "memory": "8 GiB",
            "usagetype": f"USE1-{usage}",
            "operation": "RunInstance",
            "regionCode": region,
            "servicename": "Amazon SageMaker",
            **component,
        },
    }


def term(sku: str, price: str, *, unit: str = "Hrs", currency: str = "USD") -> dict[str, Any]:
    """A product's OnDemand terms."""
    code = f"{sku}.JRTCKXETXF"
    dimension = {
        "rateCode": f"{code}.6YS6EN2CT7",
        "description": f"${price} per hour",
        "beginRange": "0",
        "endRange": "Inf",
        "unit": unit,
        "pricePerUnit": {currency: price},
        "appliesTo": [],
    }
    return {
        code: {
            "offerTermCode": "JRTCKXETXF",
            "sku": sku,
            "effectiveDate": "2026-10-01T00:00:00Z",
            "priceDimensions": {f"{code}.6YS6EN2CT7": dimension},
            "termAttributes": {},
        }
    }


Offer = tuple[dict[str, Any], dict[str, Any]]


def offers(region: str = "us-east-1") -> list[Offer]:
    """Products with their terms: of each use one, and what must not be taken for a price."""
    made = [
        ("A1", "Train:ml.m5.large", "0.1150000000", "Hrs"),
        ("A2", "Processing:ml.m5.large", "0.1151000000", "Hrs"),
        ("A3", "Tsform:ml.m5.large", "0.1152000000", "Hrs"),
        ("A4", "Host:ml.m5.large", "0.1153000000", "Hrs"),
        ("A5", "Notebk:ml.m5.large", "0.9000000000", "Hrs"),
        ("A6", "AsyncInf:ml.m5.large", "0.9000000000", "Hrs"),
        ("A7", "TrainingPlanUpfrontFee:ml.p4d.24xlarge", "13.5700000000", "Quantity"),
        ("A8", "Train:ml.p4d.24xlarge", "25.2510000000", "Hrs"),
        ("A9", "Train:ml.m5.xlarge", "0.0000000000", "Hrs"),
        ("B1", "Train:ml.c5.xlarge", "0.2040000000", "Hrs"),
        ("B2", "Train:ml.c5.xlarge", "0.3050000000", "Hrs"),
    ]
    return [
        (product(sku, usage, region=region), term(sku, price, unit=unit))
        for sku, usage, price, unit in made
    ]


def offer_file(region: str = "us-east-1", *, currency: str = "USD") -> bytes:
    """A region's whole file."""
    found = offers(region)
    terms = {item["sku"]: told for item, told in found}
    text = json.dumps(
        {
            "formatVersion": "v1.0",
            "disclaimer": "This pricing list is for informational purposes only.",
            "offerCode": "AmazonSageMaker",
            "version": VERSION,
            "publicationDate": PUBLISHED,
            "products": {item["sku"]: item for item, _ in found},
            "terms": {"OnDemand": terms, "Reserved": {}},
            "attributesList": {},
        }
    )
    return text.replace('"USD"', f'"{currency}"').encode()


def get_products_pages(size: int = 3) -> list[list[str]]:
    """GetProducts' PriceList, in pages."""
    texts = [
        json.dumps(
            {
                "product": item,
                "serviceCode": "AmazonSageMaker",
                "terms": {"OnDemand": told},
                "version": VERSION,
                "publicationDate": PUBLISHED,
            }
        )
        for item, told in offers()
    ]
    return [texts[start : start + size] for start in range(0, len(texts), size)]


class PriceServer(http.server.ThreadingHTTPServer):
    """GET of an offer file's path; POST of GetProducts, page by page."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: PriceServer

    def do_GET(self) -> None:
        body = self.server.files.get(self.path)
        self._answer(404 if body is None else 200, body or b"")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        pages, number = get_products_pages(), int(asked.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
        body = {"FormatVersion": "aws_v1", "PriceList": pages[number], **more}
        self._answer(200, json.dumps(body).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent."""


@contextmanager
def price_server(files: dict[str, bytes]) -> Iterator[PriceServer]:
    """A server on a port of its own, until the block ends."""
    server = PriceServer(files)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
