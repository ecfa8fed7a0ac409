"""Buckets: list, create, head, delete, location, policy and the other settings."""

from __future__ import annotations

import json
from collections.abc import Callable

from sagedock.errors import StoreError
from sagedock.server.messages import Response
from sagedock.server.s3 import tags, xml
from sagedock.server.s3.call import Call, Shelf
from sagedock.server.s3.errors import S3Error, not_implemented
from sagedock.server.s3.objects import check_acl, xml_type
from sagedock.store.buckets import NotEmptyError

_CLASSIC = "us-east-1"
"""The region whose name is not said, and where making one's own bucket again is no error."""

Handler = Callable[[Shelf, Call], Response]


def everyone(shelf: Shelf, call: Call) -> Response:
    """ListBuckets."""
    most = call.number("max-buckets", 10_000, least=1, most=10_000)
    prefix, after = call.query.get("prefix", ""), call.query.get("continuation-token", "")
    found = [bucket for bucket in shelf.buckets.all()
             if bucket.name.startswith(prefix) and bucket.name > after]  # fmt: skip
    page = found[:most]
    region = call.query.get("bucket-region")
    if region:
        page = [bucket for bucket in page if shelf.region_of(bucket.name) == region]
    listed: list[xml.Pair] = [
        ("Bucket", [("Name", bucket.name), ("CreationDate", xml.iso(bucket.created)),
                    ("BucketRegion", shelf.region_of(bucket.name) if "max-buckets" in call.query
                     or region else None)])
        for bucket in page
    ]  # fmt: skip
    pairs: list[xml.Pair] = [
        ("Owner", _owner(shelf)), ("Buckets", listed),
        ("ContinuationToken", page[-1].name if len(found) > most and page else None),
        ("Prefix", prefix or None),
    ]  # fmt: skip
    return Response(headers=xml_type(), body=xml.document("ListAllMyBucketsResult", pairs))


def _owner(shelf: Shelf) -> list[xml.Pair]:
    return [("ID", shelf.account), ("DisplayName", "sagedock")]


def create(shelf: Shelf, call: Call) -> Response:
    """CreateBucket."""
    check_acl(call)
    if (call.header("x-amz-bucket-object-lock-enabled") or "").lower() == "true":
        raise not_implemented("Object lock")
    data, region, kept = call.document(), shelf.region, ""
    if data.strip():
        root = xml.parse(data, "CreateBucketConfiguration")
        region = _region(root.text("LocationConstraint") or shelf.region)
        if root.all("Location") or root.all("Bucket"):
            raise not_implemented("A directory bucket")
        if root.all("Tags"):
            inner = [(tag.need("Key"), tag.need("Value")) for tag in root.all("Tags")[0].all("Tag")]
            kept = tags.checked(inner, 50)
    try:
        is_new = shelf.buckets.create(call.bucket)
    except StoreError:
        raise S3Error("InvalidBucketName", details={"BucketName": call.bucket}) from None
    if not is_new and region != _CLASSIC:
        raise S3Error("BucketAlreadyOwnedByYou", details={"BucketName": call.bucket})
    if is_new:
        shelf.buckets.set(call.bucket, "region", region)
        shelf.buckets.set(call.bucket, "tags", kept or None)
    return Response(headers={"Location": f"/{call.bucket}"})


def _region(text: str) -> str:
    text = {"EU": "eu-west-1"}.get(text, text)
    if not text or len(text) > 64 or not all(part.isalnum() for part in text.split("-")):
        raise S3Error("InvalidLocationConstraint", "The specified location-constraint is not valid")
    return text


def head(shelf: Shelf, call: Call) -> Response:
    """HeadBucket."""
    fields = {"x-amz-bucket-region": shelf.region_of(call.bucket), "Content-Length": "0",
              "x-amz-access-point-alias": "false"}  # fmt: skip
    return Response(headers={**xml_type(), **fields}, bodyless=True)


def delete(shelf: Shelf, call: Call) -> Response:
    """DeleteBucket."""
    try:
        shelf.buckets.delete(call.bucket)
    except NotEmptyError:
        raise S3Error("BucketNotEmpty", details={"BucketName": call.bucket}) from None
    except StoreError as error:
        raise S3Error("MethodNotAllowed", error.message) from None
    return Response(status=204)


def location(shelf: Shelf, call: Call) -> Response:
    """GetBucketLocation."""
    region = shelf.region_of(call.bucket)
    text = "" if region == _CLASSIC else xml.escape(region)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<LocationConstraint xmlns="{xml.NAMESPACE}">{text}</LocationConstraint>'
    )
    return Response(headers=xml_type(), body=body.encode())


# settings that are kept as they were sent


def getter(name: str, missing: str = "", default: bytes = b"") -> Handler:
    """Reads the setting `name`; without one the error `missing`, or `default`."""

    def get(shelf: Shelf, call: Call) -> Response:
        kept = shelf.buckets.setting(call.bucket, name)
        if kept is None and not default:
            raise S3Error(missing, details={"BucketName": call.bucket})
        return Response(headers=xml_type(), body=kept.encode() if kept is not None else default)

    return get


def putter(name: str, root: str, *needed: str, status: int = 200) -> Handler:
    """Keeps a document `root` with at least one of the children `needed` as the setting `name`."""

    def put(shelf: Shelf, call: Call) -> Response:
        data = call.document()
        node = xml.parse(data, root)
        if needed and not any(node.all(child) for child in needed):
            raise S3Error("MalformedXML")
        try:
            shelf.buckets.set(call.bucket, name, data.decode())
        except UnicodeDecodeError:
            raise S3Error("MalformedXML") from None
        return Response(status=status)

    return put


def remover(name: str) -> Handler:
    """Removes the setting `name`."""

    def remove(shelf: Shelf, call: Call) -> Response:
        shelf.buckets.set(call.bucket, name, None)
        return Response(status=204)

    return remove


def put_policy(shelf: Shelf, call: Call) -> Response:
    """PutBucketPolicy: kept, and not applied: there is one account here."""
    data = call.document()
    try:
        policy = json.loads(data)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict) or not policy.get("Statement"):
        raise S3Error("MalformedPolicy", "Policies must be valid JSON and the first byte must be "
                      "'{'")  # fmt: skip
    shelf.buckets.set(call.bucket, "policy", data.decode())
    return Response(status=204)


def get_policy(shelf: Shelf, call: Call) -> Response:
    """GetBucketPolicy."""
    kept = shelf.buckets.setting(call.bucket, "policy")
    if kept is None:
        raise S3Error("NoSuchBucketPolicy", details={"BucketName": call.bucket})
    return Response(headers={"Content-Type": "application/json"}, body=kept.encode())


def policy_status(shelf: Shelf, call: Call) -> Response:
    """GetBucketPolicyStatus: nothing here is public."""
    get_policy(shelf, call)
    body = xml.document("PolicyStatus", [("IsPublic", False)])
    return Response(headers=xml_type(), body=body)


def put_versioning(shelf: Shelf, call: Call) -> Response:
    """PutBucketVersioning: objects have one version here."""
    status = xml.parse(call.document(), "VersioningConfiguration").text("Status")
    if status == "Enabled":
        raise not_implemented("Versioning")
    if status not in {None, "Suspended"}:
        raise S3Error("IllegalVersioningConfigurationException",
                      "The Versioning element must be specified")  # fmt: skip
    return Response()


def put_acl(shelf: Shelf, call: Call) -> Response:
    """PutBucketAcl, PutObjectAcl: only what is so anyway."""
    check_acl(call)
    if call.key:
        shelf.need(call.uri)
    data = call.document()
    if not data.strip():
        if call.header("x-amz-acl") is None:
            raise S3Error("MissingSecurityHeader", "Your request was missing a required header")
        return Response()
    grants = xml.parse(data, "AccessControlPolicy").all("AccessControlList")
    if not grants or any(
        (grant.text("Permission"), (grant.all("Grantee") or [grant])[0].text("ID"))
        != ("FULL_CONTROL", shelf.account)
        for grant in grants[0].all("Grant")
    ):
        raise S3Error("AccessControlListNotSupported")
    return Response()


def get_acl(shelf: Shelf, call: Call) -> Response:
    """GetBucketAcl, GetObjectAcl."""
    if call.key:
        shelf.need(call.uri)
    owner = _owner(shelf)
    grantee: list[xml.Pair] = [("@type", "CanonicalUser"), *owner]
    grant: list[xml.Pair] = [("Grantee", grantee), ("Permission", "FULL_CONTROL")]
    body = xml.document(
        "AccessControlPolicy", [("Owner", owner), ("AccessControlList", [("Grant", grant)])]
    )
    return Response(headers=xml_type(), body=body)


def missing(code: str) -> Handler:
    """The error that says there is none of it."""

    def answer(shelf: Shelf, call: Call) -> Response:
        if call.key:
            shelf.need(call.uri)
        raise S3Error(code)

    return answer


def put_notification(shelf: Shelf, call: Call) -> Response:
    """PutBucketNotificationConfiguration: only that there is none."""
    if any(xml.parse(call.document(), "NotificationConfiguration").children()):
        raise not_implemented("Notification")
    return Response()
