"""Pushes to other accounts, to a cache, to registries that are not ECR: all of them real ones."""

import base64
import contextlib
import hashlib
import http.client
import json
import shutil
import subprocess
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from push_kit import ACCOUNT, Ground, ensure_program, local_names, make_image

from sagedock.cli.group import cli
from sagedock.engine.docker import Engine
from sagedock.errors import EngineError, ResourceNotFoundError, UsageError
from sagedock.images import manifests
from sagedock.images.naming import EcrHost
from sagedock.images.push import push
from sagedock.images.push_private import PrivateRegistry
from sagedock.images.registry_api import RegistryApi
from sagedock.server.http import Listener, free_port
from sagedock.server.messages import Response

BCRYPT = "me:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"
"""The line that `htpasswd -B` makes of me:secret."""


@pytest.fixture(scope="module", autouse=True)
def program():
    return ensure_program()


@pytest.fixture
def engine():
    with contextlib.closing(Engine.connect()) as found:
        yield found


@pytest.fixture
def image(tmp_path, docker_cli):
    name = f"push-{uuid.uuid4().hex[:8]}"
    make_image(tmp_path / "image", name)
    yield name
    docker_cli("image", "rm", "--force", f"{name}:latest", check=False)
    assert not {one for one in local_names() if one.split(":")[0].endswith(f"/{name}")}


@pytest.fixture
def on(tmp_path, monkeypatch):
    """Makes a Ground that the environment points at."""
    with contextlib.ExitStack() as stack:

        def enter(**more):
            made = stack.enter_context(Ground(tmp_path / uuid.uuid4().hex, **more))
            for name, value in made.environment.items():
                monkeypatch.setenv(name, value)
            return made

        yield enter


# other accounts


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_another_accounts_repository_is_pushed_to_but_never_made(
    on, engine, image, region, partition
):
    ground = on(account=ACCOUNT, caller="210987654321", region=region)
    foreign = ground.ecr(owner=ACCOUNT, region=region)
    with pytest.raises(ResourceNotFoundError, match=f"account {ACCOUNT} has no repository") as told:
        push(image, "v1", engine=engine, registry=foreign)
    assert f"arn:{partition}:iam::210987654321:root" in told.value.hint
    assert f"aws ecr create-repository --region {region}" in told.value.hint
    assert ground.api.asked("CreateRepository") == 0
    ground.client.create_repository(repositoryName=image)  # as the other account's owner
    done = push(image, "v1", engine=engine, registry=foreign)
    assert (done.account, done.region, done.sent) == (ACCOUNT, region, True)
    assert "where the repository's policy names the role's account" in done.needs
    with pytest.raises(ResourceNotFoundError):  # the caller's own registry is another one
        push(image, "v1", engine=engine, registry=ground.ecr(owner="111111111111", region=region))


def test_a_name_that_a_rule_serves_is_not_pushed_to(on, engine, image):
    ground = on()
    ground.client.create_pull_through_cache_rule(
        ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io"
    )
    with pytest.raises(UsageError, match=r"a cache of quay.io \(pull-through rule 'quay'\)"):
        push(image, "v1", engine=engine, registry=ground.ecr(), repository=f"quay/{image}")
    assert push(image, "v1", engine=engine, registry=ground.ecr(), repository=f"quayx/{image}").sent


def test_what_a_rule_serves_is_fetched_when_it_is_asked_for(on, engine, image, docker_cli):
    upstream = on()
    pushed = push(image, "v1", engine=engine, registry=upstream.ecr())
    with bare_registry(upstream.program) as host:
        # The upstream's manifests lie under their digests only: by its tag, too, as elsewhere.
        api = RegistryApi(host, plain=True)
        found = api.manifest(image, pushed.digest)
        api.put(image, "v1", found.text, found.media_type)
        ground = on()
        ground.client.create_pull_through_cache_rule(
            ecrRepositoryPrefix="cache", upstreamRegistryUrl=host
        )
        ecr = ground.ecr()
        assert ecr.pulled_through(f"cache/{image}", "v1")[1].digest == pushed.digest
        (stored,) = ground.client.describe_images(repositoryName=f"cache/{image}")["imageDetails"]
        assert (stored["imageTags"], stored["imageDigest"]) == (["v1"], pushed.digest)
        with pytest.raises(ResourceNotFoundError, match="can't be pulled through from"):
            ecr.pulled_through(f"cache/{image}", "v2")
        with pytest.raises(UsageError, match="No pull-through rule"):
            ecr.pulled_through(image, "v1")
        asked = CliRunner().invoke(
            cli, ["push", f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/cache/{image}:v1",
                  "--pull-through", "--json"],
        )  # fmt: skip
        told = json.loads(asked.stdout)
        assert (told["digest"], told["upstream"]) == (pushed.digest, host)
        assert told["uri"].endswith(f".amazonaws.com/cache/{image}:v1")
    uri = f"{ground.registry.address}/cache/{image}:v1"  # what was cached stays when it is gone
    engine.pull(uri, login=ecr.token())
    assert engine.image(uri).id == engine.image(image).id
    docker_cli("image", "rm", uri)


@contextlib.contextmanager
def bare_registry(program):
    """The address of a real registry that has no front."""
    host, port = program.address
    yield f"{host}:{port}"


def test_the_form_of_address_that_was_named_is_kept():
    for text in (
        "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
        "123456789012.dkr-ecr.eu-west-1.on.aws",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
    ):
        assert EcrHost.parse(text).host == text


# OCI


class SendsOci(Engine):
    """An engine that sends what BuildKit's default is, as one with the containerd store does: an
    OCI manifest in an index. The layers go as this engine sends them."""

    def keeps_manifests(self):
        return True

    def push(self, repository, tag, *, login=None):
        yield from super().push(repository, tag, login=login)
        host, _, name = repository.partition("/")
        api = RegistryApi(host, _login(login), plain=True)
        found = api.manifest(name, tag).document
        document = {
            "schemaVersion": 2, "mediaType": manifests.OCI,
            "config": {**found["config"],
                       "mediaType": "application/vnd.oci.image.config.v1+json"},
            "layers": [{**layer, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
                       for layer in found["layers"]],
        }  # fmt: skip
        image = json.dumps(document)
        digest = f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
        api.put(name, digest, image, manifests.OCI)
        listed = {"mediaType": manifests.OCI, "digest": digest, "size": len(image),
                  "platform": {"architecture": "amd64", "os": "linux"}}  # fmt: skip
        index = {"schemaVersion": 2, "mediaType": manifests.INDEXES[0], "manifests": [listed]}
        api.put(name, tag, json.dumps(index), manifests.INDEXES[0])


def _login(given):
    from sagedock.engine.logins import Login

    return Login(username=given["username"], password=given["password"]) if given else None


@pytest.fixture
def oci_engine(engine):
    return SendsOci(engine._client)


def test_an_oci_index_ends_as_dockers_manifest_in_ecr(on, engine, oci_engine, image, docker_cli):
    ground = on()
    ground.client.create_repository(repositoryName=image)
    lines = []
    done = push(image, "v1", engine=oci_engine, registry=ground.ecr(), report=lines.append)
    assert "put as Docker's manifest" in lines[-1]
    described = ground.client.describe_images(repositoryName=image)["imageDetails"]
    (stored,) = [one for one in described if one.get("imageTags")]
    assert stored["imageTags"] == ["v1"]
    assert stored["imageManifestMediaType"] == manifests.DOCKER
    assert stored["imageDigest"] == done.digest
    docker_cli("image", "rm", image)
    engine.pull(done.uri, login=ground.ecr().token())
    assert engine.image(done.uri).size > 6_000_000
    docker_cli("image", "rm", done.uri)


def test_an_oci_index_ends_as_dockers_manifest_elsewhere(private, oci_engine, image):
    host, _ = private()
    done = push(image, "v1", engine=oci_engine, registry=PrivateRegistry(host, plain=True))
    found = RegistryApi(host, plain=True).manifest(image, "v1")
    assert (found.media_type, found.digest) == (manifests.DOCKER, done.digest)


# registries that are not ECR


@pytest.fixture
def private(tmp_path, monkeypatch):
    """Starts a registry of its own with `auth` in its configuration; its address, and a function
    by which one logs in. Nobody is logged in before."""
    processes = []
    home = tmp_path / "docker"
    home.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(home))

    def start(auth=None):
        port = free_port()
        config = {
            "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(tmp_path / "kept")}},
            "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
            **({"auth": auth} if auth else {}),
        }  # fmt: skip
        path = tmp_path / "registry.yml"
        path.write_text(json.dumps(config))  # YAML takes JSON
        processes.append(
            subprocess.Popen([ensure_program(), "serve", path], stderr=subprocess.DEVNULL)
        )
        host = f"127.0.0.1:{port}"
        _await(port)

        def log_in(password="secret"):
            pair = base64.b64encode(f"me:{password}".encode()).decode()
            (home / "config.json").write_text(json.dumps({"auths": {host: {"auth": pair}}}))

        return host, log_in

    yield start
    for process in processes:
        process.terminate()
        process.wait()


def _await(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with (
            contextlib.suppress(OSError),
            contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            ) as connection,
        ):
            connection.request("GET", "/v2/")
            connection.getresponse().read()
            return
        time.sleep(0.05)
    raise AssertionError("the registry does not start")


def test_a_registry_without_a_login(private, engine, image):
    host, _ = private()
    registry = PrivateRegistry(host, plain=engine.trusts_plainly(host))
    done = push(image, "v1", engine=engine, registry=registry, repository=f"team/{image}")
    assert (done.uri, done.account, done.region) == (f"{host}/team/{image}:v1", None, None)
    again = push(image, "v1", engine=engine, registry=registry, repository=f"team/{image}")
    assert (again.sent, again.digest) == (False, done.digest)
    by_hand = CliRunner().invoke(cli, ["push", image, f"{host}/other:v1"])
    assert by_hand.stdout == f"{host}/other:v1\n"
    assert "TrainingRepositoryAccessMode: Vpc" in by_hand.stderr


def test_a_registry_that_wants_a_password(private, engine, image, tmp_path):
    (tmp_path / "htpasswd").write_text(BCRYPT)
    host, log_in = private({"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}})
    for password in (None, "wrong"):
        if password:
            log_in(password)
        with pytest.raises(EngineError) as told:
            push(image, "v1", engine=engine, registry=PrivateRegistry(host, plain=True))
        assert f"docker login {host}" in told.value.hint
    log_in()
    assert push(image, "v1", engine=engine, registry=PrivateRegistry(host, plain=True)).sent


class TokenServer:
    """Gives tokens to whoever knows the password, as registries with bearer tokens have one."""

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name)
            .public_key(self._key.public_key()).serial_number(1)
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            .sign(self._key, hashes.SHA256())
        )  # fmt: skip
        self._certificate = certificate.public_bytes(serialization.Encoding.DER)
        self.bundle = folder / "bundle.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.scopes: list[str] = []

    def __call__(self, request):
        wanted = "Basic " + base64.b64encode(b"me:secret").decode()
        if request.headers.get("Authorization") != wanted:
            return Response(status=401, body=b'{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}')
        asked = dict(request.parameters)
        self.scopes.append(asked.get("scope", ""))
        access = []
        if asked.get("scope"):
            kind, name, actions = asked["scope"].split(":")
            access = [{"type": kind, "name": name, "actions": actions.split(",")}]
        now = int(time.time())
        claims = {"iss": "issuer", "sub": "me", "aud": asked["service"], "exp": now + 300,
                  "nbf": now - 10, "iat": now, "jti": "1", "access": access}  # fmt: skip
        head = {"typ": "JWT", "alg": "RS256",
                "x5c": [base64.b64encode(self._certificate).decode()]}  # fmt: skip
        text = b".".join(_b64(json.dumps(part).encode()) for part in (head, claims))
        signed = self._key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        token = (text + b"." + _b64(signed)).decode()
        return Response(
            headers={"Content-Type": "application/json"}, body=json.dumps({"token": token}).encode()
        )


def _b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def test_a_registry_that_wants_a_bearer_token(private, engine, image, tmp_path):
    server = TokenServer(tmp_path)
    listener = Listener(("127.0.0.1", 0), server)
    thread = listener.start()
    try:
        realm = f"http://127.0.0.1:{listener.server_port}/token"
        host, log_in = private({"token": {
            "realm": realm, "service": "registry", "issuer": "issuer",
            "rootcertbundle": str(server.bundle),
        }})  # fmt: skip
        with pytest.raises(EngineError, match="gives no token for repository"):
            push(image, "v1", engine=engine, registry=PrivateRegistry(host, plain=True))
        log_in()
        assert push(image, "v1", engine=engine, registry=PrivateRegistry(host, plain=True)).sent
        assert f"repository:{image}:pull" in server.scopes
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


# a disk that is full


class InContainer:
    """The registry's program in a container, whose data has 4 MB."""

    def __init__(self, folder: Path) -> None:
        config = folder / "registry.yml"
        config.write_text(json.dumps({
            "version": 0.1, "log": {"level": "error"}, "http": {"addr": ":5000"},
            "storage": {"filesystem": {"rootdirectory": "/data"}},
        }))  # fmt: skip
        self._name = f"push-full-{uuid.uuid4().hex[:8]}"
        program = shutil.which(ensure_program())
        subprocess.run(
            ["docker", "run", "-d", "--rm", "--name", self._name, "--tmpfs", "/data:size=4m",
             "-p", "127.0.0.1::5000", "-v", f"{program}:/registry:ro", "-v", f"{config}:/c.yml:ro",
             "debian:bookworm-slim", "/registry", "serve", "/c.yml"],
            check=True, capture_output=True,
        )  # fmt: skip
        port = subprocess.run(
            ["docker", "port", self._name, "5000"], check=True, capture_output=True, text=True
        ).stdout.rpartition(":")[2]
        self.address = ("127.0.0.1", int(port))
        _await(int(port))

    def close(self):
        subprocess.run(["docker", "rm", "-f", self._name], check=True, capture_output=True)


def test_a_registry_whose_disk_is_full_is_told_at_once(on, engine, image, tmp_path):
    ground = on(program=InContainer(tmp_path))
    lines = []
    with pytest.raises(EngineError, match="no space left on device") as told:
        push(image, "v1", engine=engine, registry=ground.ecr(), report=lines.append)
    assert "the registry has no room left" in told.value.message
    assert not [line for line in lines if "again in" in line]
    assert ground.client.list_images(repositoryName=image)["imageIds"] == []
