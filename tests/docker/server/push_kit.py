"""What tests of `sagedock push` share: ECR on this machine with proxies that break what passes,
between the engine and the registry, and before the API; images made of nothing but bytes; and
registries that are not ECR, as containers or processes of their own."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

from faulty_proxy import FaultyProxy
from sagedock.aws.account import Account
from sagedock.images.ecr import Ecr
from sagedock.local.settings import LocalSettings
from sagedock.server import routing
from sagedock.server.guard import Guard
from sagedock.server.http import Listener
from sagedock.server.registry.front import RegistryService
from sagedock.server.registry.program import RegistryProgram
from sagedock.server.registry.store import ImageStore
from sagedock.server.registry.tokens import Tokens
from sagedock.server.services import ecr, sts
from sagedock.server.services.ecr_records import EcrRecords

ROOT = Path(__file__).parents[3]
ACCOUNT = "123456789012"
REGION = "eu-west-1"
MEGA = 1 << 20


class Ground:
    """ECR of `account` and STS of `caller`. `registry` is the proxy that the engine meets, `api`
    the one that boto3 meets. `program` keeps the bytes: the real registry, unless another is
    given."""

    def __init__(self, folder, *, account=ACCOUNT, caller=ACCOUNT, program=None, region=REGION):
        settings = LocalSettings(data=folder, region=region, account=account)
        self._records = EcrRecords(folder, account)
        self.program = program or RegistryProgram(folder / "registry")
        self.tokens = Tokens(secrets.token_bytes(8))
        images = ImageStore(self._records, self.program)
        self._front = Listener(
            ("127.0.0.1", 0), Guard(service=RegistryService(images, self.tokens))
        )
        self.registry = FaultyProxy("127.0.0.1", self._front.server_port)
        services = {
            "ecr": ecr.service(settings, images, self.tokens, self.registry.address),
            "sts": sts.service(LocalSettings(data=folder, region=region, account=caller)),
        }
        self._services = services
        self._accounts: list[Account] = []
        self._door = Listener(
            ("127.0.0.1", 0), lambda request: services[routing.service_of(request)](request)
        )
        self.api = FaultyProxy("127.0.0.1", self._door.server_port)
        self.environment = {
            "AWS_ENDPOINT_URL": self.api.url, "AWS_DEFAULT_REGION": region, "AWS_REGION": region,
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "1",
            "NO_PROXY": "127.0.0.1",
        }  # fmt: skip

    def __enter__(self):
        self._threads = [self._front.start(), self._door.start()]
        self.registry.__enter__()
        self.api.__enter__()
        return self

    def __exit__(self, *error):
        for account in self._accounts:
            for service in ("ecr", "sts"):
                account.client(service).close()
        self.api.__exit__(*error)
        self.registry.__exit__(*error)
        for listener in (self._front, self._door):
            listener.shutdown()
            listener.server_close()
        for thread in self._threads:
            thread.join()
        self.program.close()
        self._services["ecr"].close()

    def ecr(self, **more) -> Ecr:
        """As the caller has it; the environment has to be `environment`."""
        return Ecr(self._account(more.pop("region", REGION)), **more)

    def _account(self, region: str) -> Account:
        made = Account(region)
        self._accounts.append(made)
        return made

    @property
    def client(self):
        """boto3's client of ECR."""
        return self._account(REGION).client("ecr")


def ensure_program() -> str:
    """The registry's program, installed where it is not."""
    found = subprocess.run(
        [ROOT / "docker" / "ensure-registry.sh"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def make_image(folder: Path, name: str, *, layers=2, size=3 * MEGA, more="") -> str:
    """An image of layers that nobody else has, which nothing packs any smaller; its id."""
    folder.mkdir(parents=True)
    lines = ["FROM scratch"]
    for number in range(layers):
        (folder / f"part{number}").write_bytes(secrets.token_bytes(size))
        lines.append(f"COPY part{number} /part{number}")
    (folder / "Dockerfile").write_text("\n".join([*lines, more, ""]))
    done = subprocess.run(
        ["docker", "build", "-q", "-t", name, str(folder)],
        capture_output=True, text=True, check=True, env={**os.environ, "DOCKER_BUILDKIT": "0"},
    )  # fmt: skip
    return done.stdout.strip().splitlines()[-1]


def local_names() -> set[str]:
    """All names that the engine has images by."""
    done = subprocess.run(
        ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())
