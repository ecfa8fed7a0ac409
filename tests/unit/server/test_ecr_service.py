"""ECR as boto3 meets it, and the registry API as Docker does: in front of a small registry in this
process. The real one is met in tests/docker/server."""

import base64
import gc
import hashlib
import http.client
import json
import re
import time
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from small_registry import SmallRegistry
from small_services import (
    ACCOUNT,
    client,
    documents,
    json_request,
    listening,
    request,
    settings,
)

from sagedock.local import image_names
from sagedock.local.image_names import Use
from sagedock.local.settings import LocalSettings
from sagedock.server.registry.front import RegistryService
from sagedock.server.registry.local import LocalRegistry
from sagedock.server.registry.store import DEFAULT_TYPE, ImageStore, digest_of
from sagedock.server.registry.tokens import SECONDS, TokenError, Tokens
from sagedock.server.services import ecr, ecr_lifecycle
from sagedock.server.services.ecr_records import EcrRecords, is_immutable

TARGET = "AmazonEC2ContainerRegistry_V20150921"
ADDRESS = "127.0.0.1:5"


@pytest.fixture
def behind():
    made = SmallRegistry()
    yield made
    made.close()


@pytest.fixture
def images(tmp_path, behind):
    records = EcrRecords(tmp_path, ACCOUNT)
    yield ImageStore(records, behind)
    records.close()


@pytest.fixture
def tokens():
    return Tokens(b"key")


@pytest.fixture
def service(tmp_path, images, tokens):
    return ecr.service(settings(tmp_path), images, tokens, ADDRESS)


@pytest.fixture
def caller(service):
    with listening(service) as address:
        made = client("ecr", address)
        yield made
        made.close()


@pytest.fixture
def docker(images, tokens):
    """Asks the registry API as Docker does; gives status, fields and body."""
    good = "Basic " + base64.b64encode(f"AWS:{tokens.password()[0]}".encode()).decode()
    with listening(RegistryService(images, tokens)) as address:

        def ask(method, path, body=None, authorization=good, **fields):
            connection = http.client.HTTPConnection(address.removeprefix("http://"))
            headers = {name.replace("_", "-"): value for name, value in fields.items()}
            if authorization:
                headers["Authorization"] = authorization
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            found = answer.status, answer.headers, answer.read()
            connection.close()
            return found

        yield ask


def manifest(*blobs, **more) -> bytes:
    layers = [{"digest": digest_of(blob), "size": len(blob)} for blob in blobs]
    document = {"schemaVersion": 2, "mediaType": DEFAULT_TYPE, "layers": layers, **more}
    return json.dumps(document).encode()


def push(docker, name, tag, *blobs, **more):
    for blob in blobs:
        status, fields, _ = docker("POST", f"/v2/{name}/blobs/uploads/")
        assert status == 202
        place = f"{fields['Location']}&digest={digest_of(blob)}"
        assert docker("PUT", place, blob)[0] == 201
    return docker("PUT", f"/v2/{name}/manifests/{tag}", manifest(*blobs, **more),
                  Content_Type=DEFAULT_TYPE)  # fmt: skip


def lifecycle(*selections, **more) -> str:
    rules = [
        {"rulePriority": number, "selection": one, "action": {"type": "expire"}}
        for number, one in enumerate(selections, 1)
    ]
    return json.dumps({"rules": rules, **more})


def refused(call, code, text, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert text in error["Message"]


# repositories


def test_a_repository_names_loopback(caller):
    made = caller.create_repository(repositoryName="team/model")["repository"]
    assert made["repositoryUri"] == f"{ADDRESS}/team/model"
    assert made["repositoryArn"] == f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/team/model"
    assert made["imageTagMutability"] == "MUTABLE"
    assert caller.describe_repositories()["repositories"] == [made]
    found = caller.describe_repositories(repositoryNames=["team/model"], registryId=ACCOUNT)
    assert found["repositories"] == [made]


def test_errors_are_the_services_own(caller):
    missing = f"The repository with name 'x1' does not exist in the registry with id '{ACCOUNT}'"
    refused(caller.describe_repositories, "RepositoryNotFoundException", missing,
            repositoryNames=["x1"])  # fmt: skip
    refused(caller.list_images, "RepositoryNotFoundException", missing, repositoryName="x1")
    caller.create_repository(repositoryName="x1")
    refused(caller.create_repository, "RepositoryAlreadyExistsException", "already exists",
            repositoryName="x1")  # fmt: skip
    refused(caller.create_repository, "InvalidParameterException", "regular expression",
            repositoryName="Capital")  # fmt: skip
    refused(caller.list_images, "RepositoryNotFoundException", "id '000000000000'",
            repositoryName="x1", registryId="0" * 12)  # fmt: skip
    with pytest.raises(caller.exceptions.LifecyclePolicyNotFoundException):
        caller.get_lifecycle_policy(repositoryName="x1")
    with pytest.raises(caller.exceptions.RepositoryPolicyNotFoundException):
        caller.get_repository_policy(repositoryName="x1")


def test_repositories_come_in_pages(caller):
    for number in range(5):
        caller.create_repository(repositoryName=f"r{number}")
    pages = caller.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2})
    names = [[one["repositoryName"] for one in page["repositories"]] for page in pages]
    assert names == [["r0", "r1"], ["r2", "r3"], ["r4"]]


def test_policies_and_tags_are_kept(caller):
    made = caller.create_repository(repositoryName="r1", tags=[{"Key": "a", "Value": "1"}])
    arn = made["repository"]["repositoryArn"]
    text = lifecycle({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9})
    caller.put_lifecycle_policy(repositoryName="r1", lifecyclePolicyText=text)
    assert caller.get_lifecycle_policy(repositoryName="r1")["lifecyclePolicyText"] == text
    assert caller.delete_lifecycle_policy(repositoryName="r1")["lifecyclePolicyText"] == text
    refused(caller.put_lifecycle_policy, "InvalidParameterException", "LifecyclePolicyText",
            repositoryName="r1", lifecyclePolicyText="[" * 200)  # fmt: skip
    caller.set_repository_policy(repositoryName="r1", policyText=text)
    assert caller.get_repository_policy(repositoryName="r1")["policyText"] == text
    caller.delete_repository_policy(repositoryName="r1")
    caller.tag_resource(resourceArn=arn, tags=[{"Key": "b", "Value": "2"}])
    caller.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert caller.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b", "Value": "2"}]
    refused(caller.list_tags_for_resource, "InvalidParameterException", "ARN", resourceArn="x")
    caller.put_image_scanning_configuration(
        repositoryName="r1", imageScanningConfiguration={"scanOnPush": True}
    )
    (found,) = caller.describe_repositories()["repositories"]
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}


# tokens


def test_a_token_is_for_docker_login_and_for_12_hours(caller, docker):
    (data,) = caller.get_authorization_token()["authorizationData"]
    assert data["proxyEndpoint"] == f"http://{ADDRESS}"
    assert data["expiresAt"].timestamp() == pytest.approx(time.time() + 12 * 3600, abs=5)
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":")
    assert user == "AWS"
    login = base64.b64encode(f"AWS:{password}".encode()).decode()
    assert docker("GET", "/v2/", authorization=f"Basic {login}")[0] == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "Basic", "Basic ?", "Bearer x", "Basic QVdTOng=", "Basic Zm9vOmJhcg==", "Basic QVdT"],
)
def test_without_a_token_nothing_is_told(docker, authorization):
    for path in ("/v2/", "/v2/r1/tags/list", "/"):
        status, fields, body = docker("GET", path, authorization=authorization)
        assert status == 401
        assert fields["WWW-Authenticate"].startswith("Basic realm=")
        assert json.loads(body)["errors"][0]["code"] == "UNAUTHORIZED"


def test_an_old_token_is_told_to_be_old(docker, tokens):
    password, ends = tokens.password(now=time.time() - SECONDS - 1)
    assert ends < time.time()
    login = base64.b64encode(f"AWS:{password}".encode()).decode()
    status, _, body = docker("GET", "/v2/", authorization=f"Basic {login}")
    assert (status, json.loads(body)["errors"][0]["code"]) == (403, "DENIED")
    assert b"expired" in body


@given(st.text(max_size=40), st.binary(max_size=40))
def test_no_token_can_be_made_up(text, data):
    tokens = Tokens(b"secret")
    for value in (text, f"Basic {text}", "Basic " + base64.b64encode(data).decode(),
                  "Basic " + base64.b64encode(b"AWS:" + data).decode()):  # fmt: skip
        with pytest.raises(TokenError):
            tokens.check(value)
    good, _ = tokens.password()
    changed = good[:-1] + ("0" if good[-1] != "0" else "1")
    with pytest.raises(TokenError):
        tokens.check("Basic " + base64.b64encode(f"AWS:{changed}".encode()).decode())


# pushing and pulling


def test_an_image_that_is_pushed_can_be_described_and_pulled(caller, docker):
    caller.create_repository(repositoryName="r1")
    blob, big = b"layer", bytes(3 << 20)
    status, fields, _ = push(docker, "r1", "v1", blob, big)
    assert status == 201
    digest = fields["Docker-Content-Digest"]
    (found,) = caller.describe_images(repositoryName="r1")["imageDetails"]
    assert found["imageDigest"] == digest
    assert found["imageTags"] == ["v1"]
    assert found["imageSizeInBytes"] == len(blob) + len(big)
    assert found["imagePushedAt"].timestamp() == pytest.approx(time.time(), abs=10)
    for reference in ("v1", digest):
        status, fields, body = docker("GET", f"/v2/r1/manifests/{reference}")
        assert (status, fields["Content-Type"]) == (200, DEFAULT_TYPE)
        assert digest_of(body) == digest == fields["Docker-Content-Digest"]
    assert docker("HEAD", "/v2/r1/manifests/v1")[1]["Content-Length"] == str(len(body))
    for one in (blob, big):
        assert docker("HEAD", f"/v2/r1/blobs/{digest_of(one)}")[1]["Content-Length"] == str(
            len(one)
        )
        assert docker("GET", f"/v2/r1/blobs/{digest_of(one)}")[2] == one
    (image,) = caller.batch_get_image(repositoryName="r1", imageIds=[{"imageTag": "v1"}])["images"]
    assert image["imageManifest"].encode() == body
    assert image["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    assert caller.list_images(repositoryName="r1")["imageIds"] == [image["imageId"]]


def test_a_chunked_upload_passes(caller, docker, behind):
    caller.create_repository(repositoryName="r1")
    parts = [b"a" * 70_000, b"b" * 70_000]
    digest = f"sha256:{hashlib.sha256(b''.join(parts)).hexdigest()}"
    status, _, _ = docker("PUT", f"/v2/r1/blobs/uploads/1?digest={digest}", iter(parts))
    assert status == 201
    assert behind.blobs[digest] == b"".join(parts)


def test_a_missing_repository_is_told(docker):
    for method, path in (
        ("POST", "/v2/none/blobs/uploads/"), ("GET", "/v2/none/tags/list"),
        ("PUT", "/v2/none/manifests/v1"), ("HEAD", f"/v2/none/blobs/sha256:{'0' * 64}"),
    ):  # fmt: skip
        status, _, body = docker(method, path)
        assert status == 404
        if method != "HEAD":
            error = json.loads(body)["errors"][0]
            assert error["code"] == "NAME_UNKNOWN"
            assert "The repository with name 'none' does not exist" in error["message"]


def test_a_tag_may_not_move_where_it_is_said_so(caller, docker):
    caller.create_repository(repositoryName="r1", imageTagMutability="IMMUTABLE")
    assert push(docker, "r1", "v1", b"one")[0] == 201
    assert push(docker, "r1", "v1", b"one")[0] == 201  # the same image
    status, _, body = push(docker, "r1", "v1", b"two")
    assert status == 400
    error = json.loads(body)["errors"][0]
    assert error["code"] == "TAG_INVALID"
    assert "cannot be overwritten because the tag is immutable" in error["message"]
    caller.put_image_tag_mutability(repositoryName="r1", imageTagMutability="MUTABLE")
    assert push(docker, "r1", "v1", b"two")[0] == 201
    assert len(caller.list_images(repositoryName="r1")["imageIds"]) == 2
    bare = caller.describe_images(repositoryName="r1", filter={"tagStatus": "UNTAGGED"})
    assert len(bare["imageDetails"]) == 1
    assert "imageTags" not in bare["imageDetails"][0]


@pytest.mark.parametrize(
    ("mode", "tag", "fixed"),
    [
        ("MUTABLE", "v1", False), ("IMMUTABLE", "latest", True),
        ("IMMUTABLE_WITH_EXCLUSION", "latest", False), ("IMMUTABLE_WITH_EXCLUSION", "v1", True),
        ("MUTABLE_WITH_EXCLUSION", "latest", True), ("MUTABLE_WITH_EXCLUSION", "v1", False),
    ],
)  # fmt: skip
def test_filters_turn_a_mode_round(mode, tag, fixed):
    filters = [{"filter": "late*", "filterType": "WILDCARD"}]
    assert is_immutable({"mutability": mode, "exclusions": filters}, tag) is fixed


def test_filters_go_with_their_modes(caller):
    refused(caller.create_repository, "InvalidParameterException", "Exclusion",
            repositoryName="r1", imageTagMutability="IMMUTABLE_WITH_EXCLUSION")  # fmt: skip


def test_an_image_whose_layers_are_missing_is_refused(caller, docker):
    caller.create_repository(repositoryName="r1")
    status, _, body = docker("PUT", "/v2/r1/manifests/v1", manifest(b"never pushed"))
    assert (status, json.loads(body)["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")
    refused(caller.put_image, "LayersNotFoundException", "missing",
            repositoryName="r1", imageManifest=manifest(b"never pushed").decode())  # fmt: skip
    assert docker("PUT", "/v2/r1/manifests/v1", b"[1")[0] == 400
    assert docker("PUT", f"/v2/r1/manifests/sha256:{'0' * 64}", manifest())[0] == 400


def test_an_image_can_be_tagged_by_the_api(caller, docker):
    caller.create_repository(repositoryName="r1")
    push(docker, "r1", "v1", b"one")
    (image,) = caller.batch_get_image(repositoryName="r1", imageIds=[{"imageTag": "v1"}])["images"]
    caller.put_image(repositoryName="r1", imageTag="v2", imageManifest=image["imageManifest"])
    (found,) = caller.describe_images(repositoryName="r1")["imageDetails"]
    assert found["imageTags"] == ["v1", "v2"]
    _, _, body = docker("GET", "/v2/r1/tags/list?n=1")
    assert json.loads(body) == {"name": "r1", "tags": ["v1"]}
    assert json.loads(docker("GET", "/v2/r1/tags/list?n=1&last=v1")[2])["tags"] == ["v2"]


def test_images_go_by_tag_or_by_digest(caller, docker, behind):
    caller.create_repository(repositoryName="r1")
    push(docker, "r1", "v1", b"one")
    _, fields, _ = push(docker, "r1", "v2", b"one")
    digest = fields["Docker-Content-Digest"]

    def delete(**image_id):
        return caller.batch_delete_image(repositoryName="r1", imageIds=[image_id])

    assert delete(imageTag="v1")["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}]
    assert docker("GET", "/v2/r1/manifests/v1")[0] == 404
    assert docker("GET", "/v2/r1/manifests/v2")[0] == 200
    assert delete(imageTag="v1")["failures"][0]["failureCode"] == "ImageNotFound"
    assert delete(imageTag="v2")["imageIds"] == [{"imageDigest": digest, "imageTag": "v2"}]
    assert caller.list_images(repositoryName="r1")["imageIds"] == []
    assert behind.manifests == {}
    assert behind.garbage
    push(docker, "r1", "v1", b"one")
    push(docker, "r1", "v2", b"two")
    answer = delete(imageTag="v2", imageDigest=digest)
    assert answer["failures"][0]["failureCode"] == "ImageTagDoesNotMatchDigest"
    assert len(delete(imageDigest=digest)["imageIds"]) == 1


def test_a_repository_with_images_goes_only_by_force(caller, docker):
    caller.create_repository(repositoryName="r1")
    push(docker, "r1", "v1", b"one")
    refused(caller.delete_repository, "RepositoryNotEmptyException", "still contains images",
            repositoryName="r1")  # fmt: skip
    caller.delete_repository(repositoryName="r1", force=True)
    caller.create_repository(repositoryName="r1")
    assert caller.list_images(repositoryName="r1")["imageIds"] == []


def test_images_are_not_scanned(caller, docker):
    caller.create_repository(repositoryName="r1")
    push(docker, "r1", "v1", b"one")
    refused(caller.describe_image_scan_findings, "ScanNotFoundException", "does not exist",
            repositoryName="r1", imageId={"imageTag": "v1"})  # fmt: skip
    refused(caller.describe_images, "ImageNotFoundException", "imageTag:'v2'",
            repositoryName="r1", imageIds=[{"imageTag": "v2"}])  # fmt: skip


def test_what_ecr_does_not_let_docker_do(caller, docker):
    caller.create_repository(repositoryName="r1")
    push(docker, "r1", "v1", b"one")
    digest = digest_of(b"one")
    assert docker("DELETE", "/v2/r1/manifests/v1")[0] == 405
    assert docker("DELETE", f"/v2/r1/blobs/{digest}")[0] == 405
    assert docker("POST", f"/v2/r1/blobs/uploads/?mount={digest}&from=none")[0] == 404
    assert docker("GET", "/v2/r1/blobs/x")[0] == 400
    assert json.loads(docker("GET", "/v2/_catalog")[2]) == {"repositories": ["r1"]}


def test_a_registry_that_does_not_answer_is_told(images, tokens, behind):
    behind.close()
    images.records.create("r1", {})
    good = "Basic " + base64.b64encode(f"AWS:{tokens.password()[0]}".encode()).decode()
    asked = request("GET", f"/v2/r1/blobs/sha256:{'0' * 64}", Authorization=good)
    with pytest.raises(ConnectionError):  # the connection is closed, and Docker tries again
        RegistryService(images, tokens)(asked)


# put together


def test_the_registry_keeps_its_address_and_its_key(tmp_path):
    found = []
    for _ in range(2):
        registry = LocalRegistry(settings(tmp_path))
        registry.start()
        found.append((registry.address, registry.login()["username"]))
        password = registry.login()["password"]
        login = base64.b64encode(f"AWS:{password}".encode()).decode()
        connection = http.client.HTTPConnection(registry.address)
        connection.request("GET", "/v2/", headers={"Authorization": f"Basic {login}"})
        assert connection.getresponse().status == 200
        connection.close()
        registry.close()
    assert found[0] == found[1]
    assert found[0][1] == "AWS"


def test_an_address_that_is_taken_is_another(tmp_path):
    first = LocalRegistry(settings(tmp_path / "a"))
    taken = int(first.address.partition(":")[2])
    second = EcrRecords(tmp_path / "b", ACCOUNT)
    second.documents.put("registry", "port", {"port": taken})
    second.close()
    registry = LocalRegistry(settings(tmp_path / "b"))
    assert registry.address != first.address
    with pytest.raises(OSError, match="in use"):
        LocalRegistry(settings(tmp_path / "c"), port=taken)
    registry.close()
    first.close()


# lifecycle policies


def test_a_policy_lets_images_go_when_it_is_put_and_after_each_push(caller, docker):
    caller.create_repository(repositoryName="r1")
    for number in range(4):
        push(docker, "r1", f"v{number}", b"layer %d" % number)
    text = lifecycle({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2})
    caller.put_lifecycle_policy(repositoryName="r1", lifecyclePolicyText=text)

    def tags():
        found = caller.list_images(repositoryName="r1")["imageIds"]
        return [one["imageTag"] for one in found]

    assert tags() == ["v2", "v3"]
    push(docker, "r1", "v4", b"another")
    assert tags() == ["v3", "v4"]
    caller.delete_lifecycle_policy(repositoryName="r1")
    push(docker, "r1", "v5", b"yet another")
    assert tags() == ["v3", "v4", "v5"]


DAY = 86400.0
COUNT = {"countType": "imageCountMoreThan", "countNumber": 1}
AGE = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 10}


def kept(*selections):
    """Names of what stays of five images, a week apart, the newest of today."""
    images = [
        ecr_lifecycle.Image(digest=name, pushed=(10 - 7 * age) * DAY, tags=tags)
        for age, (name, tags) in enumerate(
            [("a", ("prod-2", "latest")), ("b", ()), ("c", ("prod-1",)), ("d", ()), ("e", ("dev",))]
        )
    ]
    gone = ecr_lifecycle.expired(ecr_lifecycle.read(lifecycle(*selections)), images, 10 * DAY)
    return "".join(image.digest for image in images if image.digest not in gone)


def test_which_images_go():
    assert kept({"tagStatus": "any", **COUNT}) == "a"
    assert kept({"tagStatus": "untagged", **COUNT}) == "abce"
    assert kept({"tagStatus": "any", **AGE}) == "ab"
    assert kept({"tagStatus": "tagged", "tagPrefixList": ["prod"], **COUNT}) == "abde"
    assert kept({"tagStatus": "tagged", "tagPrefixList": ["prod", "lat"], **AGE}) == "abcde"
    assert kept({"tagStatus": "tagged", "tagPatternList": ["*-1"], **AGE}) == "abde"
    # What the first rule is about the second can't touch.
    prod = {"tagStatus": "tagged", "tagPrefixList": ["prod"], **COUNT, "countNumber": 5}
    assert kept(prod, {"tagStatus": "any", **COUNT}) == "abc"


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", '{"rules": []}', '{"rules": [1]}', lifecycle({}), lifecycle(COUNT),
        lifecycle({"tagStatus": "any"}), lifecycle({"tagStatus": "tagged", **COUNT}),
        lifecycle({"tagStatus": "any", "tagPrefixList": ["a"], **COUNT}),
        lifecycle({"tagStatus": "tagged", "tagPrefixList": [1], **COUNT}),
        lifecycle({"tagStatus": "any", **COUNT, "countNumber": 0}),
        lifecycle({"tagStatus": "any", **AGE, "countUnit": "hours"}),
        lifecycle({"tagStatus": "any", **COUNT}, {"tagStatus": "untagged", **COUNT}),
        lifecycle({"tagStatus": "any", **COUNT}).replace("expire", "transition"),
        lifecycle({"tagStatus": "any", **COUNT}).replace("1,", '"1",'),
    ],
)  # fmt: skip
def test_what_is_no_policy(text):
    with pytest.raises(ecr_lifecycle.PolicyError):
        ecr_lifecycle.read(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["any", "tagged", "days", ""]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["rules", "selection", "action", "type", "tagStatus", "countNumber",
                         "countType", "rulePriority", "tagPrefixList"]), inner),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_json_is_a_policy_or_is_not(document):
    try:
        rules = ecr_lifecycle.read(json.dumps({"rules": document}))
    except ecr_lifecycle.PolicyError:
        return
    assert rules


# whose image a URI means

HERE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
OTHER = "999999999999.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("python:3.11", "python:3.11"),
        (f"{HERE}/team/model:v1", f"{ADDRESS}/team/model:v1"),
        (f"{HERE}/sagemaker-xgboost:1", f"{ADDRESS}/sagemaker-xgboost:1"),
        (f"{HERE}/model", f"{ADDRESS}/model"),
        (f"{HERE}/model@sha256:{'a' * 64}", f"{ADDRESS}/model@sha256:{'a' * 64}"),
        (f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com/m", f"{ADDRESS}/m"),
        (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/m:1", f"{ADDRESS}/m:1"),
        (f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws/m:1", f"{ADDRESS}/m:1"),
        (f"{ADDRESS}/model:v1", f"{ADDRESS}/model:v1"),
        (f"{OTHER}/model:1", f"{OTHER}/model:1"),
        (f"evil.com/{HERE}/model:1", f"evil.com/{HERE}/model:1"),
    ],
)
def test_an_image_of_the_account_is_in_the_registry_here(tmp_path, uri, found):
    machine = LocalSettings(data=tmp_path, account=ACCOUNT, registry=ADDRESS)
    assert image_names.here(uri, Use.TRAINING, machine) == found
    assert image_names.note(uri, Use.TRAINING, machine) == ()
    assert image_names.here(uri, Use.TRAINING, settings(tmp_path)) == uri  # without a registry
    assert LocalSettings.from_json(machine.to_json()).registry == ADDRESS


# anything that may come

OPERATIONS = [
    "CreateRepository", "DescribeRepositories", "DeleteRepository", "GetAuthorizationToken",
    "PutImageTagMutability", "PutImageScanningConfiguration", "PutLifecyclePolicy",
    "GetLifecyclePolicy", "DeleteLifecyclePolicy", "SetRepositoryPolicy", "GetRepositoryPolicy",
    "DeleteRepositoryPolicy", "TagResource", "UntagResource", "ListTagsForResource",
    "DescribeImages", "ListImages", "BatchGetImage", "BatchDeleteImage", "PutImage",
    "DescribeImageScanFindings",
]  # fmt: skip


@how(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents("ecr", OPERATIONS), st.booleans())
def test_no_request_is_a_fault_of_ours(service, one, named):
    service(json_request(TARGET, "CreateRepository", {"repositoryName": "r1"}))
    operation, document = one
    if named and isinstance(document, dict):
        document = {**document, "repositoryName": "r1"}
    assert service(json_request(TARGET, operation, document)).status < 500


_PARTS = st.sampled_from(
    ["v2", "r1", "..", ".", "", "blobs", "uploads", "manifests", "tags", "list", "latest",
     f"sha256:{'0' * 64}", "%2e%2e", "a b", "é", "x" * 300, "?n=-1", "\x00"]
)  # fmt: skip


@how(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "PURGE"]),
    st.lists(_PARTS, max_size=6),
    st.sampled_from([b"", b"{", b"[]", b"{}", b'{"layers": [1]}', b"\xff", b"[" * 3000]),
    st.sampled_from(["", "n=1", "n=x&last=\xe9", "digest=sha256:0&mount=x&from=r1"]),
)
def test_no_path_is_a_fault_of_ours(images, tokens, method, parts, body, query):
    images.records.documents.add("repository", "r1", {"created": 0.0})
    good = "Basic " + base64.b64encode(f"AWS:{tokens.password()[0]}".encode()).decode()
    path = "/v2/" + "/".join(parts)
    if re.search(r"blobs/", path):  # what passes on is the registry's to answer
        path = path.replace("r1", "r2")
    answer = RegistryService(images, tokens)(request(method, path, query, body, Authorization=good))
    assert answer.status < 500


def test_an_upload_that_breaks_off_leaves_no_connection_open(images, tokens):
    class Broken:
        def read(self, size=-1):
            raise EOFError("the client is gone")

    images.records.create("model", {"mutability": "MUTABLE"})
    login = base64.b64encode(f"AWS:{tokens.password()[0]}".encode()).decode()
    asked = request(
        method="PATCH", path="/v2/model/blobs/uploads/1", body=b"x", Authorization=f"Basic {login}"
    )
    with pytest.raises(EOFError):
        RegistryService(images, tokens)(replace(asked, body=Broken(), size=10))
    gc.collect()  # an open socket would be told of here
