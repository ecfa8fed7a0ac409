"""doctor's looks at this machine: certificates, proxies, docker programs, and what hangs."""

import socket
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sagedock.errors import UsageError
from sagedock.project.config import Config, ImageConfig
from sagedock.project.doctor import machine, trust
from sagedock.project.doctor.findings import failure, ok
from sagedock.project.doctor.rounds import Check, run


def authority(name: str, days: int) -> bytes:
    """A certificate authority's certificate that holds for `days` from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1000))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def test_bundles_are_counted_and_the_expired_named(tmp_path):
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(authority("Good", 10) + authority("Old", -10))
    found = trust.bundles({"SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)})
    assert [(item.variable, item.certificates, item.expired, item.problem) for item in found] == [
        ("SSL_CERT_FILE", 2, ("Old",), "")
    ]
    assert trust.bundles({}) == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no certificate", "no certificates in it"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificates"),
        (None, "No such file"),
    ],
)
def test_a_bundle_that_helps_nobody(tmp_path, content, words):
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    (found,) = trust.bundles({"AWS_CA_BUNDLE": str(bundle)})
    assert words in found.problem


def test_proxies_are_called_and_their_passwords_kept():
    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        port = door.getsockname()[1]
        good = f"http://me:hunter2@127.0.0.1:{port}"
        found = trust.proxies({"HTTPS_PROXY": good, "HTTP_PROXY": good, "no_proxy": "localhost"})
    assert [(item.variable, item.shown, item.problem) for item in found.found] == [
        ("HTTPS_PROXY", f"http://********@127.0.0.1:{port}", "")
    ]
    assert found.no_proxy == "localhost"
    (gone,) = trust.proxies({"HTTP_PROXY": good}).found
    assert "takes no connections" in gone.problem


@pytest.mark.parametrize(
    ("address", "words"),
    [("http://", "expected http://HOST:PORT"), ("http://h:port", "Port could not be cast")],
)
def test_a_proxys_address_that_is_none(address, words):
    (found,) = trust.proxies({"HTTP_PROXY": address}).found
    assert words in found.problem


def docker_program(folder, script):
    folder.mkdir()
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_the_docker_program_that_would_build_is_found(tmp_path):
    program = docker_program(
        tmp_path / "bin",
        'case "$*" in\n"buildx build --help") echo --secret --load;;\n'
        '"compose version") echo Docker Compose version v2;;\n"context show") echo default;;\nesac',
    )
    found = machine.clients({"PATH": str(tmp_path / "bin")})
    assert (found.builder, found.kind, found.compose) == (program, "buildx", True)


def test_no_docker_program_is_told_with_what_to_do(tmp_path):
    found = machine.clients({"PATH": str(tmp_path)})
    assert "no docker client on PATH" in found.problem
    assert found.hint
    assert not found.programs


def test_a_data_folder_that_is_not_there_yet_has_its_parents_disk(tmp_path):
    found = list(machine.disks(tmp_path / "not" / "there", "/nowhere/at/all"))
    assert [(item.what, item.path) for item in found] == [("data", str(tmp_path / "not/there"))]
    assert found[0].free > 0
    for host, seen in (("", 2), ("unix:///run/docker.sock", 2), ("tcp://far:2375", 1)):
        assert len(list(machine.disks(tmp_path, str(tmp_path), host))) == seen


def test_emulation_is_read_where_linux_has_it(tmp_path):
    (tmp_path / "qemu-aarch64").write_text("enabled\ninterpreter /usr/bin/qemu-aarch64\n")
    (tmp_path / "qemu-riscv64").write_text("disabled\n")
    (tmp_path / "status").write_text("enabled\n")
    images = {"a": ImageConfig(name="a", context=tmp_path, platform="linux/arm64")}
    found = machine.emulation(Config(images=images), tmp_path)
    assert found.handlers == {"qemu-aarch64"}
    assert found.wanted == {"linux/amd64", "linux/arm64"}
    assert machine.emulation(Config(), tmp_path / "none").handlers is None


def test_versions_of_what_is_installed():
    found = machine.versions()
    assert found.packages["boto3"]
    assert found.packages["docker"]


# running checks


def test_findings_come_in_the_order_of_the_checks():
    waited = threading.Event()

    def late():
        waited.wait(5)
        return [ok("late", "x")]

    def early():
        waited.set()
        return [ok("early", "x")]

    found = run([Check(name="late", find=late), Check(name="early", find=early)])
    assert [item.check for item in found] == ["late", "early"]


def test_what_hangs_is_told_and_not_waited_for():
    never = threading.Event()
    checks = [
        Check(name="hung", find=lambda: [ok("hung", str(never.wait()))], seconds=0.05),
        Check(name="good", find=lambda: [ok("good", "x")]),
    ]
    found = run(checks)
    assert found[0].check == "hung"
    assert (found[0].level, found[0].found) == ("failure", "no answer within 0.05 s")
    assert found[1] == ok("good", "x")
    never.set()


def test_an_error_of_ours_is_a_finding_and_a_mistake_is_raised():
    def refuse():
        raise UsageError("It is wrong.", hint="Mend it.")

    def break_down():
        raise KeyError("mistake")

    assert run([Check(name="a", find=refuse)]) == [failure("a", "It is wrong.", "Mend it.")]
    with pytest.raises(KeyError):
        run([Check(name="a", find=break_down)])
