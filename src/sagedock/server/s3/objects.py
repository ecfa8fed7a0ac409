"""Objects: get, head, put, copy, delete, many deletes, attributes. Must not know routes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from sagedock.errors import StoreError
from sagedock.server.messages import FilePart, Response
from sagedock.server.s3 import facts as known
from sagedock.server.s3 import tags as tagging
from sagedock.server.s3 import xml
from sagedock.server.s3.call import Call, Shelf
from sagedock.server.s3.checksums import Checksum
from sagedock.server.s3.conditions import byte_range, check_read, check_source, on_delete, on_write
from sagedock.server.s3.errors import S3Error, invalid, not_implemented
from sagedock.server.s3.facts import Facts
from sagedock.store.catalog import Entry
from sagedock.store.uri import KEY_LIMIT, S3Uri

_DELETES = 1000


def check_version(version: str | None) -> None:
    """Raise for any version but the one that an object in an unversioned bucket has."""
    if version not in {None, "null"}:
        raise invalid("versionId", version or "", "Invalid version id specified")


# reading


def get(shelf: Shelf, call: Call) -> Response:
    """GetObject."""
    check_version(call.query.get("versionId"))
    found = shelf.catalog.open(call.uri)
    if found is None:
        raise S3Error("NoSuchKey", details={"Key": call.key})
    entry, stream = found
    try:
        return _answer(call, entry, stream)
    except BaseException:
        stream.close()
        raise


def head(shelf: Shelf, call: Call) -> Response:
    """HeadObject."""
    check_version(call.query.get("versionId"))
    return _answer(call, shelf.need(call.uri), None)


def _answer(call: Call, entry: Entry, stream: BinaryIO | None) -> Response:
    facts = known.of(entry)
    check_read(call.request.headers, entry)
    fields = known.header(entry, facts)
    fields.update(_overrides(call.query))
    size, status = entry.info.size, 200
    part = _part_range(call, facts, size)
    wanted = part or byte_range(call.header("Range"), size)
    if part and facts.parts:
        fields["x-amz-mp-parts-count"] = str(len(facts.parts))
    if wanted:
        status = 206
        fields["Content-Range"] = f"bytes {wanted[0]}-{sum(wanted) - 1}/{size}"
        if not wanted[1]:
            del fields["Content-Range"]
    elif facts.checksum and call.header("x-amz-checksum-mode") == "ENABLED":
        fields[facts.checksum.header] = facts.checksum.value
        fields["x-amz-checksum-type"] = facts.checksum.type
    offset, count = wanted or (0, size)
    if stream is None:
        fields["Content-Length"] = str(count)
        return Response(status=status, headers=fields, bodyless=True)
    return Response(
        status=status, headers=fields, body=FilePart(stream=stream, offset=offset, size=count)
    )


def _overrides(query: Mapping[str, str]) -> dict[str, str]:
    """Fields that the URL sets: text there, bytes of UTF-8 in a header."""
    return {
        name: query[f"response-{name}"].encode().decode("latin-1")
        for name in known.OVERRIDES
        if query.get(f"response-{name}")
    }


def _part_range(call: Call, facts: Facts, size: int) -> tuple[int, int] | None:
    """The bytes of `partNumber`; an object that was put as one has one part."""
    if not call.query.get("partNumber"):
        return None
    if call.header("Range"):
        raise S3Error("InvalidRequest", "Cannot specify both Range header and partNumber")
    number = call.number("partNumber", 0, least=1, most=10_000)
    sizes = [part.size for part in facts.parts] or [size]
    if number > len(sizes):
        raise S3Error("InvalidPartNumber", details={"ActualPartCount": str(len(sizes))})
    return sum(sizes[: number - 1]), sizes[number - 1]


_ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


def attributes(shelf: Shelf, call: Call) -> Response:
    """GetObjectAttributes."""
    check_version(call.query.get("versionId"))
    wanted = {
        name.strip() for name in (call.header("x-amz-object-attributes") or "").split(",") if name
    }
    if not wanted or not wanted <= set(_ATTRIBUTES):
        raise invalid(
            "x-amz-object-attributes", ",".join(sorted(wanted)), "Invalid attribute name specified."
        )
    entry = shelf.need(call.uri)
    facts = known.of(entry)
    values: dict[str, xml.Value] = {
        "ETag": facts.etag or entry.info.etag,
        "Checksum": checksum_pairs(facts.checksum) or None,
        "ObjectParts": _parts(call, facts) if facts.parts else None,
        "StorageClass": known.storage_class(facts),
        "ObjectSize": entry.info.size,
    }
    body = xml.document(
        "GetObjectAttributesResponse",
        [(name, values[name]) for name in _ATTRIBUTES if name in wanted],
    )
    fields = known.header(entry, facts)
    return Response(headers={"Last-Modified": fields["Last-Modified"], **xml_type()}, body=body)


def checksum_pairs(checksum: Checksum | None) -> list[xml.Pair]:
    """A checksum as elements."""
    if checksum is None:
        return []
    return [(checksum.element, checksum.value), ("ChecksumType", checksum.type)]


def _parts(call: Call, facts: Facts) -> list[xml.Pair]:
    most = _header_number(call, "x-amz-max-parts", 1000)
    after = _header_number(call, "x-amz-part-number-marker", 0)
    found = [part for part in facts.parts if part.number > after]
    page = found[:most]
    pairs: list[xml.Pair] = [
        ("PartsCount", len(facts.parts)),
        ("PartNumberMarker", after),
        ("NextPartNumberMarker", page[-1].number if page else after),
        ("MaxParts", most),
        ("IsTruncated", len(page) < len(found)),
    ]
    for part in page if facts.checksum and any(part.checksum for part in page) else []:
        name = facts.checksum.element if facts.checksum else ""
        sums: list[xml.Pair] = [(name, part.checksum)]
        pairs.append(("Part", [("PartNumber", part.number), ("Size", part.size), *sums]))
    return pairs


def _header_number(call: Call, name: str, default: int) -> int:
    text = call.header(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()):
        raise invalid(name, text, f"{name} must be a number")
    return int(text[:9])


def xml_type() -> dict[str, str]:
    """The header of an answer in XML."""
    return {"Content-Type": "application/xml"}


# writing


def put(shelf: Shelf, call: Call) -> Response:
    """PutObject."""
    facts, check = known.sent(call.request.headers), on_write(call.request.headers)
    tags = tagging.from_header(call.header("x-amz-tagging"))
    check_acl(call)
    if call.header("if-match") or call.header("if-none-match"):
        check(shelf.catalog.entry(call.uri))  # before the upload, and at its end once more
    with shelf.catalog.incoming(call.uri) as incoming:
        with incoming.open() as stream:
            received = call.payload.receive(stream)
        facts = replace(facts, etag=received.md5, checksum=received.checksum)
        entry = shelf.catalog.commit(
            incoming, etag=received.md5, document=facts.to_text(), tags=tags, check=check
        )
    return Response(headers=_written(entry, facts))


def _written(entry: Entry, facts: Facts) -> dict[str, str]:
    fields = known.header(entry, facts)
    kept = {name: value for name, value in fields.items()
            if name == "ETag" or name.startswith("x-amz-server-side")}  # fmt: skip
    if facts.checksum:
        kept[facts.checksum.header] = facts.checksum.value
        kept["x-amz-checksum-type"] = facts.checksum.type
    return kept


def check_acl(call: Call) -> None:
    """Raise AccessControlListNotSupported for an ACL other than those that change nothing."""
    given = [name for name in call.request.headers if name.startswith("x-amz-grant-")]
    if given or call.header("x-amz-acl") not in {None, "private", "bucket-owner-full-control"}:
        raise S3Error("AccessControlListNotSupported")


def source_of(shelf: Shelf, call: Call) -> S3Uri:
    """The object that `x-amz-copy-source` names. Raises S3Error."""
    text = call.header("x-amz-copy-source") or ""
    path, _, version = text.partition("?versionId=")
    check_version(version or None)
    try:
        bucket, slash, key = unquote_to_bytes(path).decode().removeprefix("/").partition("/")
    except UnicodeDecodeError:
        slash = ""
    if not slash or not 0 < len(key.encode()) <= KEY_LIMIT:
        raise invalid("x-amz-copy-source", text, "Copy Source must mention the source bucket and "
                      "key: sourcebucket/sourcekey")  # fmt: skip
    shelf.check_owner(call.header("x-amz-source-expected-bucket-owner"))
    if not shelf.store.has_bucket(bucket):
        raise S3Error("NoSuchBucket", details={"BucketName": bucket})
    return S3Uri(bucket, key)


def copy(shelf: Shelf, call: Call) -> Response:
    """CopyObject: another name for the same file."""
    source = shelf.need(source_of(shelf, call))
    check_source(call.request.headers, source)
    old, new = known.of(source), known.sent(call.request.headers)
    replaces = _directive(call, "x-amz-metadata-directive")
    if source.info.uri == call.uri and not replaces and not new.fields:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.",
        )
    if not replaces:
        changed = {name: text for name, text in new.fields.items() if name.startswith("x-amz-")}
        new = Facts(fields={**_without_encryption(old.fields), **changed}, metadata=old.metadata)
    tags = source.tags
    if _directive(call, "x-amz-tagging-directive"):
        tags = tagging.from_header(call.header("x-amz-tagging"))
    check_acl(call)
    etag, checksum = old.etag or source.info.etag, _copied_checksum(shelf, call, source, old)
    facts = replace(new, etag=etag, checksum=checksum, parts=old.parts)
    entry = shelf.catalog.copy(
        source, call.uri, etag=etag, document=facts.to_text(), tags=tags,
        check=on_write(call.request.headers),
    )  # fmt: skip
    pairs: list[xml.Pair] = [
        ("LastModified", xml.iso(entry.info.modified)), ("ETag", f'"{etag}"'),
        *checksum_pairs(checksum),
    ]  # fmt: skip
    fields = {key: value for key, value in _written(entry, facts).items() if "server" in key}
    return Response(headers={**fields, **xml_type()}, body=xml.document("CopyObjectResult", pairs))


def _without_encryption(fields: Mapping[str, str]) -> dict[str, str]:
    """S3 copies neither encryption nor storage class."""
    left = ("x-amz-server-side", "x-amz-storage-class")
    return {name: value for name, value in fields.items() if not name.startswith(left)}


def _directive(call: Call, name: str) -> bool:
    text = call.header(name) or "COPY"
    if text not in {"COPY", "REPLACE"}:
        raise invalid(name, text, f"Unknown {name.removeprefix('x-amz-')}.")
    return text == "REPLACE"


def _copied_checksum(shelf: Shelf, call: Call, source: Entry, old: Facts) -> Checksum | None:
    """The source's, or of the algorithm that is asked for."""
    from sagedock.server.s3 import checksums

    asked = call.header("x-amz-checksum-algorithm")
    if not asked or (old.checksum and old.checksum.algorithm == checksums.algorithm(asked)):
        return old.checksum
    algorithm = checksums.algorithm(asked)
    running = checksums.start(algorithm)
    with shelf.catalog.path(source).open("rb", buffering=0) as stream:
        while block := stream.read(1 << 20):
            running.update(block)
    return Checksum(algorithm=algorithm, value=checksums.encoded(running.digest()))


def delete(shelf: Shelf, call: Call) -> Response:
    """DeleteObject."""
    check_version(call.query.get("versionId"))
    for name in ("x-amz-if-match-last-modified-time", "x-amz-if-match-size"):
        if call.header(name):
            raise not_implemented(name)
    shelf.catalog.delete(call.uri, on_delete(call.header("if-match")))
    return Response(status=204)


def delete_many(shelf: Shelf, call: Call) -> Response:
    """DeleteObjects."""
    root = xml.parse(call.document(), "Delete")
    objects = root.all("Object")
    if not 0 < len(objects) <= _DELETES:
        raise S3Error("MalformedXML")
    quiet = (root.text("Quiet") or "").strip() == "true"
    pairs: list[xml.Pair] = []
    for item in objects:
        key = item.need("Key")
        error = _deleted(shelf, S3Uri(call.bucket, key), item)
        if error:
            fault: list[xml.Pair] = [("Code", error.code), ("Message", error.message)]
            pairs.append(("Error", [("Key", key), *fault]))
        elif not quiet:
            pairs.append(("Deleted", [("Key", key)]))
    return Response(headers=xml_type(), body=xml.document("DeleteResult", pairs))


def _deleted(shelf: Shelf, uri: S3Uri, item: xml.Node) -> S3Error | None:
    if not uri.key:
        return S3Error("UserKeyMustBeSpecified", "The key is empty.")
    try:
        check_version(item.text("VersionId"))
        shelf.catalog.delete(uri, on_delete(item.text("ETag")))
    except S3Error as error:
        return error
    except StoreError as error:
        return S3Error("InvalidRequest", re.sub(r"\s+", " ", str(error)))
    return None
