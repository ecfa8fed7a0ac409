"""Multipart uploads: begin, send and copy parts, complete, give up, list."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sagedock.errors import StoreError
from sagedock.server.messages import Response
from sagedock.server.s3 import checksums, xml
from sagedock.server.s3 import facts as known
from sagedock.server.s3 import tags as tagging
from sagedock.server.s3.call import Call, Shelf
from sagedock.server.s3.checksums import Checksum
from sagedock.server.s3.conditions import byte_range, check_source, on_write
from sagedock.server.s3.errors import S3Error, invalid
from sagedock.server.s3.facts import Facts, PartFacts
from sagedock.server.s3.objects import check_acl, checksum_pairs, source_of, xml_type
from sagedock.server.s3.payload import LARGEST, Received
from sagedock.store.files import copy_range
from sagedock.store.uploads import Part, Place, Upload

_PARTS = 10_000
_SMALLEST = 5 << 20
_PAGE = 1000


def create(shelf: Shelf, call: Call) -> Response:
    """CreateMultipartUpload."""
    check_acl(call)
    facts = known.sent(call.request.headers)
    tags = tagging.from_header(call.header("x-amz-tagging"))
    asked, type_ = call.header("x-amz-checksum-algorithm"), call.header("x-amz-checksum-type")
    algorithm = checksums.algorithm(asked) if asked else ""
    if algorithm:
        type_ = type_ or checksums.default_type(algorithm)
        checksums.check_type(algorithm, type_)
    document = {"facts": facts.to_text(), "algorithm": algorithm, "type": type_ or ""}
    upload = shelf.uploads.create(call.uri, json.dumps(document), tags)
    fields = xml_type()
    if algorithm:
        fields |= {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": type_ or ""}
    pairs: list[xml.Pair] = [("Bucket", call.bucket), ("Key", call.key), ("UploadId", upload.id)]
    return Response(headers=fields, body=xml.document("InitiateMultipartUploadResult", pairs))


def _need(shelf: Shelf, call: Call) -> tuple[Upload, dict[str, Any]]:
    upload = shelf.uploads.find(call.uri, call.query["uploadId"])
    if upload is None:
        raise S3Error("NoSuchUpload", details={"UploadId": call.query["uploadId"][:100]})
    return upload, json.loads(upload.document)


def _number(call: Call) -> int:
    if not call.query.get("partNumber"):
        raise invalid("partNumber", "", "This operation needs a part number")
    return call.number("partNumber", 0, least=1, most=_PARTS)


# parts


def put_part(shelf: Shelf, call: Call) -> Response:
    """UploadPart."""
    upload, about = _need(shelf, call)
    number = _number(call)
    with shelf.uploads.place(upload, number, call.payload.size) as place:
        try:
            received = call.payload.receive(place.stream, about["algorithm"] or None)
            place.sync()
            _add(shelf, upload, number, place, received)
        except BaseException:
            shelf.uploads.discard(upload, place)
            raise
    fields = {"ETag": f'"{received.md5}"', "x-amz-server-side-encryption": "AES256"}
    if received.checksum:
        fields[received.checksum.header] = received.checksum.value
    return Response(headers=fields)


def _add(shelf: Shelf, upload: Upload, number: int, place: Place, received: Received) -> Part:
    checksum = received.checksum
    part = Part(
        number=number, file=place.file, offset=place.offset, size=received.size,
        etag=received.md5, modified=time.time(),
        document=json.dumps([checksum.algorithm, checksum.value]) if checksum else "",
    )  # fmt: skip
    try:
        shelf.uploads.add(upload, part)
    except StoreError:
        raise S3Error("NoSuchUpload") from None
    return part


def copy_part(shelf: Shelf, call: Call) -> Response:
    """UploadPartCopy: the kernel copies, and the copy is read once for its MD5."""
    upload, about = _need(shelf, call)
    number, source = _number(call), shelf.need(source_of(shelf, call))
    check_source(call.request.headers, source)
    text = call.header("x-amz-copy-source-range")
    wanted = byte_range(text, source.info.size) if text else (0, source.info.size)
    if wanted is None or sum(wanted) > source.info.size:
        raise invalid("x-amz-copy-source-range", text or "", "The x-amz-copy-source-range value "
                      "must be of the form bytes=first-last")  # fmt: skip
    if wanted[1] > LARGEST:
        raise S3Error("EntityTooLarge")
    with (
        shelf.uploads.place(upload, number, wanted[1]) as place,
        shelf.catalog.path(source).open("rb", buffering=0) as stream,
    ):
        copy_range(stream, *wanted, place.stream)
        place.sync()
        received = _hashed(stream, wanted, about["algorithm"])
        part = _add(shelf, upload, number, place, received)
    pairs: list[xml.Pair] = [
        ("LastModified", xml.iso(part.modified)), ("ETag", f'"{part.etag}"'),
        *checksum_pairs(received.checksum)[:1],
    ]  # fmt: skip
    return Response(headers=xml_type(), body=xml.document("CopyPartResult", pairs))


def _hashed(stream: Any, wanted: tuple[int, int], algorithm: str) -> Received:
    md5 = hashlib.md5(usedforsecurity=False)
    running = checksums.start(algorithm) if algorithm else None
    left = wanted[1]
    stream.seek(wanted[0])
    while left:
        block = stream.read(min(left, 1 << 20))
        if not block:
            raise S3Error("IncompleteBody")
        left -= len(block)
        md5.update(block)
        if running:
            running.update(block)
    checksum = None
    if running:
        value = checksums.encoded(running.digest())
        checksum = Checksum(algorithm=algorithm, value=value)
    return Received(size=wanted[1], md5=md5.hexdigest(), checksum=checksum)


# ends


def complete(shelf: Shelf, call: Call) -> Response:
    """CompleteMultipartUpload."""
    upload, about = _need(shelf, call)
    check = on_write(call.request.headers)
    parts = _chosen(shelf, upload, call.document(has_checksum=False))
    facts = _facts(call, about, parts)
    check(shelf.catalog.entry(call.uri))
    with (
        shelf.uploads.sealed(upload) as sealed,
        shelf.catalog.incoming(upload.uri) as incoming,
    ):
        shelf.uploads.assemble(upload, parts, incoming, sealed=sealed)
        try:
            shelf.catalog.commit(
                incoming, etag=facts.etag, document=facts.to_text(), tags=upload.tags,
                check=check, also=lambda db: shelf.uploads.forget(upload, db),
            )  # fmt: skip
        except StoreError:
            raise S3Error("NoSuchUpload") from None
    shelf.uploads.clean(upload)
    pairs: list[xml.Pair] = [
        ("Location", f"{call.request.scheme}://{call.header('Host') or ''}{call.request.path}"),
        ("Bucket", call.bucket), ("Key", call.key), ("ETag", f'"{facts.etag}"'),
        *checksum_pairs(facts.checksum),
    ]  # fmt: skip
    return Response(
        headers={**xml_type(), "x-amz-server-side-encryption": "AES256"},
        body=xml.document("CompleteMultipartUploadResult", pairs),
    )


def _chosen(shelf: Shelf, upload: Upload, data: bytes) -> list[Part]:
    """The parts that the document names. Raises what S3 says of each way to name them wrongly."""
    named = xml.parse(data, "CompleteMultipartUpload").all("Part")
    if not 0 < len(named) <= _PARTS:
        raise S3Error("MalformedXML")
    there = {part.number: part for part in shelf.uploads.parts(upload)}
    chosen: list[Part] = []
    for node in named:
        text = node.need("PartNumber").strip()
        if not (text.isascii() and text.isdigit()):
            raise S3Error("MalformedXML")
        part = there.get(int(text[:6]))
        if chosen and int(text[:6]) <= chosen[-1].number:
            raise S3Error("InvalidPartOrder")
        etag = (node.text("ETag") or "").strip().strip('"')
        if part is None or etag != part.etag:
            raise S3Error("InvalidPart", details={"PartNumber": text[:6], "ETag": etag[:100]})
        _check_sum(node, part)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < _SMALLEST:
            details = {"ProposedSize": str(part.size), "MinSizeAllowed": str(_SMALLEST)}
            details |= {"PartNumber": str(part.number), "ETag": part.etag}
            raise S3Error("EntityTooSmall", details=details)
    return chosen


def _check_sum(node: xml.Node, part: Part) -> None:
    algorithm, value = json.loads(part.document or '["", ""]')
    for name in checksums.ALGORITHMS:
        given = node.text(f"Checksum{name}")
        if given is not None and (name, given) != (algorithm, value):
            raise S3Error("InvalidPart", details={"PartNumber": str(part.number)})


def _facts(call: Call, about: dict[str, Any], parts: Sequence[Part]) -> Facts:
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"
    sums = [json.loads(part.document or '["", ""]') for part in parts]
    checksum = _whole_checksum(call, about, parts, sums)
    return replace(
        Facts.from_text(about["facts"]),
        etag=etag,
        checksum=checksum,
        parts=[
            PartFacts(number=part.number, size=part.size, checksum=value)
            for part, (_, value) in zip(parts, sums, strict=True)
        ],
    )


def _whole_checksum(
    call: Call, about: dict[str, Any], parts: Sequence[Part], sums: Sequence[list[str]]
) -> Checksum | None:
    algorithm = about["algorithm"] or sums[0][0]
    if not algorithm or any(name != algorithm for name, _ in sums):
        return None
    type_ = about["type"] or checksums.default_type(algorithm)
    pairs = [(value, part.size) for part, (_, value) in zip(parts, sums, strict=True)]
    made = checksums.of_parts(algorithm, type_, pairs)
    given = call.header(made.header)
    if given is not None and given.partition("-")[0] != made.value.partition("-")[0]:
        raise S3Error("BadDigest", f"The {algorithm} you specified did not match the calculated "
                      "checksum.")  # fmt: skip
    return made


def abort(shelf: Shelf, call: Call) -> Response:
    """AbortMultipartUpload."""
    upload, _ = _need(shelf, call)
    try:
        shelf.uploads.abort(upload)
    except StoreError:
        raise S3Error("NoSuchUpload") from None
    return Response(status=204)


# lists


def list_parts(shelf: Shelf, call: Call) -> Response:
    """ListParts."""
    upload, about = _need(shelf, call)
    most = min(call.number("max-parts", _PAGE), _PAGE)
    after = call.number("part-number-marker", 0)
    found = shelf.uploads.parts(upload, after, most + 1)
    page = found[:most]
    pairs: list[xml.Pair] = [
        ("Bucket", call.bucket), ("Key", call.key), ("UploadId", upload.id),
        *people(shelf), ("StorageClass", known.storage_class(Facts.from_text(about["facts"]))),
        ("PartNumberMarker", after),
        ("NextPartNumberMarker", page[-1].number if page else 0),
        ("MaxParts", most), ("IsTruncated", len(found) > most),
        ("ChecksumAlgorithm", about["algorithm"] or None),
        ("ChecksumType", about["type"] or None),
    ]  # fmt: skip
    for part in page:
        algorithm, value = json.loads(part.document or '["", ""]')
        sums: list[xml.Pair] = [(f"Checksum{algorithm}", value)] if algorithm else []
        pairs.append(("Part", [
            ("PartNumber", part.number), ("LastModified", xml.iso(part.modified)),
            ("ETag", f'"{part.etag}"'), ("Size", part.size), *sums,
        ]))  # fmt: skip
    return Response(headers=xml_type(), body=xml.document("ListPartsResult", pairs))


def people(shelf: Shelf) -> list[xml.Pair]:
    """Who has begun an upload, and who owns it."""
    who: list[xml.Pair] = [("ID", shelf.account), ("DisplayName", "sagedock")]
    return [("Initiator", who), ("Owner", who)]
