"""The throw-away authority: what its certificates are good for, and what never."""

import contextlib
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from sagedock.errors import OutputError
from sagedock.server.proxy.authority import Authority, Pair, make_authority, merged
from sagedock.server.running.private import write_private


def shake(server: ssl.SSLContext, bundle: bytes, name: str) -> str:
    """A handshake in memory: the protocol that was agreed on."""
    client = ssl.create_default_context(cadata=bundle.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # Python 3.13's default
    client.set_alpn_protocols(["h2", "http/1.1"])
    ins, outs = ssl.MemoryBIO(), ssl.MemoryBIO()
    there, here = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(ins, outs, server_hostname=name)
    answering = server.wrap_bio(there, here, server_side=True)
    for _ in range(6):
        for one in (asking, answering):
            with contextlib.suppress(ssl.SSLWantReadError):
                one.do_handshake()
            there.write(outs.read())
            ins.write(here.read())
    return asking.selected_alpn_protocol()


@pytest.mark.parametrize(
    "host", ["sts.us-east-1.amazonaws.com", "a.b.s3.amazonaws.com", "amazonaws.com",
             "sagemaker.cn-north-1.amazonaws.com.cn", "x.us-east-1.api.aws", "a_b.s3.amazonaws.eu"]
)  # fmt: skip
def test_certificates_for_aws(tmp_path, host):
    authority = Authority.of(tmp_path)
    assert shake(authority.context(host), authority.certificate, host) == "http/1.1"


def test_a_context_is_made_once_and_the_named_host_is_served(tmp_path):
    authority = Authority.of(tmp_path)
    context = authority.context("sts.amazonaws.com")
    assert authority.context("STS.amazonaws.com.") is context
    assert shake(context, authority.certificate, "iam.amazonaws.com") == "http/1.1"
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(context, authority.certificate, "example.org")


def test_not_every_context_is_kept(tmp_path):
    authority = Authority.of(tmp_path)
    first = authority.context("n0.amazonaws.com")
    for number in range(1, 257):
        authority.context(f"n{number}.amazonaws.com")
    assert authority.context("n256.amazonaws.com") is authority.context("n256.amazonaws.com")
    assert authority.context("n0.amazonaws.com") is not first


@pytest.mark.parametrize("host", ["google.com", "amazonaws.com.evil", "evilamazonaws.com", ""])
def test_no_certificate_for_anybody_else(tmp_path, host):
    with pytest.raises(ValueError, match="none of AWS's hosts"):
        Authority.of(tmp_path).context(host)


def test_who_has_stolen_the_key_can_be_nobody_else_with_it(tmp_path):
    """The authority's own certificate forbids it, so every client refuses."""
    pair = make_authority(datetime.now(UTC))
    issuer = x509.load_pem_x509_certificate(pair.certificate)
    signer = load_pem_private_key(pair.key, None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("google.com")]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    from cryptography.hazmat.primitives import serialization as form

    path = tmp_path / "forged.pem"
    path.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        + made.public_bytes(form.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake(server, pair.certificate, "google.com")


def test_the_key_is_for_its_owner_only_and_lasts(tmp_path):
    first = Authority.of(tmp_path / "server")
    assert (tmp_path / "server" / "ca-key.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "server").stat().st_mode & 0o777 == 0o700
    assert Authority.of(tmp_path / "server").certificate == first.certificate


@pytest.mark.parametrize("damage", ["expired", "other key", "torn", "no key"])
def test_what_is_no_good_is_made_anew(tmp_path, damage):
    known = make_authority(datetime.now(UTC) - timedelta(days=700 if damage == "expired" else 0))
    other = make_authority(datetime.now(UTC))
    kept = {
        "expired": known,
        "other key": Pair(certificate=known.certificate, key=other.key),
        "torn": Pair(certificate=known.certificate[:300], key=known.key),
        "no key": Pair(certificate=known.certificate, key=b""),
    }[damage]
    (tmp_path / "ca.pem").write_bytes(kept.certificate)
    (tmp_path / "ca-key.pem").write_bytes(kept.key)
    made = Authority.of(tmp_path)
    assert made.certificate != known.certificate
    shake(made.context("s3.amazonaws.com"), made.certificate, "s3.amazonaws.com")


def test_many_threads_one_authority(tmp_path):
    authority = Authority.of(tmp_path)
    hosts = [f"h{number % 5}.amazonaws.com" for number in range(60)]
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(authority.context, hosts))
    assert len(set(map(id, made))) == 5


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        Authority.of(tmp_path / "file")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_private(tmp_path / "x", b"1")
    (tmp_path / "x").chmod(0o644)
    write_private(tmp_path / "x", b"2")
    assert (tmp_path / "x").read_bytes() == b"2"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "folder", b"3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "x"]


def test_our_certificate_comes_beside_those_of_the_host_and_each_once():
    one, two, ours = (make_authority(datetime.now(UTC)).certificate for _ in range(3))
    crlf = one.replace(b"\n", b"\r\n")
    found = merged([b"# comment\n" + one + two, crlf, b"no certificate"], ours)
    parts = x509.load_pem_x509_certificates(found)
    assert parts == [x509.load_pem_x509_certificate(pem) for pem in (one, two, ours)]


def test_two_that_begin_at_once_agree(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(Authority.of, [tmp_path] * 16))
    assert len({one.certificate for one in made}) == 1
