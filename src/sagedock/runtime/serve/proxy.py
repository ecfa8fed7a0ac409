"""Passes one request on to a model's process and its answer back, in parts as they come.

HTTP/1.1 over a Unix socket, one connection a request. Must not know models.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sagedock.runtime.serve.app import Receive, Scope, Send
from sagedock.runtime.serve.problems import Refusal

_HOP = frozenset((b"connection", b"transfer-encoding", b"content-length", b"host", b"expect"))


async def forward(address: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Raises Refusal 503 when the model's process is gone."""
    try:
        reader, writer = await asyncio.open_unix_connection(address)
    except OSError:
        raise Refusal(503, "The model's process has ended; load the model again.") from None
    try:
        writer.write(_head(scope))
        await _send_body(receive, writer)
        await _Answer(send).follow(reader)
    finally:
        writer.close()


def _head(scope: Scope) -> bytes:
    lines = [b"POST /invocations HTTP/1.1", b"host: model", b"connection: close"]
    lines += [name + b": " + value for name, value in scope["headers"] if name not in _HOP]
    return b"\r\n".join([*lines, b"transfer-encoding: chunked", b"", b""])


async def _send_body(receive: Receive, writer: asyncio.StreamWriter) -> None:
    """Chunked. A process that refuses early (413) closes: its answer is read all the same."""
    try:
        while True:
            message = await receive()
            part = message.get("body", b"")
            if part:
                writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                await writer.drain()
            if not message.get("more_body"):
                writer.write(b"0\r\n\r\n")
                return
    except ConnectionError:
        return


class _Answer:
    """httptools' callbacks: the model's answer as ASGI messages."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._headers: list[tuple[bytes, bytes]] = []
        self._messages: list[dict[str, Any]] = []
        self._parser: Any = None
        self._complete = False

    async def follow(self, reader: asyncio.StreamReader) -> None:
        import httptools

        self._parser = httptools.HttpResponseParser(self)
        started = False
        while not self._complete:
            data = await _read(reader)
            if not data:
                break
            self._parser.feed_data(data)
            for message in self._messages:
                started = True
                await self._send(message)
            self._messages.clear()
        if not started:
            raise Refusal(503, "The model's process ended before it answered.")
        if not self._complete:
            raise ConnectionResetError("the model's process ended in the middle of its answer")
        await self._send({"type": "http.response.body", "body": b""})

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() not in (b"connection", b"transfer-encoding"):
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._messages.append({
            "type": "http.response.start",
            "status": self._parser.get_status_code(),
            "headers": self._headers,
        })  # fmt: skip

    def on_body(self, body: bytes) -> None:
        self._messages.append({"type": "http.response.body", "body": body, "more_body": True})

    def on_message_complete(self) -> None:
        self._complete = True


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Nothing at the end, and nothing too when the other side broke off."""
    try:
        return await reader.read(1 << 16)
    except ConnectionError:
        return b""
