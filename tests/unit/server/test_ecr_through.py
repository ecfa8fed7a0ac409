"""Pull-through rules of this machine's ECR, and what comes through them; the registry's policy."""

import hashlib
import http.client
import json
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError
from small_registry import SmallRegistry
from small_services import ACCOUNT, client, listening, settings

from sagedock.images.manifests import DOCKER, INDEXES, OCI
from sagedock.server.messages import Response
from sagedock.server.registry import upstream
from sagedock.server.registry.front import RegistryService
from sagedock.server.registry.store import ImageStore, digest_of
from sagedock.server.registry.tokens import Tokens
from sagedock.server.services import ecr
from sagedock.server.services.ecr_records import EcrRecords

LAYER, CONFIG = b"layer" * 1000, b"{}"


def digest(text):
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


class Upstream:
    """A registry elsewhere: an image at team/model:v1, the same in an index at :many."""

    def __init__(self):
        self.image = json.dumps({
            "schemaVersion": 2, "mediaType": DOCKER,
            "config": {"digest": digest(CONFIG), "size": len(CONFIG)},
            "layers": [{"digest": digest(LAYER), "size": len(LAYER)}],
        }).encode()  # fmt: skip
        self.index = json.dumps({
            "schemaVersion": 2, "mediaType": INDEXES[0],
            "manifests": [{"digest": digest(self.image), "mediaType": OCI}],
        }).encode()  # fmt: skip
        self.tags = {"v1": self.image, "many": self.index}
        self.asked = []

    def __call__(self, request):
        self.asked.append(request.path)
        if "/blobs/" in request.path:
            blobs = {digest(LAYER): LAYER, digest(CONFIG): CONFIG}
            return Response(body=blobs[request.path.rpartition("/")[2]])
        name, _, reference = request.path.removeprefix("/v2/").partition("/manifests/")
        found = {**self.tags, digest(self.image): self.image}.get(reference)
        if name != "team/model" or found is None:
            return Response(status=404, body=b'{"errors":[{"code":"NAME_UNKNOWN"}]}')
        return Response(headers={"Content-Type": json.loads(found)["mediaType"]}, body=found)


@pytest.fixture
def here(tmp_path):
    """ECR's client, the registry's address, and what keeps its bytes."""
    behind, records, tokens = SmallRegistry(), EcrRecords(tmp_path, ACCOUNT), Tokens(b"key")
    images = ImageStore(records, behind)
    with listening(RegistryService(images, tokens)) as front:
        made = ecr.service(settings(tmp_path), images, tokens, front.removeprefix("http://"))
        with listening(made) as address:
            caller = client("ecr", address)
            yield caller, behind, images
            caller.close()
    records.close()
    behind.close()


@contextmanager
def elsewhere(caller, prefix="cache", **more):
    found = Upstream()
    with listening(found) as address:
        caller.create_pull_through_cache_rule(
            ecrRepositoryPrefix=prefix, upstreamRegistryUrl=address.removeprefix("http://"), **more
        )
        yield found


def get(caller, name, **image):
    return caller.batch_get_image(repositoryName=name, imageIds=[image])


def test_rules_are_made_listed_and_deleted(here):
    caller, _, _ = here
    made = caller.create_pull_through_cache_rule(
        ecrRepositoryPrefix="quay/", upstreamRegistryUrl="quay.io", upstreamRegistry="quay"
    )
    assert (made["ecrRepositoryPrefix"], made["upstreamRepositoryPrefix"]) == ("quay", "ROOT")
    with pytest.raises(caller.exceptions.PullThroughCacheRuleAlreadyExistsException):
        caller.create_pull_through_cache_rule(
            ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io"
        )
    (rule,) = caller.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert (rule["upstreamRegistryUrl"], rule["registryId"]) == ("quay.io", ACCOUNT)
    asked = caller.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["quay"])
    assert asked["pullThroughCacheRules"] == [rule]
    caller.delete_pull_through_cache_rule(ecrRepositoryPrefix="quay")
    for call in (caller.delete_pull_through_cache_rule, caller.validate_pull_through_cache_rule):
        with pytest.raises(caller.exceptions.PullThroughCacheRuleNotFoundException):
            call(ecrRepositoryPrefix="quay")


def test_a_rule_is_valid_where_its_upstream_answers(here):
    caller, _, _ = here
    with elsewhere(caller):
        assert caller.validate_pull_through_cache_rule(ecrRepositoryPrefix="cache")["isValid"]
    found = caller.validate_pull_through_cache_rule(ecrRepositoryPrefix="cache")
    assert (found["isValid"], "does not answer" in found["failure"]) == (False, True)


def test_what_is_asked_for_comes_and_stays(here):
    caller, behind, images = here
    with elsewhere(caller) as found:
        (image,) = get(caller, "cache/team/model", imageTag="v1")["images"]
        assert image["imageId"]["imageDigest"] == digest(found.image)
        assert set(behind.blobs) == {digest(LAYER), digest(CONFIG)}
        asked = len(found.asked)
        get(caller, "cache/team/model", imageTag="v1")
        get(caller, "cache/team/model", imageDigest=digest(found.image))
        assert len(found.asked) == asked  # it is asked again a day later
        found.tags["v1"] = found.image + b" "
        images.records.documents.put("checked", "cache/team/model:v1", {"at": 0})
        (image,) = get(caller, "cache/team/model", imageTag="v1")["images"]
        assert image["imageId"]["imageDigest"] == digest(found.image + b" ")
        found.image += b" "
    images.records.documents.put("checked", "cache/team/model:v1", {"at": 0})
    assert get(caller, "cache/team/model", imageTag="v1")["images"]  # though nobody answers


def test_an_index_comes_with_all_that_it_lists(here):
    caller, _, _ = here
    with elsewhere(caller) as found:
        (image,) = get(caller, "cache/team/model", imageTag="many")["images"]
        assert image["imageManifestMediaType"] == INDEXES[0]
        stored = caller.list_images(repositoryName="cache/team/model")["imageIds"]
        assert {one["imageDigest"] for one in stored} == {digest(found.index), digest(found.image)}


def test_what_cannot_come_is_told(here):
    caller, _, _ = here
    with elsewhere(caller):
        for name, tag in (("cache/team/model", "v2"), ("cache/other", "v1")):
            with pytest.raises(caller.exceptions.RepositoryNotFoundException, match="upstream"):
                get(caller, name, imageTag=tag)
    with pytest.raises(ClientError, match="UnableToGetUpstreamImageException"):
        get(caller, "cache/team/model", imageTag="v1")
    with pytest.raises(caller.exceptions.RepositoryNotFoundException):
        get(caller, "cachet/team/model", imageTag="v1")
    assert caller.describe_repositories()["repositories"] == []


@pytest.mark.parametrize(
    ("prefix", "above", "name"),
    [
        ("ROOT", "ROOT", "team/model"),
        ("short", "team", "short/model"),
        ("cache", "ROOT", "cache/team/model"),
    ],
)
def test_names_there_follow_from_names_here(here, prefix, above, name):
    caller, _, images = here
    more = {} if above == "ROOT" else {"upstreamRepositoryPrefix": above}
    with elsewhere(caller, prefix, **more):
        assert upstream.source_of(images, name).repository == "team/model"
        assert get(caller, name, imageTag="v1")["images"]


def test_docker_pull_brings_it_too(here, tmp_path):
    caller, _, _ = here
    (data,) = caller.get_authorization_token()["authorizationData"]
    with elsewhere(caller) as found:
        connection = http.client.HTTPConnection(data["proxyEndpoint"].removeprefix("http://"))
        headers = {"Authorization": f"Basic {data['authorizationToken']}"}
        connection.request("GET", "/v2/cache/team/model/manifests/v1", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, digest_of(answer.read())) == (200, digest(found.image))
        connection.request("GET", "/v2/cache/other/manifests/v1", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, b"NAME_UNKNOWN" in answer.read()) == (404, True)
        connection.close()


def test_the_registrys_policy_is_kept(here):
    caller, _, _ = here
    with pytest.raises(caller.exceptions.RegistryPolicyNotFoundException):
        caller.get_registry_policy()
    caller.put_registry_policy(policyText="{}")
    assert caller.get_registry_policy()["policyText"] == "{}"
    assert caller.delete_registry_policy()["policyText"] == "{}"
    with pytest.raises(caller.exceptions.RegistryPolicyNotFoundException):
        caller.delete_registry_policy()
    assert caller.describe_registry()["registryId"] == ACCOUNT
