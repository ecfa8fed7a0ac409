"""The images themselves: what is in them, what must not be, how much they weigh."""

import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import sagedock
from sagedock.errors import BuildError
from sagedock.images import build, find_root
from sagedock.images.build import Builder
from sagedock.images.plan import IMAGES, INPUTS_LABEL, BuildPlan, Secret

BUDGETS = {"training": 450_000_000, "processing": 400_000_000, "serving": 300_000_000}
"""Bytes, unpacked, all layers."""

IMPORTS = {
    "base": "joblib numpy scipy sklearn xgboost",
    "processing": "joblib numpy scipy sklearn xgboost pandas fastparquet",
    "training": "joblib numpy scipy sklearn xgboost pandas fastparquet boto3 sagemaker_training "
    "sagedock",
    "serving": "joblib numpy numpy.testing scipy.stats scipy.signal sklearn.svm xgboost uvicorn "
    "uvloop httptools orjson simdjson sagedock",
}
SITE = "opt/venv/lib/python3.11/site-packages/"


def inspect(docker_cli, tag):
    return json.loads(docker_cli("image", "inspect", tag).stdout)[0]


def python(docker_cli, tag, code, *options):
    return docker_cli(
        "run", "--rm", "--network", "none", *options, tag, "python3", "-c", code
    ).stdout.strip()


def layers(tag) -> Iterator[tuple[str, tarfile.TarInfo, bytes]]:
    """Every file of every layer, deleted ones included: (layer, entry, content)."""
    with (
        subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saved,
        tarfile.open(fileobj=saved.stdout, mode="r|") as outer,
    ):
        for part in outer:
            data = outer.extractfile(part).read() if part.isfile() else b""
            if data[257:262] != b"ustar":
                yield "image", part, data
                continue
            with tarfile.open(fileobj=io.BytesIO(data)) as inner:
                for entry in inner:
                    content = inner.extractfile(entry).read() if entry.isfile() else b""
                    yield part.name, entry, content
    assert saved.returncode == 0


def certificates(text: str) -> set[str]:
    blocks = re.findall("-----BEGIN CERTIFICATE-----(.+?)-----END", text, re.DOTALL)
    return {block.strip() for block in blocks}


def machine_secrets(environ: Mapping[str, str], public: str) -> set[bytes]:
    """What this machine has and no image may hold: addresses, and certificates that are not among
    the public ones."""
    names = re.compile(
        r"(?i)(https?|ftp|all)_proxy|(PIP|UV)_(EXTRA_)?INDEX(_URL)?|UV_DEFAULT_INDEX"
    )
    needles = {value.encode() for name, value in environ.items() if names.fullmatch(name) and value}
    for name in ("SAGEDOCK_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        if Path(environ.get(name) or "/nowhere").is_file():
            private = certificates(Path(environ[name]).read_text()) - certificates(public)
            needles |= {
                block.splitlines()[len(block.splitlines()) // 2].encode() for block in private
            }
    return needles


@pytest.mark.parametrize("name", ["training", "processing", "serving"])
def test_no_layer_holds_anything_of_the_building_machine(name, images, docker_cli):
    public = docker_cli(
        "run", "--rm", images[name], "sh", "-c",
        f"cat /usr/share/ca-certificates/mozilla/*.crt $(find /{SITE} -name cacert.pem)",
    ).stdout  # fmt: skip
    needles = machine_secrets(os.environ, public) | {str(find_root()).encode() + b"/"}
    history = docker_cli("history", "--no-trunc", images[name]).stdout
    assert [n for n in needles if n in history.encode()] == []
    seen = 0
    for layer, entry, content in layers(images[name]):
        seen += 1
        assert not re.search(r"(^|/)(run/secrets|root/\.cache|pip\.conf$|\.netrc$)", entry.name), (
            layer,
            entry.name,
        )
        assert [n for n in needles if n in content] == [], entry.name
    assert seen > 5000


def test_only_public_certificates(images, docker_cli):
    code = """
from pathlib import Path
import re
def certificates(*paths):
    text = "".join(p.read_text() for p in paths)
    return set(re.findall("BEGIN CERTIFICATE-+(.+?)-+END", text, re.DOTALL))
public = certificates(*Path("/usr/share/ca-certificates").rglob("*.crt"))
print(len(certificates(Path("/etc/ssl/certs/ca-certificates.crt")) - public))

from base64 import urlsafe_b64encode
from hashlib import sha256
from importlib.metadata import files
for package in ("pip", "botocore"):
    bundle = next(f for f in files(package) if f.name == "cacert.pem")
    digest = urlsafe_b64encode(sha256(bundle.read_binary()).digest()).decode().rstrip("=")
    print(digest == bundle.hash.value)
"""
    assert python(docker_cli, images["training"], code).split() == ["0", "True", "True"]


def test_secrets_and_proxies_reach_a_build_and_stay_nowhere(tmp_path, images, docker_cli):
    address = "https://someone:pass-word-1@index.invalid/simple"
    proxy = "http://someone:pass-word-2@127.0.0.1:9"
    (tmp_path / "ca.pem").write_text("certificate of this machine\n")
    (tmp_path / "network.sh").write_text((find_root() / "containers/tools/network.sh").read_text())
    (tmp_path / "Dockerfile").write_text(
        f"FROM {images['base']}\n"
        "RUN --mount=type=bind,source=.,target=/tools"
        " --mount=type=secret,id=ca_bundle --mount=type=secret,id=pip_index"
        f' . /tools/network.sh && test "${{#PIP_INDEX_URL}}" = {len(address)}'
        ' && grep -q certificate "$PIP_CERT" && test -n "$HTTPS_PROXY" && date > /done\n'
    )
    plan = BuildPlan(
        context=tmp_path,
        dockerfile=tmp_path / "Dockerfile",
        tags=("sagedock-test/secrets:latest",),
        build_args={},
        forwarded=("HTTPS_PROXY",),
        secrets=(
            Secret(id="ca_bundle", path=str(tmp_path / "ca.pem")),
            Secret(id="pip_index", value=address),
        ),
        labels={},
    )
    environ = {**os.environ, "HTTPS_PROXY": proxy}
    lines = []
    builder = Builder(root=tmp_path, version="0", environ=environ, report=lines.append)
    try:
        builder.execute("secrets", plan)
        needles = [b"pass-word", b"index.invalid", b"certificate of this machine"]
        history = docker_cli("history", "--no-trunc", plan.tags[0]).stdout
        assert [n for n in needles if n in history.encode()] == []
        held = [(e.name, n) for _, e, c in layers(plan.tags[0]) for n in needles if n in c]
        assert held == []
        assert "pass-word" not in "\n".join(lines)
    finally:
        docker_cli("image", "rm", "--force", plan.tags[0], check=False)


def test_a_step_that_fails_is_named_with_its_last_lines(tmp_path, images):
    (tmp_path / "Dockerfile").write_text(f"FROM {images['base']}\nRUN echo this is why && exit 7\n")
    plan = BuildPlan(
        context=tmp_path,
        dockerfile=tmp_path / "Dockerfile",
        tags=("sagedock-test/fails:latest",),
        build_args={},
        forwarded=(),
        secrets=(),
        labels={},
    )
    builder = Builder(root=tmp_path, version="0", environ=os.environ, report=lambda line: None)
    with pytest.raises(BuildError) as caught:
        builder.execute("fails", plan)
    assert "RUN echo this is why && exit 7" in caught.value.message.splitlines()[0]
    assert "this is why" in caught.value.message
    assert "exit code: 7" in caught.value.message


def test_nothing_is_built_twice(images):
    again = build(images, root=find_root(), version=sagedock.__version__, environ=os.environ)
    assert [image.fresh for image in again] == [False] * len(images)


def test_layers_are_shared(images, docker_cli):
    found = {name: inspect(docker_cli, tag)["RootFS"]["Layers"] for name, tag in images.items()}
    base, pandas = found["base"], found["pandas"]
    assert pandas[: len(base)] == base
    assert len(pandas) == len(base) + 1
    for name in ("training", "processing"):
        assert found[name][: len(pandas)] == pandas
    assert found["processing"] == pandas


@pytest.mark.parametrize("name", BUDGETS)
def test_size(name, images, docker_cli):
    assert inspect(docker_cli, images[name])["Size"] <= BUDGETS[name]
    assert IMAGES[name].budget == BUDGETS[name]  # a build that is larger fails


@pytest.mark.parametrize("name", ["base", "training", "processing", "serving"])
def test_labels_and_tags(name, images, docker_cli):
    document = inspect(docker_cli, images[name])
    labels = document["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"].startswith(f"sagedock {name}")
    assert labels["org.opencontainers.image.version"] == sagedock.__version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", labels["org.opencontainers.image.revision"])
    assert len(labels[INPUTS_LABEL]) == 64
    assert inspect(docker_cli, f"sagedock/{name}:latest")["Id"] == document["Id"]
    assert not document["Config"].get("ExposedPorts")
    assert document["Config"]["Entrypoint"] is None


def locked(*names: str) -> dict[str, str]:
    text = "".join((find_root() / f"containers/{n}/requirements.lock").read_text() for n in names)
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "locks"),
    [
        ("base", ("base",)),
        ("processing", ("base", "pandas")),
        ("training", ("base", "pandas", "training")),
        ("serving", ("base", "serving")),
    ],
)
def test_what_is_installed_is_what_is_locked(name, locks, images, docker_cli):
    code = """
import json, re
from importlib.metadata import distributions
names = {re.sub("[-_.]+", "-", d.name).lower(): d.version for d in distributions()}
print(json.dumps(names))
"""
    installed = json.loads(python(docker_cli, images[name], code))
    assert installed == {**locked(*locks), "xgboost": locked("base")["xgboost-cpu"]}


def test_locks_carry_hashes_and_no_address():
    for lock in sorted((find_root() / "containers").glob("*/*.lock")):
        text = lock.read_text()
        assert "://" not in text
        made_by, *packages = re.split(r"\n(?=[a-z])", text.strip())
        assert made_by.startswith("# Made by `sagedock lock` from ")
        for package in packages:
            assert "--hash=sha256:" in package


@pytest.mark.parametrize("name", IMPORTS)
@pytest.mark.parametrize("user", [(), ("--user", "1234:1234", "--read-only")])
def test_everything_imports(name, user, images, docker_cli):
    code = f"import {', '.join(IMPORTS[name].split())}, os; print(os.getuid())"
    assert python(docker_cli, images[name], code, *user) == ("1234" if user else "0")


@pytest.mark.parametrize("name", ["base", "training", "processing", "serving"])
def test_programs_on_path(name, images, docker_cli):
    # B8.1 and, for sagemaker-training, `which`
    found = docker_cli("run", "--rm", images[name], "which", "bash", "python3", "pip3", "which")
    assert "/opt/venv/bin/python3" in found.stdout
    assert "/opt/venv/bin/pip3" in found.stdout
    absent = docker_cli("run", "--rm", images[name], "which", "gcc", "cc", "uv", check=False)
    assert absent.stdout == ""


def test_distutils_is_there_as_python_3_11_has_it(images, docker_cli):
    code = "from distutils.util import strtobool; print(strtobool('yes'))"
    assert python(docker_cli, images["processing"], code, "--env", "PYTHONWARNINGS=ignore") == "1"


def test_train_is_ours(images, docker_cli):
    found = docker_cli("run", "--rm", images["training"], "sh", "-c", "head -3 $(which train)")
    assert "sagedock" in found.stdout
    others = docker_cli("run", "--rm", images["processing"], "which", "train", check=False)
    assert others.returncode != 0


def test_serving_can_be_built_upon(images, docker_cli):
    # dpkg's own state is whole, and pip works from its one file
    done = docker_cli(
        "run", "--rm", "--network", "none", images["serving"], "sh", "-c",
        "apt-get check && dpkg --audit && pip3 --version && which diff",
    )  # fmt: skip
    assert "pip 2" in done.stdout


def test_serve_is_ours(images, docker_cli):
    found = docker_cli("run", "--rm", images["serving"], "sh", "-c", "head -3 $(which serve)")
    assert "sagedock" in found.stdout


def test_modules_are_compiled_and_fresh(images, docker_cli):
    # a .pyc counts only if it names its source's time and size
    code = f"""
from importlib.util import cache_from_source
from pathlib import Path
import struct
stale, seen = [], 0
for source in [*Path('/{SITE}').rglob('*.py'), *Path('/usr/lib/python3.11').rglob('*.py')]:
    seen += 1
    cached = Path(cache_from_source(str(source)))
    facts = source.stat()
    expected = (0, int(facts.st_mtime) & 0xFFFFFFFF, facts.st_size)
    if not cached.is_file() or struct.unpack('<III', cached.read_bytes()[4:16]) != expected:
        try:
            compile(source.read_bytes(), str(source), 'exec')
            stale.append(str(source))
        except SyntaxError:
            pass
print(seen > 3000, stale)
"""
    assert python(docker_cli, images["training"], code) == "True []"


def test_paths_in_compiled_code_are_those_of_the_image(images, docker_cli):
    code = (
        "import sagedock, pandas;"
        "print(*(f.__code__.co_filename for f in (sagedock.__getattr__, pandas.merge)))"
    )
    assert python(docker_cli, images["training"], code).split() == [
        f"/{SITE}sagedock/__init__.py",
        f"/{SITE}pandas/core/reshape/merge.py",
    ]


def test_licences_and_stubs_stay(images, docker_cli):
    code = """
import sysconfig
from pathlib import Path
site = Path(sysconfig.get_path("purelib"))
licensed = [any(site.glob(f"{name}-*.dist-info/**/*LICEN*")) for name in ("numpy", "scipy")]
print(sum(1 for p in site.rglob("*.pyi")) > 100, (site / "numpy/py.typed").is_file(), all(licensed))
"""
    assert python(docker_cli, images["training"], code) == "True True True"


@pytest.mark.parametrize("wanted", ["xgboost", "xgboost>=2", "xgboost==3.2.0", "xgboost-cpu"])
def test_a_requirement_on_xgboost_is_met_by_the_cpu_build(wanted, images, docker_cli):
    done = docker_cli(
        "run", "--rm", "--network", "none", images["training"],
        "pip3", "install", "--no-index", wanted,
    )  # fmt: skip
    assert "Requirement already satisfied: xgboost" in done.stdout


def test_pip_finds_no_conflict(images, docker_cli):
    assert (
        "No broken requirements"
        in docker_cli("run", "--rm", images["training"], "pip3", "check").stdout
    )


def test_another_xgboost_takes_the_place_of_the_cpu_build(images, docker_cli):
    # Uninstalling the alias takes the CPU build's files: nothing is mixed with what comes next.
    done = docker_cli(
        "run", "--rm", "--network", "none", images["training"], "sh", "-c",
        f"pip3 uninstall -y -q xgboost && ls /{SITE} | grep -c '^xgboost$'",
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "0"


def test_parquet_and_models_really_work(images, docker_cli):
    code = """
import numpy as np, pandas as pd, xgboost as xgb
from sklearn.ensemble import RandomForestClassifier
table = pd.DataFrame({"x": np.arange(100.0), "text": "abc", "y": np.arange(100) % 2})
table.to_parquet("/tmp/t.parquet")
pd.testing.assert_frame_equal(pd.read_parquet("/tmp/t.parquet"), table, check_dtype=False)
booster = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(table[["x"]], table["y"]), 2)
forest = RandomForestClassifier(5).fit(table[["x"]], table["y"])
print(booster.num_boosted_rounds(), len(forest.estimators_))
"""
    assert python(docker_cli, images["processing"], code) == "2 5"


WALK = """
import contextlib, importlib, io, sys, sysconfig, warnings
from pathlib import Path
site = Path(sysconfig.get_path("purelib"))
names = set()
for source in site.rglob("*.py"):
    parts = source.relative_to(site).with_suffix("").parts
    names.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
names = sorted(n for n in names if n.isascii() and n.split(".")[0] not in ("gevent", "sagedock"))
warnings.simplefilter("ignore")
lost, seen = [], 0
for name in names:
    if "__main__" in name or "-" in name or name.startswith("pip._vendor"):
        continue
    seen += 1
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        top = (error.name or "").split(".")[0]
        if (site / top).exists():
            lost.append(f"{name} wants {error.name}")
    except BaseException:
        pass
print(seen > 2000, lost)
"""


def test_no_module_lost_what_it_imports(images, docker_cli):
    """Every module of every package: without what other systems or optional packages bring, only
    a benchmark of protobuf's (its wheel lacks it) and a generator of scipy's own test data miss
    something."""
    assert python(docker_cli, images["training"], WALK) == (
        "True ['google.protobuf.internal.json_format_benchmark wants google.protobuf.json', "
        "'psutil._pswindows wants psutil._psutil_windows', "
        "'scipy.special._precompute.hyp2f1_data wants scipy.special.tests']"
    )
