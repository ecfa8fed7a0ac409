"""Lists of a bucket: objects (both versions of the call), versions, uploads.

With a delimiter only one look-up is made for each common prefix, however many keys lie below it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from sagedock.server.messages import Response
from sagedock.server.s3 import facts as known
from sagedock.server.s3 import xml
from sagedock.server.s3.call import Call, Shelf
from sagedock.server.s3.errors import invalid
from sagedock.server.s3.multipart import people
from sagedock.server.s3.objects import xml_type
from sagedock.store.catalog import Entry
from sagedock.store.uploads import Upload
from sagedock.store.uri import KEY_LIMIT, S3Uri

_MOST = 1000
_FEW = 4
"""Rows that are asked for at first where the next may begin a common prefix, and all that lies
below it is to be passed over."""

_LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A page: objects and common prefixes in their common order, and whether there are more."""

    items: Sequence[Entry | str]
    is_truncated: bool

    @property
    def last(self) -> str:
        """The key or prefix behind which the next page begins."""
        item = self.items[-1]
        return item if isinstance(item, str) else item.info.uri.key


def successor(text: str) -> str | None:
    """The least text that comes behind all that begin with `text`, in the order of UTF-8's bytes;
    None where there is none."""
    while text:
        code = ord(text[-1]) + 1
        if code in _SURROGATES:
            code = _SURROGATES.stop
        if code <= _LAST:
            return text[:-1] + chr(code)
        text = text[:-1]
    return None


def find(shelf: Shelf, prefix: S3Uri, delimiter: str, after: str, most: int) -> Found:
    """Up to `most` objects and common prefixes behind the key `after`."""
    items: list[Entry | str] = []
    start: str | None = after
    is_after = bool(after)
    if delimiter and after.startswith(prefix.key):
        end = after.find(delimiter, len(prefix.key))
        if end >= 0:  # all of that common prefix has been told, or is to be passed over
            start, is_after = successor(after[: end + len(delimiter)]), False
    step = _FEW if delimiter else most + 1
    while start is not None and most:
        wanted = min(step, most - len(items) + 1)
        page = shelf.catalog.page(prefix, start, wanted, after=is_after)
        start, step = None, step * 4
        for entry in page:
            common = _common(entry.info.uri.key, prefix.key, delimiter)
            if len(items) == most:
                return Found(items=items, is_truncated=True)
            items.append(common or entry)
            if common:
                start, is_after, step = successor(common), False, _FEW
                break
        else:
            if len(page) == wanted:
                start, is_after = page[-1].info.uri.key, True
    return Found(items=items, is_truncated=False)


def _common(key: str, prefix: str, delimiter: str) -> str | None:
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return key[: end + len(delimiter)] if end >= 0 else None


def _encoder(call: Call) -> Callable[[str], str]:
    encoding = call.query.get("encoding-type")
    if encoding not in {None, "", "url"}:
        raise invalid("encoding-type", encoding or "", "Invalid Encoding Method specified in "
                      "Request")  # fmt: skip
    return (lambda text: quote(text, safe="/*-._")) if encoding else str


def _most(call: Call, name: str = "max-keys") -> int:
    return min(call.number(name, _MOST), _MOST)


def _marker(text: str) -> str:
    """A key to begin behind; what is longer than a key can be is cut."""
    return text[: KEY_LIMIT + 1]


# objects


def objects_v2(shelf: Shelf, call: Call) -> Response:
    """ListObjectsV2."""
    if call.query.get("list-type") != "2":
        raise invalid("list-type", call.query.get("list-type", ""), "list-type must be 2")
    encode, most = _encoder(call), _most(call)
    token = call.query.get("continuation-token")
    after = _untoken(token) if token is not None else call.query.get("start-after", "")
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    found = find(shelf, S3Uri(call.bucket, prefix), delimiter, _marker(after), most)
    start_after = call.query.get("start-after")
    pairs: list[xml.Pair] = [
        ("Name", call.bucket), ("Prefix", encode(prefix)),
        ("Delimiter", encode(delimiter) if delimiter else None),
        ("StartAfter", encode(start_after) if start_after else None),
        ("ContinuationToken", token or None),
        ("NextContinuationToken", _token(found.last) if found.is_truncated else None),
        ("KeyCount", len(found.items)), ("MaxKeys", most),
        ("EncodingType", call.query.get("encoding-type") or None),
        ("IsTruncated", found.is_truncated),
    ]  # fmt: skip
    owner = call.query.get("fetch-owner") == "true"
    pairs += _items(shelf, found, encode, owner=owner)
    return Response(headers=xml_type(), body=xml.document("ListBucketResult", pairs))


def objects_v1(shelf: Shelf, call: Call) -> Response:
    """ListObjects."""
    encode, most = _encoder(call), _most(call)
    marker, prefix = call.query.get("marker", ""), call.query.get("prefix", "")
    delimiter = call.query.get("delimiter", "")
    found = find(shelf, S3Uri(call.bucket, prefix), delimiter, _marker(marker), most)
    pairs: list[xml.Pair] = [
        ("Name", call.bucket), ("Prefix", encode(prefix)), ("Marker", encode(marker)),
        ("NextMarker", encode(found.last) if found.is_truncated and delimiter else None),
        ("MaxKeys", most), ("Delimiter", encode(delimiter) if delimiter else None),
        ("EncodingType", call.query.get("encoding-type") or None),
        ("IsTruncated", found.is_truncated),
    ]  # fmt: skip
    pairs += _items(shelf, found, encode, owner=True)
    return Response(headers=xml_type(), body=xml.document("ListBucketResult", pairs))


def _items(
    shelf: Shelf, found: Found, encode: Callable[[str], str], *, owner: bool, tag: str = "Contents"
) -> list[xml.Pair]:
    who = people(shelf)[1:] if owner else []
    contents: list[xml.Pair] = [
        (tag, _content(item, encode, who)) for item in found.items if not isinstance(item, str)
    ]
    return contents + [
        ("CommonPrefixes", [("Prefix", encode(item))])
        for item in found.items
        if isinstance(item, str)
    ]


def _content(entry: Entry, encode: Callable[[str], str], who: list[xml.Pair]) -> list[xml.Pair]:
    facts = known.of(entry)
    sums: list[xml.Pair] = []
    if facts.checksum:
        sums = [("ChecksumAlgorithm", facts.checksum.algorithm),
                ("ChecksumType", facts.checksum.type)]  # fmt: skip
    return [
        ("Key", encode(entry.info.uri.key)), ("LastModified", xml.iso(entry.info.modified)),
        ("ETag", f'"{facts.etag or entry.info.etag}"'), *sums, ("Size", entry.info.size), *who,
        ("StorageClass", known.storage_class(facts)),
    ]  # fmt: skip


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _untoken(token: str) -> str:
    try:
        key = base64.b64decode(token.encode(), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = ""
    if not key:
        raise invalid("continuation-token", token, "The continuation token provided is incorrect")
    return key


def versions(shelf: Shelf, call: Call) -> Response:
    """ListObjectVersions: each object has one, `null`."""
    encode, most = _encoder(call), _most(call)
    prefix, marker = call.query.get("prefix", ""), call.query.get("key-marker", "")
    delimiter = call.query.get("delimiter", "")
    if call.query.get("version-id-marker") and not marker:
        raise invalid("version-id-marker", call.query["version-id-marker"], "A version-id marker "
                      "cannot be specified without a key marker.")  # fmt: skip
    found = find(shelf, S3Uri(call.bucket, prefix), delimiter, _marker(marker), most)
    more = found.is_truncated
    next_version = "null" if more and not isinstance(found.items[-1], str) else None
    pairs: list[xml.Pair] = [
        ("Name", call.bucket), ("Prefix", encode(prefix)), ("KeyMarker", encode(marker)),
        ("VersionIdMarker", call.query.get("version-id-marker", "")),
        ("NextKeyMarker", encode(found.last) if more else None),
        ("NextVersionIdMarker", next_version), ("MaxKeys", most),
        ("Delimiter", encode(delimiter) if delimiter else None),
        ("EncodingType", call.query.get("encoding-type") or None),
        ("IsTruncated", more),
    ]  # fmt: skip
    for name, value in _items(shelf, found, encode, owner=True, tag="Version"):
        mark: list[xml.Pair] = [("VersionId", "null"), ("IsLatest", True)]
        is_version = name == "Version" and isinstance(value, list)
        pairs.append((name, [*value, *mark] if is_version and isinstance(value, list) else value))
    return Response(headers=xml_type(), body=xml.document("ListVersionsResult", pairs))


# uploads


def uploads(shelf: Shelf, call: Call) -> Response:
    """ListMultipartUploads."""
    encode, most = _encoder(call), _most(call, "max-uploads")
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    key, id_ = call.query.get("key-marker", ""), call.query.get("upload-id-marker", "")
    items, more = _find_uploads(shelf, S3Uri(call.bucket, prefix), delimiter, (key, id_), most)
    last = items[-1] if more else None
    pairs: list[xml.Pair] = [
        ("Bucket", call.bucket), ("KeyMarker", encode(key)), ("UploadIdMarker", id_),
        ("NextKeyMarker", encode(last if isinstance(last, str) else last.uri.key)
         if last is not None else None),
        ("NextUploadIdMarker", last.id if isinstance(last, Upload) else None),
        ("Prefix", encode(prefix)), ("Delimiter", encode(delimiter) if delimiter else None),
        ("EncodingType", call.query.get("encoding-type") or None),
        ("MaxUploads", most), ("IsTruncated", more),
    ]  # fmt: skip
    for item in items:
        if isinstance(item, Upload):
            pairs.append(("Upload", [
                ("Key", encode(item.uri.key)), ("UploadId", item.id), *people(shelf),
                ("StorageClass", "STANDARD"), ("Initiated", xml.iso(item.created)),
            ]))  # fmt: skip
    pairs += [("CommonPrefixes", [("Prefix", encode(item))])
              for item in items if isinstance(item, str)]  # fmt: skip
    return Response(headers=xml_type(), body=xml.document("ListMultipartUploadsResult", pairs))


def _find_uploads(
    shelf: Shelf, prefix: S3Uri, delimiter: str, marker: tuple[str, str], most: int
) -> tuple[list[Upload | str], bool]:
    items: list[Upload | str] = []
    key, id_ = marker
    while page := shelf.uploads.page(prefix, key, id_, _MOST):
        for upload in page:
            key, id_ = upload.uri.key, upload.id
            common = _common(key, prefix.key, delimiter)
            if common and ((items and items[-1] == common) or marker[0].startswith(common)):
                continue
            if len(items) == most:
                return items, bool(most)
            items.append(common or upload)
    return items, False
