"""The data side of launching on AWS: the default bucket, URIs of inputs and outputs, uploads.

An input's URI is known before it is uploaded, since it is made of the content (`trees.py`). What
has been promised so is brought when a job, or a model, that names it is created.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sagedock.aws.account import Account
from sagedock.aws.calls import code_of
from sagedock.aws.s3 import Storage
from sagedock.errors import AwsError, InputError, StoreError, UsageError
from sagedock.launch.aws import sending
from sagedock.launch.aws.trees import Tree, read_tree
from sagedock.launch.place import Place, local_path, places
from sagedock.launch.upload import Upload
from sagedock.requests import Request
from sagedock.store.uri import SCHEME, S3Uri, check_bucket_name


class AwsData(Place):
    """Buckets and objects of an account. `default_bucket` None is `sagemaker-REGION-ACCOUNT`."""

    def __init__(self, storage: Storage, account: Account, default_bucket: str | None) -> None:
        if default_bucket:
            check_bucket_name(default_bucket)
        self.storage, self._account = storage, account
        self._named_bucket = default_bucket
        self._promised: dict[str, Tree] = {}
        self._ensured: set[str] = set()

    def note(self, text: str) -> None:
        """Who listens is the session's business."""
        raise NotImplementedError

    def doing(self, text: str) -> None:
        """As `note`."""
        raise NotImplementedError

    # places

    def planned_bucket(self) -> str:
        """The default bucket's name; it may not be there yet."""
        return self._named_bucket or f"sagemaker-{self.region}-{self._account.number}"

    def default_bucket(self) -> str:
        """The default bucket, made if missing. Raises StoreError where it is not the caller's own
        (ExpectedBucketOwner), AwsError."""
        bucket = self.planned_bucket()
        if bucket not in self._ensured:
            if self.storage.ensure_own(bucket):
                self.note(f"Made the bucket {bucket}")
            self._ensured.add(bucket)
        return bucket

    def input_uri(self, source: str | Path) -> str:
        """An input as s3:// URI. A local file or folder is read now, and uploaded when a job that
        names the URI starts. Raises InputError for what can't be uploaded."""
        text = str(source)
        if text.startswith(SCHEME):
            S3Uri.parse(text)
            return text
        tree = read_tree(local_path(text))
        uri = str(S3Uri(self.planned_bucket(), tree.key))
        self._promised[uri] = tree
        return uri

    def output_uri(self, target: str | Path | None) -> str:
        """An output prefix as s3:// URI. Raises UsageError for a local folder."""
        if target is None:
            return f"{SCHEME}{self.planned_bucket()}"
        text = str(target)
        if not text.startswith(SCHEME):
            raise UsageError(
                f"The output {text!r} is on this machine: AWS writes to S3 only.",
                hint="Name an s3:// prefix, and fetch it when the job has ended: "
                "sagedock cp -r --aws s3://BUCKET/PREFIX FOLDER",
            )
        S3Uri.parse(text)
        return text.rstrip("/")

    def code_prefix(self, output: str) -> S3Uri:
        """Beside the results."""
        return S3Uri.parse(output)

    def shown(self, uri: str) -> str:
        """As it is."""
        return uri

    # uploads

    def bring(self, request: Request, uploads: Sequence[Upload]) -> None:
        """Everything that a request names and that has been promised, and `uploads`; buckets first.
        Raises StoreError for a bucket that is not there or in another region."""
        named = places(request)
        self._check_buckets(
            {S3Uri.parse(text).bucket for text in named} | {item.uri.bucket for item in uploads}
        )
        for uri, tree in self._promised.items():
            if uri in named:
                bucket = S3Uri.parse(uri).bucket
                sending.send(self.storage, bucket, tree, note=self.note, doing=self.doing)
        for upload in uploads:
            self._upload(upload)

    def _upload(self, upload: Upload) -> None:
        if isinstance(upload.source, bytes):
            self.storage.put(upload.uri.bucket, upload.uri.key, upload.source)
        else:
            self.storage.put_file(upload.uri.bucket, upload.uri.key, upload.source)

    def _check_buckets(self, buckets: set[str]) -> None:
        for bucket in sorted(buckets - self._ensured):
            if bucket == self.planned_bucket():
                self.default_bucket()
            else:
                self._check(bucket)

    def _check(self, bucket: str) -> None:
        try:
            region = self.storage.region_of(bucket)
        except AwsError as error:
            if code_of(error) != "403":
                raise
            region = ""  # the job's role may well read what the caller may not look at
        if region is None:
            raise StoreError(
                f"There is no bucket {bucket!r}.",
                hint=f"Make it first: aws s3 mb s3://{bucket} --region {self.region}",
            )
        if region and region != self.region:  # I2: data lies in the job's region
            raise StoreError(
                f"The bucket {bucket!r} is in {region}, the job in {self.region}.",
                hint=f"SageMaker wants them in one region: --region {region}, or another bucket.",
            )
        self._ensured.add(bucket)

    # objects

    def upload_data(
        self, path: str | Path, bucket: str | None = None, key_prefix: str = "data"
    ) -> str:
        """Copy a file or folder to `key_prefix`, as SDK v2 does; what lies there is replaced. The
        URI of the object or prefix. Raises InputError, StoreError, AwsError."""
        tree = read_tree(local_path(str(path)))
        target = S3Uri(bucket or self.default_bucket(), key_prefix.strip("/"))
        for item in tree.files:
            place = target.join(item.key.removeprefix(tree.prefix))
            self.storage.put_file(place.bucket, place.key, item.path)
        return str(target if tree.is_folder else target.join(tree.files[0].path.name))

    def download_data(self, path: str | Path, bucket: str, key_prefix: str = "") -> list[str]:
        """Copy every object below a prefix into a folder; the paths of the files."""
        target, written = Path(path), []
        for key, _ in self.storage.sizes(bucket, key_prefix):
            if key.endswith("/"):  # a console's "folder" object is no file
                continue
            relative = key.removeprefix(key_prefix).lstrip("/") or key.rsplit("/", 1)[-1]
            if ".." in Path(relative).parts:
                raise StoreError(f"s3://{bucket}/{key} can't be a file below {target}.")
            self.storage.fetch(bucket, key, target / relative)
            written.append(str(target / relative))
        return written

    def read(self, uri: str) -> bytes:
        """One object's bytes. Raises StoreError where there is none."""
        found = self.read_if_there(uri)
        if found is None:
            raise StoreError(f"There is no object {uri}.")
        return found

    def read_if_there(self, uri: str) -> bytes | None:
        """One object's bytes, None where there is none."""
        place = S3Uri.parse(uri)
        return self.storage.get(place.bucket, place.key)

    def has(self, uri: str) -> bool:
        """Whether an object has that URI, or begins with it. False where one may not look."""
        place = S3Uri.parse(uri)
        try:
            return any(True for _ in self.storage.sizes(place.bucket, place.key))
        except AwsError:
            return False

    def put(self, uri: S3Uri, data: bytes) -> None:
        """One object, whole or not at all."""
        self._check_buckets({uri.bucket})
        self.storage.put(uri.bucket, uri.key, data)

    def copy(self, source: str | Path, target: S3Uri) -> None:
        """A local file or an object, as the object `target`. Raises InputError, StoreError."""
        self._check_buckets({target.bucket})
        if str(source).startswith(SCHEME):
            place = S3Uri.parse(str(source))
            self.storage.copy((place.bucket, place.key), (target.bucket, target.key))
            return
        path = local_path(str(source))
        if not path.is_file():
            raise InputError(f"{str(source)!r} is not a file ({path}).")
        self.storage.put_file(target.bucket, target.key, path)

    def list_uris(self, prefix: S3Uri) -> list[str]:
        """The objects below a prefix."""
        return [
            str(S3Uri(prefix.bucket, key))
            for key, _ in self.storage.sizes(prefix.bucket, prefix.key)
        ]
