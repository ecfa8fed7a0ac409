"""Which images may go: the plan, and what uses them by SageMaker's own answers."""

from datetime import UTC, datetime, timedelta

import pytest

from sagedock.images.ecr import StoredImage
from sagedock.images.manifests import DOCKER
from sagedock.images.prune import plan
from sagedock.images.prune_users import Use, images_in

URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn"
START = datetime(2026, 1, 1, tzinfo=UTC)


def stored(number, *tags):
    return StoredImage(digest=f"sha256:{number:064}", tags=tags, size=1, media_type=DOCKER,
                       pushed=START + timedelta(days=number))  # fmt: skip


IMAGES = [stored(1, "v1"), stored(2), stored(3, "v3", "stable"), stored(4, "v4"),
          stored(5, "sagedock-upload-abc"), stored(6, "v6")]  # fmt: skip


def gone(found=(), keep=2, **more):
    done = plan(IMAGES, found, uri=URI, keep=keep, **more)
    return [int(one.digest[7:]) for one in done.removed]


def test_the_newest_stay_and_what_is_older_goes_oldest_first():
    assert gone() == [1, 2, 3, 5]
    assert gone(keep=10) == [2, 5]  # no tag, or the tag of a push that was killed
    assert gone(keep=2, spared=f"sha256:{3:064}") == [1, 2, 5]


@pytest.mark.parametrize(
    "reference",
    [
        f"{URI}:v1",
        f"{URI}@sha256:{1:064}",
        f"{URI}:gone@sha256:{1:064}",
        "123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com/churn:v1",
        "123456789012.dkr-ecr.eu-west-1.on.aws/churn:v1",
        "127.0.0.1:5000/churn:v1",
    ],
)
def test_what_is_used_stays_by_whatever_name(reference):
    assert gone([Use(image=reference, user="model m")]) == [2, 3, 5]


@pytest.mark.parametrize(
    "reference",
    [
        f"{URI}x:v1",
        f"{URI}:v2",
        URI,
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com/churn:v1",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/churn:v1",
    ],
)
def test_what_is_used_elsewhere_keeps_nothing(reference):
    assert 1 in gone([Use(image=reference, user="model m")])


def test_users_are_told_of_what_stays_for_them_only():
    found = [Use(image=f"{URI}:v1", user="model m"), Use(image=f"{URI}:v6", user="model n"),
             Use(image=f"{URI}@sha256:{1:064}", user="endpoint e"),
             Use(image=f"{URI}:v1", user="model m")]  # fmt: skip
    done = plan(IMAGES, found, uri=URI, keep=2)
    assert done.used == {f"sha256:{1:064}": ["model m", "endpoint e"]}


def test_what_an_index_lists_stays_with_it_and_goes_after_it():
    parts = {f"sha256:{6:064}": [f"sha256:{2:064}"]}
    assert gone(children=parts) == [1, 3, 5]
    done = plan(IMAGES, (), uri=URI, keep=1, children={f"sha256:{4:064}": [f"sha256:{2:064}"]})
    assert done.parts == {f"sha256:{2:064}"}
    assert f"sha256:{2:064}" in {one.digest for one in done.removed}


def test_references_are_found_wherever_answers_have_them():
    model = {"ModelName": "m", "PrimaryContainer": {"Image": "a:1", "Environment": {"Image": "z"}},
             "Containers": [{"Image": "b:2"}], "CreationTime": START}  # fmt: skip
    assert set(images_in(model)) >= {"a:1", "b:2"}
    package = {"InferenceSpecification": {"Containers": [
        {"Image": "host:5000/c:3", "ImageDigest": "sha256:1"}]}}  # fmt: skip
    assert set(images_in(package)) == {"host:5000/c:3", "host:5000/c@sha256:1"}
    endpoint = {"ProductionVariants": [{"DeployedImages": [
        {"SpecifiedImage": "d:4", "ResolvedImage": "d@sha256:2"}]}]}  # fmt: skip
    assert set(images_in(endpoint)) == {"d:4", "d@sha256:2"}
    job = {
        "AlgorithmSpecification": {"TrainingImage": "e:5"},
        "AppSpecification": {"ImageUri": "f"},
    }
    assert set(images_in(job)) == {"e:5", "f"}
