"""What S3 knows of an object besides its bytes: header fields, metadata, checksum, parts. Pure.

Read from a request, kept as JSON in the store, written to a response's header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from sagedock.server.s3.checksums import Checksum
from sagedock.server.s3.errors import S3Error, invalid, not_implemented
from sagedock.store.catalog import Entry

DEFAULT_TYPE = "binary/octet-stream"
META = "x-amz-meta-"
_KEPT = (
    "content-type", "cache-control", "content-disposition", "content-encoding",
    "content-language", "expires", "x-amz-website-redirect-location", "x-amz-storage-class",
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled", "x-amz-server-side-encryption-context",
)  # fmt: skip
_CLASSES = frozenset((
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING",
    "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS",
))  # fmt: skip
_UNSUPPORTED = (
    "x-amz-server-side-encryption-customer-", "x-amz-object-lock-", "x-amz-write-offset-bytes",
    "x-amz-copy-source-server-side-encryption-customer-",
)  # fmt: skip
_METADATA_LIMIT = 2048
OVERRIDES = ("content-type", "content-language", "expires", "cache-control",
             "content-disposition", "content-encoding")  # fmt: skip
"""Fields that a GET may ask for by `response-` parameters."""


@dataclass(frozen=True, kw_only=True)
class PartFacts:
    """A part of a multipart object: its number, bytes and checksum ('' for none)."""

    number: int
    size: int
    checksum: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`fields` and `metadata` by lower-case names; `etag` without quotes, '' where only the store
    has one."""

    fields: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    checksum: Checksum | None = None
    parts: Sequence[PartFacts] = ()

    def to_text(self) -> str:
        """As it is kept."""
        document: dict[str, Any] = {"etag": self.etag}
        if self.fields:
            document["fields"] = dict(self.fields)
        if self.metadata:
            document["metadata"] = dict(self.metadata)
        if self.checksum:
            document["checksum"] = [
                self.checksum.algorithm, self.checksum.value, self.checksum.type
            ]  # fmt: skip
        if self.parts:
            document["parts"] = [[part.number, part.size, part.checksum] for part in self.parts]
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Facts:
        """What `to_text` has made; '' is an object that others have written."""
        if not text:
            return cls()
        document = json.loads(text)
        checksum = document.get("checksum")
        return cls(
            fields=document.get("fields", {}),
            metadata=document.get("metadata", {}),
            etag=document["etag"],
            checksum=checksum
            and Checksum(algorithm=checksum[0], value=checksum[1], type=checksum[2]),
            parts=[
                PartFacts(number=number, size=size, checksum=value)
                for number, size, value in document.get("parts", ())
            ],
        )


def of(entry: Entry) -> Facts:
    """What is known of `entry`."""
    return Facts.from_text(entry.document)


def etag_of(entry: Entry) -> str:
    """The object's ETag, without quotes."""
    return of(entry).etag or entry.info.etag


def sent(headers: Mapping[str, str]) -> Facts:
    """What a request says of the object that it makes. Raises S3Error."""
    for name in headers:
        if name.startswith(_UNSUPPORTED):
            raise not_implemented(name)
    fields = {name: headers[name] for name in _KEPT if headers.get(name)}
    coding = [part.strip() for part in fields.pop("content-encoding", "").split(",")]
    coding = [part for part in coding if part and part.lower() != "aws-chunked"]
    if coding:
        fields["content-encoding"] = ",".join(coding)
    _check(fields)
    metadata = {
        name[len(META) :]: value for name, value in headers.items() if name.startswith(META)
    }
    size = sum(len(name) + len(value) for name, value in metadata.items())
    if size > _METADATA_LIMIT:
        details = {"Size": str(size), "MaxSizeAllowed": str(_METADATA_LIMIT)}
        raise S3Error("MetadataTooLarge", details=details)
    return Facts(fields=fields, metadata=metadata)


def _check(fields: Mapping[str, str]) -> None:
    storage = fields.get("x-amz-storage-class", "STANDARD")
    if storage not in _CLASSES:
        raise S3Error("InvalidStorageClass", "The storage class you specified is not valid")
    encryption = fields.get("x-amz-server-side-encryption", "AES256")
    if encryption not in {"AES256", "aws:kms", "aws:kms:dsse", "aws:fsx"}:
        raise invalid(
            "x-amz-server-side-encryption",
            encryption,
            "The encryption method specified is not supported",
        )


def header(entry: Entry, facts: Facts) -> dict[str, str]:
    """Header fields that tell of the object; size and checksum are not among them."""
    fields = {
        "ETag": f'"{facts.etag or entry.info.etag}"',
        "Last-Modified": formatdate(int(entry.info.modified), usegmt=True),
        "Accept-Ranges": "bytes",
        "content-type": DEFAULT_TYPE,
        "x-amz-server-side-encryption": "AES256",
        **facts.fields,
        **{META + name: value for name, value in facts.metadata.items()},
    }
    if fields.get("x-amz-storage-class") == "STANDARD":
        del fields["x-amz-storage-class"]
    fields.pop("x-amz-server-side-encryption-context", None)
    if entry.tags:
        fields["x-amz-tagging-count"] = str(len(json.loads(entry.tags)))
    return fields


def storage_class(facts: Facts) -> str:
    """The class that lists show."""
    return facts.fields.get("x-amz-storage-class", "STANDARD")
