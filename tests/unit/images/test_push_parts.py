"""Names, tags and manifests of images that are pushed; and a push against a registry that keeps
manifests as a containerd engine sends them."""

import hashlib
import json

import pytest

from sagedock.engine.docker import ImageInfo
from sagedock.errors import (
    AwsError,
    BuildError,
    EngineError,
    ResourceInUseError,
    ResourceNotFoundError,
    UsageError,
)
from sagedock.images import manifests, naming
from sagedock.images.ecr import Wishes
from sagedock.images.manifests import DOCKER, INDEXES, OCI, Manifest
from sagedock.images.push import push


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("churn", "churn"),
        ("sagedock/training:0.1.0", "sagedock/training"),
        ("localhost:5000/a/b:c", "a/b"),
        ("registry.example.com/a/b@sha256:00", "a/b"),
        ("000000000000.dkr.ecr.us-east-1.amazonaws.com/a-b_c.d:latest", "a-b_c.d"),
    ],
)
def test_the_repository_is_the_images_own_name(image, name):
    assert naming.repository_of(image) == name


@pytest.mark.parametrize("image", ["Churn", "a", "a//b", "-a", "a/" * 200 + "b"])
def test_what_ecr_takes_no_repository_by_is_told(image):
    with pytest.raises(UsageError, match="can't be a repository"):
        naming.repository_of(image)


@pytest.mark.parametrize(
    ("labels", "tag"),
    [
        ({"version": "1.2.0", "revision": "0123456789abcdef0123"}, "1.2.0-0123456789ab"),
        (
            {"version": "1.2.0", "revision": "0123456789abcdef0123-dirty"},
            "1.2.0-0123456789ab-dirty",
        ),
        ({"version": "1.2+local"}, "1.2-local"),
        ({"version": "", "revision": ""}, "5de2f81227fa"),
    ],
)
def test_the_default_tag_is_version_and_commit(labels, tag):
    named = {f"org.opencontainers.image.{key}": value for key, value in labels.items()}
    assert naming.default_tag(named, "sha256:5de2f81227fa3f402658dba4401e46c8") == tag


def test_latest_never_enters_an_immutable_repository():
    naming.check_tag("latest", immutable=False)
    with pytest.raises(UsageError, match="'latest' does not go"):
        naming.check_tag("latest", immutable=True)
    with pytest.raises(UsageError, match="can't be a tag"):
        naming.check_tag("a b", immutable=False)


def of(document):
    text = json.dumps(document)
    return Manifest(text=text, digest="sha256:" + hashlib.sha256(text.encode()).hexdigest())


CONFIG = "sha256:" + "c" * 64
LAYER = {
    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
    "size": 7,
    "digest": "sha256:" + "1" * 64,
    "annotations": {"a": "b"},
}


def oci(kind="gzip", config=CONFIG):
    return of(
        {
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "size": 3,
                "digest": config,
            },
            "layers": [{**LAYER, "mediaType": LAYER["mediaType"].replace("gzip", kind)}],
        }
    )


def index(image):
    return of(
        {
            "schemaVersion": 2,
            "mediaType": INDEXES[0],
            "manifests": [
                {"digest": "sha256:" + "9" * 64, "platform": {"architecture": "unknown"}},
                {
                    "digest": "sha256:" + "8" * 64,
                    "platform": {"architecture": "amd64"},
                    "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
                },
                {"digest": image.digest, "platform": {"architecture": "amd64", "os": "linux"}},
            ],
        }
    )


def test_an_oci_manifest_becomes_dockers_of_the_same_blobs():
    """A1.11."""
    found = json.loads(manifests.as_docker(oci()))
    assert found["mediaType"] == DOCKER
    assert found["config"]["digest"] == CONFIG
    assert found["layers"] == [
        {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": 7,
            "digest": LAYER["digest"],
        }
    ]
    with pytest.raises(BuildError, match="zstd, which SageMaker does not take"):
        manifests.as_docker(oci("zstd"))


def test_of_an_index_the_platforms_own_image_is_taken():
    image = oci()
    assert manifests.of_platform(index(image), "amd64") == image.digest
    with pytest.raises(BuildError, match="holds none for linux/arm64"):
        manifests.of_platform(index(image), "arm64")


def info(**more):
    facts = {
        "id": "sha256:" + "e" * 64, "architecture": "amd64", "size": 1, "entrypoint": (),
        "command": (), "user": "", "labels": {"org.opencontainers.image.version": "1.0"}, **more,
    }  # fmt: skip
    return ImageInfo(**facts)


class Registry:
    """A repository's manifests by tag and digest, as ECR keeps them; itself the only place in it,
    and `apart` as ECR is."""

    account, region, made, needs = "000000000000", "us-east-1", False, ""

    def __init__(self, *, immutable=True, apart=True):
        self.tags, self.all = {}, {}
        self.immutable, self.apart = immutable, apart
        self.logins = 0

    def ensure(self, name: str, wishes: Wishes, before):
        before()
        self.name, self.uri = name, f"host/{name}"
        return self

    def login(self):
        self.logins += 1
        return {"username": "AWS", "password": str(self.logins)}

    def manifest(self, reference):
        return self.all.get(reference) or self.tags.get(reference)

    def put(self, tag, text):
        found = Manifest(text=text, digest=of(json.loads(text)).digest)
        assert tag not in self.tags or not self.immutable
        self.tags[tag] = self.all[found.digest] = found
        return found

    def delete_tag(self, tag):
        self.tags.pop(tag, None)

    def refused(self, words):
        return AwsError(words)


class ContainerdEngine:
    """An engine whose store keeps an index, and sends it; `faults` break the first pushes off."""

    def __init__(self, registry, image, faults=(), names=None):
        self._registry, self._image, self._faults = registry, image, list(faults)
        self.names = names or {}

    def image(self, reference):
        known = self.names.get(reference, index(self._image).digest if reference == "i" else None)
        return info(id=known) if known else None

    def keeps_manifests(self):
        return True

    def tag(self, image, repository, tag):
        self.names[f"{repository}:{tag}"] = image

    def untag(self, reference):
        del self.names[reference]

    def push(self, repository, tag, *, login):
        assert f"{repository}:{tag}" in self.names
        if self._faults:
            fault = self._faults.pop(0)
            raise fault if isinstance(fault, BaseException) else EngineError(fault)
        assert login["password"] == str(self._registry.logins)
        whole = index(self._image)
        self._registry.all[self._image.digest] = self._image
        self._registry.tags[tag] = self._registry.all[whole.digest] = whole
        yield {"id": "1", "status": "Pushing", "progressDetail": {"current": 3, "total": 7}}
        yield {"id": "1", "status": "Pushed"}
        yield {"id": "2", "status": "Layer already exists"}


def test_an_engine_that_sends_an_index_ends_in_dockers_manifest():
    registry, seen, looked = Registry(), [], []
    engine = ContainerdEngine(registry, oci())
    done = push("i", engine=engine, registry=registry, progress=lambda *sent: seen.append(sent),
                repository="ri", checks=looked.append)  # fmt: skip
    assert list(registry.tags) == ["1.0"]
    assert registry.tags["1.0"].media_type == DOCKER
    assert (done.uri, done.digest, done.sent) == ("host/ri:1.0", registry.tags["1.0"].digest, True)
    assert done.by_digest == f"host/ri@{done.digest}"
    assert (seen, done.layers, len(looked)) == ([(3, 7)], (1, 1), 1)
    assert engine.names == {}
    again = push("i", engine=engine, registry=registry, repository="ri")
    assert (again.digest, again.sent) == (done.digest, False)
    other = ContainerdEngine(registry, oci(config="sha256:" + "d" * 64))
    with pytest.raises(ResourceInUseError, match="names another image"):
        push("i", engine=other, registry=registry, repository="ri")
    assert list(registry.tags) == ["1.0"]


def test_where_tags_cannot_be_taken_away_none_is_used_for_a_moment():
    registry = Registry(immutable=False, apart=False)
    done = push("i", engine=ContainerdEngine(registry, oci()), registry=registry, repository="ri")
    assert list(registry.tags) == ["1.0"]
    assert (registry.tags["1.0"].media_type, registry.tags["1.0"].digest) == (DOCKER, done.digest)


def test_a_tag_that_came_as_an_oci_manifest_is_put_as_dockers():
    registry = Registry(immutable=False)
    image = oci()
    registry.tags["1.0"] = registry.all[image.digest] = image
    engine = ContainerdEngine(registry, image, faults=[EngineError("nothing is to be sent")])
    engine.names["i"] = CONFIG
    done = push("i", engine=engine, registry=registry, repository="ri")
    assert done.sent
    assert registry.tags["1.0"].media_type == DOCKER
    registry.tags["1.0"], registry.immutable = image, True
    with pytest.raises(ResourceInUseError, match=r"does not take \(A1.11\)"):
        push("i", engine=engine, registry=registry, repository="ri")


def test_a_name_that_the_user_has_given_stays():
    registry = Registry()
    theirs = "sha256:" + "7" * 64
    engine = ContainerdEngine(registry, oci())
    upload = f"host/ri:sagedock-upload-{index(oci()).digest[7:19]}"
    engine.names[upload] = theirs
    push("i", engine=engine, registry=registry, repository="ri")
    assert engine.names == {upload: theirs}


def test_what_broke_off_is_sent_again_with_a_new_token():
    registry, lines = Registry(), []
    engine = ContainerdEngine(registry, oci(), faults=["unexpected EOF"])
    assert push("i", engine=engine, registry=registry, repository="ri", report=lines.append).sent
    assert registry.logins == 2
    assert "unexpected EOF; again in 1 s" in lines[0]


def test_after_an_interruption_nothing_is_left():
    registry = Registry()
    engine = ContainerdEngine(registry, oci(), faults=[KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        push("i", engine=engine, registry=registry, repository="ri")
    assert (registry.tags, engine.names) == ({}, {})


EXPIRED = "denied: Your authorization token has expired. Reauthenticate and try again."


@pytest.mark.parametrize(
    ("words", "error", "logins"),
    [
        ("denied: User: x is not authorized to perform: ecr:PutImage", AwsError, 1),
        ("name unknown: The repository with name 'ri' does not exist", ResourceNotFoundError, 1),
        ("tag invalid: The image tag '1.0' already exists", ResourceInUseError, 1),
        ("write: no space left on device", EngineError, 1),
    ],
)
def test_what_no_second_try_mends_is_told_at_once(words, error, logins):
    registry = Registry()
    engine = ContainerdEngine(registry, oci(), faults=[words, words])
    with pytest.raises(error) as told:
        push("i", engine=engine, registry=registry, repository="ri")
    assert words in told.value.message
    assert (registry.logins, registry.tags, engine.names) == (logins, {}, {})


def test_a_token_that_has_ended_is_made_anew_at_once():
    registry, lines = Registry(), []
    engine = ContainerdEngine(registry, oci(), faults=[EXPIRED])
    assert push("i", engine=engine, registry=registry, repository="ri", report=lines.append).sent
    assert (registry.logins, lines[0]) == (2, "the registry's token has ended: going on with a "
                                           "new one")  # fmt: skip


def test_images_for_machines_that_sagemaker_lacks_are_refused():
    class Other(ContainerdEngine):
        def image(self, reference):
            return info(architecture="s390x")

    with pytest.raises(BuildError, match="is for linux/s390x"):
        push("i", engine=Other(None, oci()), registry=Registry(), repository="ri")
