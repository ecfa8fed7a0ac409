"""Which operation a request means, by method, level and the parameter that names a part of it."""

from __future__ import annotations

from sagedock.server.s3 import bucket_calls as buckets
from sagedock.server.s3 import forms, listing, multipart, objects, tags, xml
from sagedock.server.s3.bucket_calls import Handler
from sagedock.server.s3.call import Call
from sagedock.server.s3.errors import S3Error, not_implemented

_ENCRYPTION = xml.document(
    "ServerSideEncryptionConfiguration",
    [("Rule", [("ApplyServerSideEncryptionByDefault", [("SSEAlgorithm", "AES256")]),
               ("BucketKeyEnabled", False)])],
)  # fmt: skip
_BLOCKED = xml.document(
    "PublicAccessBlockConfiguration",
    [("BlockPublicAcls", True), ("IgnorePublicAcls", True), ("BlockPublicPolicy", True),
     ("RestrictPublicBuckets", True)],
)  # fmt: skip
_OWNERSHIP = xml.document(
    "OwnershipControls", [("Rule", [("ObjectOwnership", "BucketOwnerEnforced")])]
)
_PAYER = xml.document("RequestPaymentConfiguration", [("Payer", "BucketOwner")])


def _empty(name: str) -> bytes:
    return xml.document(name, [])


BUCKET: dict[tuple[str, str], Handler] = {
    ("PUT", ""): buckets.create,
    ("HEAD", ""): buckets.head,
    ("DELETE", ""): buckets.delete,
    ("GET", ""): listing.objects_v1,
    ("GET", "list-type"): listing.objects_v2,
    ("GET", "versions"): listing.versions,
    ("GET", "uploads"): listing.uploads,
    ("POST", ""): forms.post,
    ("POST", "delete"): objects.delete_many,
    ("GET", "location"): buckets.location,
    ("GET", "tagging"): tags.get_of_bucket,
    ("PUT", "tagging"): tags.put_of_bucket,
    ("DELETE", "tagging"): tags.delete_of_bucket,
    ("GET", "acl"): buckets.get_acl,
    ("PUT", "acl"): buckets.put_acl,
    ("GET", "policy"): buckets.get_policy,
    ("PUT", "policy"): buckets.put_policy,
    ("DELETE", "policy"): buckets.remover("policy"),
    ("GET", "policyStatus"): buckets.policy_status,
    ("GET", "versioning"): buckets.getter("versioning", default=_empty("VersioningConfiguration")),
    ("PUT", "versioning"): buckets.put_versioning,
    ("GET", "encryption"): buckets.getter("encryption", default=_ENCRYPTION),
    ("PUT", "encryption"): buckets.putter(
        "encryption", "ServerSideEncryptionConfiguration", "Rule"
    ),
    ("DELETE", "encryption"): buckets.remover("encryption"),
    ("GET", "lifecycle"): buckets.getter("lifecycle", "NoSuchLifecycleConfiguration"),
    ("PUT", "lifecycle"): buckets.putter("lifecycle", "LifecycleConfiguration", "Rule"),
    ("DELETE", "lifecycle"): buckets.remover("lifecycle"),
    ("GET", "publicAccessBlock"): buckets.getter("publicAccessBlock", default=_BLOCKED),
    ("PUT", "publicAccessBlock"): buckets.putter(
        "publicAccessBlock", "PublicAccessBlockConfiguration"
    ),
    ("DELETE", "publicAccessBlock"): buckets.remover("publicAccessBlock"),
    ("GET", "ownershipControls"): buckets.getter("ownershipControls", default=_OWNERSHIP),
    ("PUT", "ownershipControls"): buckets.putter(
        "ownershipControls", "OwnershipControls", "Rule"
    ),
    ("DELETE", "ownershipControls"): buckets.remover("ownershipControls"),
    ("GET", "cors"): buckets.getter("cors", "NoSuchCORSConfiguration"),
    ("PUT", "cors"): buckets.putter("cors", "CORSConfiguration", "CORSRule"),
    ("DELETE", "cors"): buckets.remover("cors"),
    ("GET", "website"): buckets.missing("NoSuchWebsiteConfiguration"),
    ("GET", "logging"): buckets.getter("logging", default=_empty("BucketLoggingStatus")),
    ("GET", "notification"): buckets.getter(
        "notification", default=_empty("NotificationConfiguration")
    ),
    ("PUT", "notification"): buckets.put_notification,
    ("GET", "requestPayment"): buckets.getter("requestPayment", default=_PAYER),
    ("GET", "accelerate"): buckets.getter("accelerate", default=_empty("AccelerateConfiguration")),
    ("GET", "object-lock"): buckets.missing("ObjectLockConfigurationNotFoundError"),
    ("GET", "replication"): buckets.missing("ReplicationConfigurationNotFoundError"),
}  # fmt: skip

OBJECT: dict[tuple[str, str], Handler] = {
    ("GET", ""): objects.get,
    ("HEAD", ""): objects.head,
    ("PUT", ""): objects.put,
    ("DELETE", ""): objects.delete,
    ("GET", "attributes"): objects.attributes,
    ("GET", "tagging"): tags.get_of_object,
    ("PUT", "tagging"): tags.put_of_object,
    ("DELETE", "tagging"): tags.delete_of_object,
    ("GET", "acl"): buckets.get_acl,
    ("PUT", "acl"): buckets.put_acl,
    ("POST", "uploads"): multipart.create,
    ("PUT", "uploadId"): multipart.put_part,
    ("POST", "uploadId"): multipart.complete,
    ("DELETE", "uploadId"): multipart.abort,
    ("GET", "uploadId"): multipart.list_parts,
    ("GET", "retention"): buckets.missing("NoSuchObjectLockConfiguration"),
    ("GET", "legal-hold"): buckets.missing("NoSuchObjectLockConfiguration"),
}

_COPIES: dict[Handler, Handler] = {
    objects.put: objects.copy,
    multipart.put_part: multipart.copy_part,
}
"""What a request means that names a source."""

_PARTS = (
    "uploadId", "uploads", "delete", "versions", "acl", "tagging", "policy", "policyStatus",
    "versioning", "encryption", "lifecycle", "publicAccessBlock", "ownershipControls", "cors",
    "website", "logging", "notification", "requestPayment", "accelerate", "object-lock",
    "replication", "location", "attributes", "retention", "legal-hold", "torrent", "restore",
    "select", "inventory", "metrics", "analytics", "intelligent-tiering", "metadataTable",
    "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "session",
    "renameObject", "abac", "encryption-context", "annotation", "list-type",
)  # fmt: skip
"""Parameters that name a part of a bucket or an object, S3's others (`prefix` …) left out."""

_METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})


def handler(call: Call) -> Handler:
    """The operation. Raises NotImplemented, MethodNotAllowed."""
    method, part = call.request.method, next((name for name in _PARTS if name in call.query), "")
    if method not in _METHODS:
        raise S3Error("MethodNotAllowed", details={"Method": method[:20]})
    if not call.bucket:
        if method != "GET" or part:
            raise S3Error("MethodNotAllowed", details={"Method": method})
        return buckets.everyone
    table = OBJECT if call.key else BUCKET
    if call.key and part == "list-type":
        part = ""
    found = table.get((method, part))
    if found is None and part:
        raise not_implemented(f"{method} of {part!r}")
    if found is None:
        raise S3Error("MethodNotAllowed", details={"Method": method})
    return _COPIES.get(found, found) if call.header("x-amz-copy-source") else found
