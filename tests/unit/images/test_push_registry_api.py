"""The registry API by wire: a registry and a token server of this process, which are picky; and
what `docker login` has left."""

import base64
import hashlib
import json
import ssl
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sagedock.engine import logins
from sagedock.engine.logins import Login
from sagedock.errors import EngineError, ResourceNotFoundError
from sagedock.images.manifests import DOCKER
from sagedock.images.registry_api import RegistryApi
from sagedock.server.http import Listener
from sagedock.server.messages import Response

TEXT = json.dumps({"schemaVersion": 2, "mediaType": DOCKER, "layers": []})
DIGEST = f"sha256:{hashlib.sha256(TEXT.encode()).hexdigest()}"
BASIC = "Basic " + base64.b64encode(b"me:secret").decode()


class Registry:
    """Has the one manifest at a/b:v1; `ask` is what it wants of whoever has no `wanted`."""

    def __init__(self, wanted=None, ask="", digest=DIGEST):
        self.wanted, self.ask, self.digest = wanted, ask, digest
        self.seen, self.put = [], {}

    def __call__(self, request):
        self.seen.append((request.method, request.path, request.headers.get("Authorization")))
        if request.path == "/token":
            return self._token(request)
        if request.path == "/elsewhere":
            assert "Authorization" not in request.headers  # it is for the registry only
            return Response(headers={"Content-Type": DOCKER}, body=TEXT.encode())
        if self.wanted and request.headers.get("Authorization") != self.wanted:
            return fault(401, "UNAUTHORIZED", "who are you", {"WWW-Authenticate": self.ask})
        if request.method == "PUT":
            if "/closed/" in request.path:
                return fault(403, "DENIED", "not for you")
            self.put[request.path] = (request.headers["Content-Type"], request.body.read())
            return Response(status=201)
        return self._get(request)

    def _get(self, request):
        name = request.path.removeprefix("/v2/")
        if name == "a/b/manifests/v1":
            headers = {"Content-Type": DOCKER, "Docker-Content-Digest": self.digest}
            return Response(headers=headers, body=TEXT.encode())
        if name == "a/b/manifests/moved":
            return Response(status=307, headers={"Location": "/elsewhere"})
        if name == "a/b/blobs/sha256:1":
            return Response(body=b"a layer")
        if name.startswith("broken/"):
            return Response(status=500, body=b"oh no")
        code = "MANIFEST_UNKNOWN" if name.startswith("a/b/m") else "NAME_UNKNOWN"
        return fault(404, code, "nothing here")

    def _token(self, request):
        asked = dict(request.parameters)
        if request.method == "POST":
            form = {key: value[0] for key, value in parse_qs(request.body.read().decode()).items()}
            assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "identity")
            return Response(body=json.dumps({"access_token": f"for {form['scope']}"}).encode())
        if request.headers.get("Authorization") != BASIC:
            return fault(401, "UNAUTHORIZED", "no such user")
        return Response(body=json.dumps({"token": f"for {asked['scope']}"}).encode())


def fault(status, code, message, headers=None):
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Response(status=status, headers=headers or {}, body=body)


@pytest.fixture
def at():
    """Serves a registry; its host."""
    open_ = []

    def listen(registry):
        listener = Listener(("127.0.0.1", 0), registry)
        open_.append((listener, listener.start()))
        return f"127.0.0.1:{listener.server_port}"

    yield listen
    for listener, thread in open_:
        listener.shutdown()
        listener.server_close()
        thread.join()


def test_manifests_are_read_and_put(at):
    registry = Registry()
    api = RegistryApi(at(registry), plain=True)
    found = api.manifest("a/b", "v1")
    assert (found.text, found.digest) == (TEXT, DIGEST)
    assert api.manifest("a/b", "v2") is None
    assert api.manifest("a/b", "moved").digest == DIGEST
    assert api.manifest("c", "v1") is None
    assert api.put("a/b", "v2", TEXT, DOCKER).digest == DIGEST
    assert registry.put == {"/v2/a/b/manifests/v2": (DOCKER, TEXT.encode())}
    with api.blob("a/b", "sha256:1") as (stream, size):
        assert (stream.read(), size) == (b"a layer", 7)
    with pytest.raises(ResourceNotFoundError, match="NAME_UNKNOWN"), api.blob("c", "sha256:1"):
        pass
    with pytest.raises(EngineError, match="can't be read back: HTTP status 500 oh no"):
        api.manifest("broken", "v1")


def test_a_registry_that_calls_a_manifest_by_another_digest_is_not_believed(at):
    api = RegistryApi(at(Registry(digest="sha256:" + "0" * 64)), plain=True)
    with pytest.raises(EngineError, match="calls sha256:000"):
        api.manifest("a/b", "v1")


def test_a_password_is_given_when_it_is_asked_for(at):
    registry = Registry(wanted=BASIC, ask='Basic realm="r"')
    host = at(registry)
    assert RegistryApi(host, Login(username="me", password="secret"), plain=True).manifest(
        "a/b", "v1"
    )
    assert [one[2] for one in registry.seen] == [None, BASIC]
    for login in (None, Login(username="me", password="wrong")):
        with pytest.raises(EngineError, match="who are you") as told:
            RegistryApi(host, login, plain=True).manifest("a/b", "v1")
        assert told.value.hint.endswith(f"docker login {host}")


@pytest.mark.parametrize(
    "login", [Login(username="me", password="secret"), Login(token="identity")]
)
def test_a_token_is_got_for_what_is_to_be_done(at, login):
    registry = Registry()
    host = at(registry)
    registry.ask = f'Bearer realm="http://{host}/token",service="s",scope="x"'
    registry.wanted = "Bearer for repository:a/b:pull"
    api = RegistryApi(host, login, plain=True)
    assert api.manifest("a/b", "v1").digest == DIGEST
    with api.blob("a/b", "sha256:1") as (stream, _):
        assert stream.read() == b"a layer"
    registry.wanted = "Bearer for repository:a/b:pull,push"
    api.put("a/b", "v3", TEXT, DOCKER)
    assert "/v2/a/b/manifests/v3" in registry.put
    registry.wanted = "Bearer for repository:closed/x:pull,push"
    with pytest.raises(EngineError, match="DENIED: not for you"):
        api.put("closed/x", "v3", TEXT, DOCKER)


def test_a_token_that_is_refused_is_told(at):
    registry = Registry(wanted="x")
    host = at(registry)
    registry.ask = f'Bearer realm="http://{host}/token",service="s"'
    with pytest.raises(EngineError, match="gives no token for repository:a/b:pull: UNAUTHORIZED"):
        RegistryApi(host, plain=True).manifest("a/b", "v1")


def certificate(folder):
    """A key and a certificate of nobody's, for 127.0.0.1."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1)).add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )  # fmt: skip
    return path


def test_certificates_are_checked_unless_the_engine_checks_none(at, tmp_path, monkeypatch):
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    listener = Listener(("127.0.0.1", 0), Registry())
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = listener.start()
    host = f"127.0.0.1:{listener.server_port}"
    try:
        with pytest.raises(EngineError, match=r"does not answer: .*CERTIFICATE_VERIFY_FAILED"):
            RegistryApi(host, plain=False).manifest("a/b", "v1")
        assert RegistryApi(host, plain=True).manifest("a/b", "v1").digest == DIGEST
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        assert RegistryApi(host, plain=False).manifest("a/b", "v1").digest == DIGEST
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def test_plain_http_is_spoken_to_trusted_hosts_only(at):
    with pytest.raises(EngineError, match="does not answer"):
        RegistryApi(at(Registry()), plain=False).manifest("a/b", "v1")


# docker login


@pytest.fixture
def docker_config(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    def write(document):
        (tmp_path / "config.json").write_text(json.dumps(document))

    return write


def test_what_docker_login_has_left_is_found(docker_config):
    assert logins.stored("h:5000") is None
    docker_config({"auths": {"h:5000": {"auth": base64.b64encode(b"me:pw").decode()},
                             "t": {"identitytoken": "identity"}}})  # fmt: skip
    assert logins.stored("h:5000") == Login(username="me", password="pw")
    assert logins.stored("t").for_engine() == {"identitytoken": "identity"}
    assert logins.stored("other") is None
    assert "pw" not in repr(logins.stored("h:5000"))


def test_credential_helpers_are_asked(docker_config, tmp_path, monkeypatch):
    program = tmp_path / "docker-credential-here"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\nhost = sys.stdin.read().strip()\n"
        "sys.exit('broken') if host == 'broken' else None\n"
        "print(json.dumps({'ServerURL': host, 'Username': 'me', 'Secret': 'pw'}))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    docker_config({"credHelpers": {"h": "here", "broken": "here", "absent": "nowhere"}})
    assert logins.stored("h") == Login(username="me", password="pw")
    for host in ("broken", "absent"):
        with pytest.raises(EngineError, match=f"The login for {host} can't be read"):
            logins.stored(host)
