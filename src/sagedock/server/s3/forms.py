"""Uploads by an HTML form: multipart/form-data with a policy that says what may be sent.

The fields come first and become the header of a PUT, the file is its body; so an upload by a form
is one like any other.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from sagedock.server.messages import Body, Headers, Response
from sagedock.server.s3 import tags, xml
from sagedock.server.s3.call import Call, Key, Shelf
from sagedock.server.s3.errors import S3Error, invalid
from sagedock.server.s3.objects import put
from sagedock.server.signature import Signature, signing_key
from sagedock.store.uri import KEY_LIMIT

_BLOCK = 1 << 18
_FIELDS = 20_480
"""Bytes that all fields before the file may have."""

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?boundary=(?:"([^"]{1,200})"|([^;\s]{1,200}))',
                       re.IGNORECASE)  # fmt: skip
_PARAMETER = re.compile(r'(name|filename)="((?:[^"\\]|\\.)*)"')
_UNCHECKED = frozenset(("policy", "x-amz-signature", "signature", "awsaccesskeyid", "file"))
_SENT = re.compile("(?:content-|cache-|expires$|x-amz-(?!signature|credential|algorithm|date))")


class _Parts:
    """The pieces of a body between delimiters."""

    def __init__(self, body: Body, boundary: bytes) -> None:
        self._body, self._delimiter = body, b"\r\n--" + boundary
        self._data = b"\r\n"  # so that the first delimiter is one like the others

    def piece(self) -> Iterator[bytes]:
        """The bytes up to the next delimiter. Raises MalformedPOSTRequest where there is none."""
        keep = len(self._delimiter) - 1
        while (at := self._data.find(self._delimiter)) < 0:
            if len(self._data) > keep:
                yield self._data[:-keep]
                self._data = self._data[-keep:]
            block = self._body.read(_BLOCK)
            if not block:
                raise S3Error("MalformedPOSTRequest")
            self._data += block
        if at:
            yield self._data[:at]
        self._data = self._data[at + len(self._delimiter) :]

    def head(self) -> dict[str, str]:
        """The header of the next piece, by lower-case names; empty behind the last one."""
        while b"\r\n\r\n" not in self._data and not self._data.startswith(b"--"):
            block = self._body.read(_BLOCK)
            if not block or len(self._data) > _FIELDS + _BLOCK:
                raise S3Error("MalformedPOSTRequest")
            self._data += block
        if self._data.startswith(b"--"):
            return {}
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n"))
        return {name.strip().lower(): value.strip() for name, _, value in lines if name.strip()}


class _File:
    """The file as a body, within the bytes that the policy allows."""

    def __init__(self, pieces: Iterator[bytes], least: int, most: int) -> None:
        self._pieces, self._least, self._most = pieces, least, most
        self._size, self._data = 0, b""

    def read(self, size: int = -1, /) -> bytes:
        while not self._data:
            piece = next(self._pieces, None)
            if piece is None:
                if self._size < self._least:
                    raise S3Error("EntityTooSmall")
                return b""
            self._data = piece
            self._size += len(piece)
            if self._size > self._most:
                raise S3Error("EntityTooLarge")
        end = len(self._data) if size < 0 else size
        data, self._data = self._data[:end], self._data[end:]
        return data


def post(shelf: Shelf, call: Call) -> Response:
    """PostObject."""
    match = _BOUNDARY.match(call.header("Content-Type") or "")
    if not match:
        raise S3Error("PreconditionFailed", "Bucket POST must be of the enclosure-type "
                      "multipart/form-data")  # fmt: skip
    parts = _Parts(call.request.body, (match[1] or match[2]).encode("latin-1", "replace"))
    if any(piece.strip() for piece in parts.piece()):
        raise S3Error("MalformedPOSTRequest")
    fields, filename, kind = _fields(parts)
    key = fields.get("key", "").replace("${filename}", filename)
    if not 0 < len(key.encode()) <= KEY_LIMIT:
        raise invalid("key", key, "Bucket POST must contain a field named 'key'")
    least, most = _allowed({**fields, "key": key, "bucket": call.bucket}, shelf.key)
    sent = [(name, _bytes(value)) for name, value in fields.items() if _SENT.match(name)]
    if kind and "content-type" not in fields:
        sent.append(("content-type", _bytes(kind)))
    if "tagging" in fields:
        pairs = json.loads(tags.from_document(fields["tagging"].encode(), 10) or "[]")
        sent.append(("x-amz-tagging", urlencode(list(map(tuple, pairs)))))
    if "acl" in fields:
        sent.append(("x-amz-acl", fields["acl"]))
    request = replace(
        call.request, method="PUT", headers=Headers(sent), size=None,
        body=_File(parts.piece(), least, most),
    )  # fmt: skip
    done = put(shelf, Call(request, call.bucket, key, {}))
    return _told(call, key, fields, done)


def _bytes(value: str) -> str:
    return value.encode().decode("latin-1").replace("\r", " ").replace("\n", " ")


def _fields(parts: _Parts) -> tuple[dict[str, str], str, str]:
    """Fields by lower-case names up to the file, which comes next; the file's name and type."""
    fields: dict[str, str] = {}
    size = 0
    while head := parts.head():
        names = dict(_PARAMETER.findall(head.get("content-disposition", "")))
        name = names.get("name", "").lower()
        if name == "file":
            filename = names.get("filename", "").replace("\\", "/").rpartition("/")[2]
            return fields, filename, head.get("content-type", "")
        value = b""
        for piece in parts.piece():
            value += piece
            size += len(piece)
            if size > _FIELDS:
                raise S3Error("MaxPostPreDataLengthExceededError", "Your POST request fields "
                              "preceding the upload file were too large.")  # fmt: skip
        fields[name] = value.decode("utf-8", "replace")
    raise invalid("file", "", "POST requires exactly one file upload per request.")


# the policy


def _allowed(fields: Mapping[str, str], key: Key | None) -> tuple[int, int]:
    """Fewest and most bytes of the file. Raises AccessDenied for what the policy does not allow,
    SignatureDoesNotMatch for one that our own key has not signed."""
    if "policy" not in fields:
        return 0, 5 << 30
    _check_signature(fields, key)
    try:
        policy: Any = json.loads(base64.b64decode(fields["policy"], validate=True))
        conditions, until = list(policy["conditions"]), _moment(policy["expiration"])
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        raise S3Error("InvalidPolicyDocument", "The content of the form does not meet the "
                      "conditions specified in the policy document.") from None  # fmt: skip
    if until < time.time():
        raise S3Error("AccessDenied", "Invalid according to Policy: Policy expired.")
    return _within(fields, conditions)


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _within(fields: Mapping[str, str], conditions: list[Any]) -> tuple[int, int]:
    least, most = 0, 5 << 30
    covered = set(_UNCHECKED) | {"bucket"}
    for condition in conditions:
        words = _words(condition)
        if words[0] == "content-length-range":
            try:
                least, most = int(words[1]), int(words[2])
            except ValueError:
                raise S3Error("InvalidPolicyDocument", "The range is none.") from None
            continue
        name = words[1].removeprefix("$").lower()
        value = fields.get(name, "")
        covered.add(name)
        holds = value.startswith(words[2]) if words[0] == "starts-with" else value == words[2]
        if not holds:
            raise S3Error("AccessDenied", "Invalid according to Policy: Policy Condition failed: "
                          f'["{words[0]}", "${name}", "{words[2]}"]')  # fmt: skip
    extra = [name for name in fields if name not in covered and not name.startswith("x-ignore-")]
    if extra:
        raise S3Error(
            "AccessDenied", f"Invalid according to Policy: Extra input fields: {extra[0]}"
        )
    return least, most


def _words(condition: Any) -> tuple[str, str, str]:
    """Operator, field and value of a condition in one of its two forms."""
    if isinstance(condition, dict) and len(condition) == 1:
        ((name, value),) = condition.items()
        return "eq", str(name), str(value)
    if isinstance(condition, list) and len(condition) == 3:
        operator, name, value = map(str, condition)
        if operator.lower() in {"eq", "starts-with", "content-length-range"}:
            return operator.lower(), name, value
    raise S3Error("InvalidPolicyDocument", "A condition of the policy is none.")


def _check_signature(fields: Mapping[str, str], key: Key | None) -> None:
    policy = fields["policy"].encode()
    if key is None:
        return
    if fields.get("awsaccesskeyid") == key.access_key:
        digest = hmac.digest(key.secret_key.encode(), policy, "sha1")
        made, given = base64.b64encode(digest).decode(), fields.get("signature", "")
    else:
        access, *scope = fields.get("x-amz-credential", "").split("/")
        if access != key.access_key:
            return
        if len(scope) != 4:
            raise invalid("x-amz-credential", fields["x-amz-credential"], "It is malformed")
        found = Signature(
            access_key=access, date=scope[0], region=scope[1], service=scope[2],
            signed_headers=(), value="", stamp="",
        )  # fmt: skip
        made = hmac.digest(signing_key(key.secret_key, found), policy, "sha256").hex()
        given = fields.get("x-amz-signature", "")
    if not hmac.compare_digest(made.encode(), given.encode()):
        raise S3Error("SignatureDoesNotMatch")


# the answer


def _told(call: Call, key: str, fields: Mapping[str, str], done: Response) -> Response:
    etag = done.headers["ETag"]
    location = f"{call.request.scheme}://{call.header('Host') or ''}/{call.bucket}/{quote(key)}"
    headers = {**done.headers, "Location": location}
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    if redirect:
        told = urlencode({"bucket": call.bucket, "key": key, "etag": etag})
        target = f"{redirect}{'&' if '?' in redirect else '?'}{told}"
        return Response(status=303, headers={**headers, "Location": quote(target, safe="%/:?&=#+")})
    if fields.get("success_action_status") == "201":
        pairs: list[xml.Pair] = [("Location", location), ("Bucket", call.bucket), ("Key", key),
                                 ("ETag", etag)]  # fmt: skip
        headers["Content-Type"] = "application/xml"
        return Response(status=201, headers=headers, body=xml.document("PostResponse", pairs))
    return Response(
        status=200 if fields.get("success_action_status") == "200" else 204, headers=headers
    )
