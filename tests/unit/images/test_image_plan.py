"""What is built, as data: order, tags, arguments, secrets, labels, digests of inputs."""

from pathlib import Path

import pytest

from sagedock.errors import BuildError
from sagedock.images import IMAGES, find_root, names_in_order
from sagedock.images.plan import (
    INPUTS_LABEL,
    OS_IMAGE,
    Secret,
    make_plan,
    proxy_names,
    secrets,
    source_url,
    tags,
)
from sagedock.images.source import digest, is_shipped

ROOT = Path("/repository")


def plan_of(name, environ=None, **more):
    return make_plan(
        IMAGES[name], root=ROOT, version="1.2.3", digest="d1", environ=environ or {}, **more
    )


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        (["base"], ("base",)),
        (["training"], ("base", "pandas", "training")),
        (["processing", "training"], ("base", "pandas", "processing", "training")),
        (["training", "base", "training"], ("base", "pandas", "training")),
        ([], ()),
    ],
)
def test_parents_come_first_and_once(asked, order):
    assert names_in_order(asked) == order


def test_an_unknown_image_is_named_with_those_there_are():
    with pytest.raises(BuildError, match="no image 'trainig'") as caught:
        names_in_order(["trainig"])
    assert caught.value.hint == f"Images: {', '.join(IMAGES)}."


def test_a_plan_names_version_and_latest():
    plan = plan_of("training")
    assert plan.tags == ("sagedock/training:1.2.3", "sagedock/training:latest")
    assert plan.dockerfile == ROOT / "containers/training/Dockerfile"
    assert plan.context == ROOT


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("base", {"OS_IMAGE": OS_IMAGE}),
        ("pandas", {"PARENT": "sagedock/base:1.2.3"}),
        ("training", {"PARENT": "sagedock/pandas:1.2.3"}),
        ("processing", {"PARENT": "sagedock/pandas:1.2.3"}),
    ],
)
def test_an_image_starts_from_its_parent_of_the_same_version(name, arguments):
    assert plan_of(name).build_args == arguments


def test_labels_say_what_it_is():
    labels = plan_of("base", revision="abc", source="https://host/x").labels
    assert labels["org.opencontainers.image.title"].startswith("sagedock base")
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.revision"] == "abc"
    assert labels["org.opencontainers.image.source"] == "https://host/x"
    assert labels[INPUTS_LABEL] == "d1"


def test_what_is_unknown_is_not_inherited_from_the_parent():
    assert plan_of("training").labels["org.opencontainers.image.source"] == ""


def test_an_empty_environment_gives_nothing_away():
    plan = plan_of("base")
    assert (plan.secrets, plan.forwarded) == ((), ())


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"SAGEDOCK_CA_BUNDLE": "/a", "SSL_CERT_FILE": "/b", "REQUESTS_CA_BUNDLE": "/c"}, "/a"),
        ({"SSL_CERT_FILE": "/b", "REQUESTS_CA_BUNDLE": "/c"}, "/b"),
        ({"SSL_CERT_FILE": "", "REQUESTS_CA_BUNDLE": "/c"}, "/c"),
    ],
)
def test_the_first_certificate_bundle_set_is_taken(environ, path):
    assert secrets(environ) == (Secret(id="ca_bundle", path=path),)


def test_an_index_with_a_password_is_not_shown():
    plan = plan_of("base", {"PIP_INDEX_URL": "https://me:hidden@index.invalid/simple"})
    assert plan.secrets[0].value.startswith("https://me:hidden@")
    assert "hidden" not in repr(plan)


def test_proxies_are_forwarded_by_name_only():
    environ = {"HTTPS_PROXY": "http://me:hidden@proxy:1", "no_proxy": "localhost", "HTTP_PROXY": ""}
    assert proxy_names(environ) == ("HTTPS_PROXY", "no_proxy")
    assert "hidden" not in repr(plan_of("base", environ))


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://host.example/team/sagedock.git", "https://host.example/team/sagedock"),
        ("https://me:token@host.example/team/sagedock", "https://host.example/team/sagedock"),
        ("git@host.example:team/sagedock.git", "https://host.example/team/sagedock"),
        ("ssh://git@host.example/team/sagedock", "https://host.example/team/sagedock"),
        ("/home/me/sagedock", ""),
        ("file:///home/me/sagedock", ""),
        ("../sagedock", ""),
        ("", ""),
    ],
)
def test_a_remote_becomes_an_address_without_credentials_or_local_paths(remote, url):
    assert source_url(remote) == url


def test_tags():
    assert tags("base", "9") == ("sagedock/base:9", "sagedock/base:latest")


def test_every_image_has_its_files():
    for spec in IMAGES.values():
        assert len(digest(find_root(), spec)) == 64


def test_the_root_is_found_from_below_and_missed_elsewhere(tmp_path):
    root = find_root()
    assert find_root(root / "src" / "sagedock") == root
    with pytest.raises(BuildError, match="built from the project's repository") as caught:
        find_root(tmp_path)
    assert "clone the project" in caught.value.hint


def test_what_a_wheel_ships_is_found_beside_the_code_that_looks(tmp_path):
    shipped = tmp_path / "images" / "shipped"
    (shipped / "containers" / "base").mkdir(parents=True)
    (shipped / "containers" / "base" / "Dockerfile").touch()
    assert find_root(tmp_path / "images" / "source.py") == shipped
    assert not is_shipped(find_root())


@pytest.fixture
def tree(tmp_path):
    for entry in IMAGES["base"].inputs:
        (tmp_path / entry).mkdir(parents=True)
        (tmp_path / entry / "file").write_text("one")
    return tmp_path


def base_digest(root, *extra):
    return digest(root, IMAGES["base"], *extra)


def test_a_digest_sees_content_names_modes_and_the_parent(tree):
    seen = {base_digest(tree, "parent1"), base_digest(tree, "parent2")}
    path = tree / "containers/base/file"
    path.write_text("two")
    seen.add(base_digest(tree, "parent1"))
    path.chmod(0o755)
    seen.add(base_digest(tree, "parent1"))
    path.rename(path.with_name("other"))
    seen.add(base_digest(tree, "parent1"))
    assert len(seen) == 5


def test_a_digest_ignores_what_the_build_ignores(tree):
    before = base_digest(tree)
    (tree / "containers/base/__pycache__").mkdir()
    (tree / "containers/base/__pycache__/x.cpython-311.pyc").write_bytes(b"x")
    (tree / "README.md").write_text("not an input")
    assert base_digest(tree) == before


def test_a_missing_input_is_named(tree):
    (tree / "containers/base/file").unlink()
    (tree / "containers/base").rmdir()
    with pytest.raises(BuildError, match="containers/base is missing"):
        base_digest(tree)


def test_dockerignore_lets_in_exactly_the_inputs():
    root = find_root()
    allowed = {
        line[1:].rstrip("/")
        for line in (root / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    inputs = {entry for spec in IMAGES.values() for entry in spec.inputs}
    assert {"containers" if i.startswith("containers/") else i for i in inputs} == allowed
