"""Conditions and ranges of requests against an object as it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sagedock.server.s3.errors import NotModifiedError, S3Error, not_implemented
from sagedock.server.s3.facts import etag_of
from sagedock.store.catalog import Check, Entry

_COPY = "x-amz-copy-source-"
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII)


def check_read(headers: Mapping[str, str], entry: Entry, prefix: str = "") -> None:
    """Raise PreconditionFailed, or NotModifiedError, where a GET's conditions do not hold. An ETag
    that matches outweighs a date."""
    etag, modified = etag_of(entry), int(entry.info.modified)
    match, none_match = headers.get(f"{prefix}if-match"), headers.get(f"{prefix}if-none-match")
    if match is not None and not _is_in(etag, match):
        raise _failed("If-Match")
    unmodified = _date(headers.get(f"{prefix}if-unmodified-since"))
    if match is None and unmodified is not None and modified > unmodified:
        raise _failed("If-Unmodified-Since")
    fields = {"ETag": f'"{etag}"'}
    if none_match is not None:
        if _is_in(etag, none_match):
            raise NotModifiedError(fields)
        return
    since = _date(headers.get(f"{prefix}if-modified-since"))
    if since is not None and modified <= since <= datetime.now(UTC).timestamp():
        raise NotModifiedError(fields)


def check_source(headers: Mapping[str, str], entry: Entry) -> None:
    """Raise PreconditionFailed where a copy's conditions on its source do not hold."""
    try:
        check_read(headers, entry, _COPY)
    except NotModifiedError:
        raise _failed("x-amz-copy-source-If-None-Match") from None


def on_write(headers: Mapping[str, str]) -> Check:
    """The conditions under which a request may replace what is there."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if none_match not in {None, "*"}:
        raise not_implemented("If-None-Match with an ETag, for writing,")
    if match and none_match:
        raise not_implemented("If-Match together with If-None-Match")

    def check(old: Entry | None) -> None:
        if none_match and old:
            raise _failed("If-None-Match")
        if match and old is None:
            raise S3Error("NoSuchKey")
        if match and old and not _is_in(etag_of(old), match):
            raise _failed("If-Match")

    return check


def on_delete(match: str | None) -> Check:
    """The condition under which an object may be removed."""

    def check(old: Entry | None) -> None:
        if match and (old is None or not _is_in(etag_of(old), match)):
            raise _failed("If-Match")

    return check


def _failed(condition: str) -> S3Error:
    return S3Error("PreconditionFailed", details={"Condition": condition})


def _is_in(etag: str, listed: str) -> bool:
    names = (name.strip().removeprefix("W/").strip('"') for name in listed.split(","))
    return any(name in {"*", etag} for name in names)


def _date(text: str | None) -> float | None:
    """Seconds since the epoch; None for what is no date, which is to be ignored."""
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def byte_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Offset and size of the range that a header asks for; None where the whole is to be sent, as
    it is for several ranges and for what can't be read. Raises InvalidRange."""
    match = _RANGE.fullmatch(text or "")
    if not match or not any(match.groups()):
        return None
    first, last = match[1][:20], match[2][:20]
    if not first:
        begin, end = max(0, size - int(last)), size - 1
    else:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < begin:
            return None
    if begin > end:
        raise S3Error(
            "InvalidRange",
            details={"RangeRequested": (text or "")[:100], "ActualObjectSize": str(size)},
            headers={"Content-Range": f"bytes */{size}"},
        )
    return begin, end - begin + 1
