"""Writes invocations down where their endpoint's configuration says so (data capture)."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from pathlib import Path

from sagedock.local.hosting.calls.capture import CaptureConfig, Exchange, Spool
from sagedock.local.hosting.calls.delivery import Delivered
from sagedock.local.hosting.calls.invocation import DEFAULT_TYPE, Call


class Scribe:
    """Captures what goes to the endpoints of the data folder `data` and comes from them."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def takes(self, delivered: Delivered) -> bool:
        """Whether this invocation is to be captured: asked once for each."""
        config = CaptureConfig.of(delivered.endpoint.request)
        return config is not None and config.takes_this_one()

    def write(self, delivered: Delivered, call: Call, sent: bytes, got: bytes) -> None:
        """Capture an invocation: `sent` is its body, `got` its answer's. Where that can't be done
        (a full disk) the invocation goes on, as on AWS, and a warning says so."""
        config = CaptureConfig.of(delivered.endpoint.request)
        if config is None:
            return
        exchange = Exchange(
            sent=sent,
            sent_type=call.content_type or DEFAULT_TYPE,
            got=got,
            got_type=delivered.answer.header("Content-Type") or DEFAULT_TYPE,
            attributes=call.attributes,
            inference_id=call.inference_id,
        )
        spool = Spool(self._data / "endpoints" / call.endpoint, call.endpoint)
        line = config.line(exchange, datetime.now(UTC))
        try:
            spool.append(config.destination, delivered.route.variant, line)
        except OSError as error:
            warnings.warn(
                f"An invocation of endpoint {call.endpoint} is not captured: {error}",
                RuntimeWarning,
                stacklevel=3,
            )
