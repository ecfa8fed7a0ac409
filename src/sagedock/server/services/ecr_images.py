"""ECR's operations on images: which there are, their manifests, and that they go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sagedock.server.protocols.shapes import Params
from sagedock.server.registry import upstream
from sagedock.server.registry.store import DEFAULT_TYPE, ImageStore
from sagedock.server.services.ecr_records import EcrRecords
from sagedock.server.services.paging import page
from sagedock.server.services.rpc import Operation, ServiceError

_PAGE = 100
Answer = dict[str, Any]


class EcrImages:
    """The operations on the images of `images`."""

    def __init__(self, images: ImageStore) -> None:
        self._images, self._records = images, images.records

    def operations(self) -> dict[str, Operation]:
        """What RpcService is given."""
        return {
            "DescribeImages": self._describe,
            "ListImages": self._list,
            "BatchGetImage": self._get,
            "BatchDeleteImage": self._delete,
            "PutImage": self._put,
            "DescribeImageScanFindings": self._scan,
        }

    def _describe(self, params: Params) -> Answer:
        name = params["repositoryName"]
        self._records.get(name)
        if params.get("imageIds"):
            digests = list(dict.fromkeys(self._found(name, one) for one in params["imageIds"]))
            return {"imageDetails": [self._shown(name, digest) for digest in digests]}
        tagged = set(self._records.tags(name).values())
        wanted = params.get("filter", {}).get("tagStatus", "ANY")
        digests = [d for d in self._records.images(name) if _passes(d in tagged, wanted)]
        found, more = page_of(digests, params)
        return {"imageDetails": [self._shown(name, one) for one in found], "nextToken": more}

    def _shown(self, name: str, digest: str) -> Answer:
        known = self._records.image(name, digest) or {}
        tags = sorted(tag for tag, named in self._records.tags(name).items() if named == digest)
        return {
            "registryId": self._records.account,
            "repositoryName": name,
            "imageDigest": digest,
            "imageTags": tags or None,
            "imageSizeInBytes": known["size"],
            "imagePushedAt": datetime.fromtimestamp(known["pushed"], UTC),
            "imageManifestMediaType": known["type"],
            "artifactMediaType": known.get("artifact"),
        }

    def _found(self, name: str, image_id: Answer) -> str:
        """The digest that an imageId names. Raises ServiceError where there is none."""
        digest, _ = self._look(name, image_id)
        if digest is None:
            raise _missing(self._records, name, image_id)
        return digest

    def _look(self, name: str, image_id: Answer) -> tuple[str | None, str]:
        """The digest, or None and ECR's code for why not."""
        digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
        if digest is None and tag is None:
            return None, "MissingDigestAndTag"
        named = self._records.digest(name, tag) if tag is not None else digest
        if named is None or self._records.image(name, named) is None:
            return None, "ImageNotFound"
        if digest is not None and named != digest:
            return None, "ImageTagDoesNotMatchDigest"
        return named, ""

    def _list(self, params: Params) -> Answer:
        name = params["repositoryName"]
        self._records.get(name)
        wanted = params.get("filter", {}).get("tagStatus", "ANY")
        tags = self._records.tags(name)
        rows = [{"imageDigest": digest, "imageTag": tag} for tag, digest in tags.items()]
        bare = [d for d in self._records.images(name) if d not in set(tags.values())]
        rows += [{"imageDigest": digest} for digest in bare]
        found, more = page_of([row for row in rows if _passes("imageTag" in row, wanted)], params)
        return {"imageIds": found, "nextToken": more}

    def _get(self, params: Params) -> Answer:
        name = params["repositoryName"]
        for image_id in params["imageIds"]:
            reference = image_id.get("imageDigest") or image_id.get("imageTag")
            if reference:
                upstream.fetch(self._images, name, reference)
        self._records.get(name)
        images, failures = [], []
        for image_id in params["imageIds"]:
            digest, code = self._look(name, image_id)
            if digest is None:
                failures.append(_failure(image_id, code))
                continue
            known = self._records.image(name, digest) or {}
            images.append({
                "registryId": self._records.account,
                "repositoryName": name,
                "imageId": {**image_id, "imageDigest": digest},
                "imageManifest": known["manifest"],
                "imageManifestMediaType": known["type"],
            })  # fmt: skip
        return {"images": images, "failures": failures}

    def _delete(self, params: Params) -> Answer:
        name = params["repositoryName"]
        self._records.get(name)
        gone, failures = list[Answer](), list[Answer]()
        for image_id in params["imageIds"]:
            digest, code = self._look(name, image_id)
            if digest is None:
                failures.append(_failure(image_id, code))
            else:
                gone += self._remove(name, digest, image_id.get("imageTag"))
        return {"imageIds": gone, "failures": failures}

    def _remove(self, name: str, digest: str, tag: str | None) -> list[Answer]:
        """By its digest an image goes with all its tags; by a tag it goes with its last."""
        tags = [one for one, named in self._records.tags(name).items() if named == digest]
        if tag is not None and tags != [tag]:
            self._records.untag(name, tag)
            return [{"imageDigest": digest, "imageTag": tag}]
        self._images.remove(name, digest)
        return [{"imageDigest": digest, "imageTag": one} for one in tags] or [
            {"imageDigest": digest}
        ]

    def _put(self, params: Params) -> Answer:
        name, tag = params["repositoryName"], params.get("imageTag")
        text, kind = params["imageManifest"], params.get("imageManifestMediaType", DEFAULT_TYPE)
        given = params.get("imageDigest")
        digest = self._images.put(name, text.encode(), kind, tag=tag, digest=given)
        return {
            "image": {
                "registryId": self._records.account,
                "repositoryName": name,
                "imageId": {"imageDigest": digest, "imageTag": tag},
                "imageManifest": text,
                "imageManifestMediaType": kind,
            }
        }

    def _scan(self, params: Params) -> Answer:
        name, image_id = params["repositoryName"], params["imageId"]
        self._records.get(name)
        digest = self._found(name, image_id)
        raise ServiceError(
            "ScanNotFoundException",
            f"Image scan does not exist for the image with '{{imageDigest:'{digest}'}}' in the "
            f"repository with name '{name}' in the registry with id '{self._records.account}': "
            "images are not scanned on this machine",
        )


def _passes(tagged: bool, wanted: str) -> bool:
    return wanted == "ANY" or tagged == (wanted == "TAGGED")


def _failure(image_id: Answer, code: str) -> Answer:
    reasons = {
        "MissingDigestAndTag": "Invalid request parameters: both tag and digest cannot be null",
        "ImageNotFound": "Requested image not found",
        "ImageTagDoesNotMatchDigest": "The tag does not name the image of that digest",
    }
    return {"imageId": image_id, "failureCode": code, "failureReason": reasons[code]}


def _missing(records: EcrRecords, name: str, image_id: Answer) -> ServiceError:
    digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
    return ServiceError(
        "ImageNotFoundException",
        f"The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist "
        f"within the repository with name '{name}' in the registry with id '{records.account}'",
    )


def page_of(rows: list[Any], params: Params) -> tuple[list[Any], str | None]:
    """A page in ECR's words: nextToken, maxResults."""
    wrong = ServiceError("InvalidParameterException", "Invalid parameter at 'nextToken'")
    return page(rows, params.get("nextToken"), params.get("maxResults", _PAGE), wrong)
