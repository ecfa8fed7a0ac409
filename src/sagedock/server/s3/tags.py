"""Tags of objects and buckets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import parse_qsl

from sagedock.server.messages import Response
from sagedock.server.s3 import xml
from sagedock.server.s3.call import Call, Shelf
from sagedock.server.s3.errors import S3Error, invalid

_OF_OBJECT, _OF_BUCKET = 10, 50
_NAME, _VALUE = 128, 256


def from_header(text: str | None) -> str:
    """Tags as they are kept, from a header's `a=b&c=d`. Raises InvalidTag."""
    if not text:
        return ""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise invalid("x-amz-tagging", text, "The header is no list of tags.") from None
    return checked(pairs, _OF_OBJECT)


def from_document(data: bytes, most: int) -> str:
    """Tags as they are kept, from a Tagging document. Raises MalformedXML, InvalidTag."""
    sets = xml.parse(data, "Tagging").all("TagSet")
    if len(sets) != 1:
        raise S3Error("MalformedXML")
    return checked([(tag.need("Key"), tag.need("Value")) for tag in sets[0].all("Tag")], most)


def checked(pairs: Sequence[tuple[str, str]], most: int) -> str:
    """Up to `most` tags as they are kept. Raises InvalidTag, BadRequest."""
    if len(pairs) > most:
        raise S3Error("BadRequest", f"Object tags cannot be greater than {most}")
    if len({name for name, _ in pairs}) < len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key")
    for name, value in pairs:
        if not 0 < len(name) <= _NAME:
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid")
        if len(value) > _VALUE:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid")
        if name.startswith("aws:"):
            raise S3Error("InvalidTag", "System tags cannot be added/updated by requester")
    return json.dumps(list(pairs)) if pairs else ""


def document(kept: str) -> bytes:
    """The Tagging document."""
    found: list[xml.Pair] = [
        ("Tag", [("Key", name), ("Value", value)]) for name, value in json.loads(kept or "[]")
    ]
    return xml.document("Tagging", [("TagSet", found)])


def _answer(kept: str) -> Response:
    return Response(headers={"Content-Type": "application/xml"}, body=document(kept))


def get_of_object(shelf: Shelf, call: Call) -> Response:
    """GetObjectTagging."""
    return _answer(shelf.need(call.uri).tags)


def put_of_object(shelf: Shelf, call: Call) -> Response:
    """PutObjectTagging."""
    tags = from_document(call.document(), _OF_OBJECT)
    shelf.catalog.set_tags(shelf.need(call.uri), tags)
    return Response()


def delete_of_object(shelf: Shelf, call: Call) -> Response:
    """DeleteObjectTagging."""
    shelf.catalog.set_tags(shelf.need(call.uri), "")
    return Response(status=204)


def get_of_bucket(shelf: Shelf, call: Call) -> Response:
    """GetBucketTagging."""
    kept = shelf.buckets.setting(call.bucket, "tags")
    if not kept:
        raise S3Error("NoSuchTagSet", details={"BucketName": call.bucket})
    return _answer(kept)


def put_of_bucket(shelf: Shelf, call: Call) -> Response:
    """PutBucketTagging."""
    tags = from_document(call.document(), _OF_BUCKET)
    shelf.buckets.set(call.bucket, "tags", tags or None)
    return Response(status=204)


def delete_of_bucket(shelf: Shelf, call: Call) -> Response:
    """DeleteBucketTagging."""
    shelf.buckets.set(call.bucket, "tags", None)
    return Response(status=204)
