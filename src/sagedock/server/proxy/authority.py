"""A throw-away certificate authority, good for AWS's host names only.

Its certificate says so itself (name constraints), so that not even somebody who has stolen its key
can pretend to be any other site with it. `cryptography` is imported when it is used.
"""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sagedock.errors import OutputError
from sagedock.server.proxy import aws_hosts
from sagedock.server.running.private import making, write_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.x509 import Certificate, CertificateBuilder, KeyUsage, Name

_YEARS = timedelta(days=730)
_LEAF = timedelta(days=90)
_RENEWED = timedelta(days=120)
"""How long before its end an authority is made anew: no leaf outlives it."""

_CERTIFICATE, _KEY = "ca.pem", "ca-key.pem"
_CONTEXTS = 256


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Makes certificates for AWS's hosts. Thread-safe."""

    def __init__(self, pair: Pair) -> None:
        self.certificate = pair.certificate
        self._pair = pair
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self._leaf_key: EllipticCurvePrivateKey | None = None

    @classmethod
    def of(cls, folder: Path) -> Authority:
        """The authority kept in `folder` (key with mode 0600), made when there is none or it ends
        soon. Raises OutputError where it can't be written."""
        return cls(_kept(folder) or _made(folder))

    def context(self, host: str) -> ssl.SSLContext:
        """How to answer TLS as `host`, one of AWS's; ValueError for any other. A client that names
        another of AWS's hosts in its first message (SNI) is answered as that one."""
        name = aws_hosts.plain(host)
        if not aws_hosts.is_aws(name):
            raise ValueError(f"{host!r} is none of AWS's hosts")
        with self._lock:
            found = self._contexts.pop(name, None) or self._make(name)
            self._contexts[name] = found  # the last used are kept
            if len(self._contexts) > _CONTEXTS:
                del self._contexts[next(iter(self._contexts))]
        return found

    def _make(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = self._named
        leaf = self._leaf(name)
        # ssl reads certificates from files only
        with tempfile.TemporaryDirectory(prefix="sagedock-") as folder:
            path = Path(folder) / "leaf.pem"
            write_private(path, leaf.key + leaf.certificate + self.certificate)
            context.load_cert_chain(path)
        return context

    def _named(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None,
               context: ssl.SSLContext) -> None:  # fmt: skip
        if name and aws_hosts.is_aws(name):
            with contextlib.suppress(ValueError):
                connection.context = self.context(name)

    def _leaf(self, name: str) -> Pair:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from cryptography.x509 import load_pem_x509_certificate

        issuer = load_pem_x509_certificate(self._pair.certificate)
        signer = load_pem_private_key(self._pair.key, None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is no key of an elliptic curve")
        self._leaf_key = self._leaf_key or ec.generate_private_key(ec.SECP256R1())
        builder = _leaf_builder(name, issuer, self._leaf_key, datetime.now(UTC))
        return _signed(builder, self._leaf_key, signer)


def make_authority(now: datetime) -> Pair:
    """A new authority, from a day before `now` for two years."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("sagedock, a throw-away authority for AWS's names on one machine")
    public = key.public_key()
    builder = (
        _builder(name, public, now, _YEARS)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.NameConstraints([x509.DNSName(suffix) for suffix in aws_hosts.SUFFIXES], None),
            critical=True,
        )
    )
    return _signed(builder, key, key)


def _leaf_builder(
    name: str, issuer: Certificate, key: EllipticCurvePrivateKey, now: datetime
) -> CertificateBuilder:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    public = key.public_key()
    whose = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(whose)
    return (
        _builder(_name("sagedock"), public, now, _LEAF)
        .issuer_name(issuer.subject)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(identifier, critical=False)
    )


def _builder(
    name: Name, public: EllipticCurvePublicKey, now: datetime, lasting: timedelta
) -> CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lasting)
    )


def _name(text: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*names: str) -> KeyUsage:
    from cryptography import x509

    all_names = ("digital_signature", "content_commitment", "key_encipherment", "crl_sign",
                 "data_encipherment", "key_agreement", "key_cert_sign", "encipher_only",
                 "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: name in names for name in all_names})


def _signed(
    builder: CertificateBuilder, key: EllipticCurvePrivateKey, signer: EllipticCurvePrivateKey
) -> Pair:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as form

    made = builder.sign(signer, hashes.SHA256())
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return Pair(certificate=made.public_bytes(form.Encoding.PEM), key=secret)


def _made(folder: Path) -> Pair:
    try:
        with making(folder):
            pair = _kept(folder)  # by another process, in the meantime
            if pair is None:
                pair = make_authority(datetime.now(UTC))
                write_private(folder / _KEY, pair.key)
                write_private(folder / _CERTIFICATE, pair.certificate)
    except OSError as error:
        raise OutputError(f"{folder} can't be written: {error.strerror}.") from error
    return pair


def _kept(folder: Path) -> Pair | None:
    """What an earlier server has left, if it is whole and has time left."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        pair = Pair(
            certificate=(folder / _CERTIFICATE).read_bytes(), key=(folder / _KEY).read_bytes()
        )
        known = load_pem_x509_certificate(pair.certificate)
        mine = load_pem_private_key(pair.key, None).public_key() == known.public_key()
    except (OSError, ValueError):
        return None
    lasts = known.not_valid_after_utc - datetime.now(UTC) > _RENEWED
    return pair if mine and lasts else None


def merged(bundles: Sequence[bytes], certificate: bytes) -> bytes:
    """All certificates of the host's `bundles`, each once, and ours after them."""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    found: dict[bytes, None] = {}
    for bundle in (*bundles, certificate):
        for part in bundle.split(begin)[1:]:
            body, mark, _ = part.partition(end)
            if mark:
                found[b"\n".join(body.split())] = None
    return b"".join(begin + b"\n" + body + b"\n" + end + b"\n" for body in found)
