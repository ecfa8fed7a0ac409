"""S3's errors: its code, its words, its HTTP status. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sagedock.errors import SagedockError

_KNOWN: dict[str, tuple[int, str]] = {
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
    "AccessDenied": (403, "Access Denied"),
    "BadDigest": (400, "The Content-MD5 you specified did not match what we received."),
    "BucketAlreadyExists": (409, "The requested bucket name is not available."),
    "BucketAlreadyOwnedByYou": (
        409, "Your previous request to create the named bucket succeeded and you already own it."),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (
        400, "Your proposed upload is smaller than the minimum allowed size"),
    "IncompleteBody": (
        400, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    "InsufficientStorage": (507, "The disk of this machine is full."),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidDigest": (400, "The Content-MD5 you specified is not valid."),
    "InvalidPart": (
        400, "One or more of the specified parts could not be found.  The part may not have been "
        "uploaded, or the specified entity tag may not match the part's entity tag."),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (
        400, "The list of parts was not in ascending order. Parts must be ordered by part number."),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidRequest": (400, "Invalid Request"),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedPOSTRequest": (
        400, "The body of your POST request is not well-formed multipart/form-data."),
    "MalformedXML": (
        400, "The XML you provided was not well-formed or did not validate against our published "
        "schema"),
    "MetadataTooLarge": (
        400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist"),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist"),
    "NoSuchObjectLockConfiguration": (
        404, "The specified object does not have a ObjectLock configuration"),
    "NoSuchPublicAccessBlockConfiguration": (
        404, "The public access block configuration was not found"),
    "NoSuchTagSet": (404, "The TagSet does not exist"),
    "NoSuchUpload": (
        404, "The specified upload does not exist. The upload ID may be invalid, or the upload may "
        "have been aborted or completed."),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NoSuchWebsiteConfiguration": (
        404, "The specified bucket does not have a website configuration"),
    "NotImplemented": (
        501, "A header you provided implies functionality that is not implemented"),
    "ObjectLockConfigurationNotFoundError": (
        404, "Object Lock configuration does not exist for this bucket"),
    "OperationAborted": (
        409, "A conflicting conditional operation is currently in progress against this resource. "
        "Please try again."),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found"),
    "PreconditionFailed": (
        412, "At least one of the pre-conditions you specified did not hold"),
    "ReplicationConfigurationNotFoundError": (
        404, "The replication configuration was not found"),
    "ServerSideEncryptionConfigurationNotFoundError": (
        404, "The server side encryption configuration was not found"),
    "SignatureDoesNotMatch": (
        403, "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."),
    "XAmzContentSHA256Mismatch": (
        400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
}  # fmt: skip


class S3Error(SagedockError):
    """An answer that is an error. `details` are elements of their own in it, `headers` fields."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int = 0,
        details: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        known, text = _KNOWN.get(code, (400, code))
        super().__init__(message or text)
        self.code, self.status = code, status or known
        self.details, self.headers = details or {}, headers or {}


class NotModifiedError(Exception):
    """The caller has the object as it is: 304, with these fields."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__("not modified")
        self.headers = headers


def invalid(name: str, value: str, message: str) -> S3Error:
    """InvalidArgument for a header or parameter."""
    return S3Error(
        "InvalidArgument", message, details={"ArgumentName": name, "ArgumentValue": value[:1024]}
    )


def not_implemented(what: str) -> S3Error:
    """501, naming what is not here."""
    return S3Error("NotImplemented", f"{what} is not implemented on this machine.")
