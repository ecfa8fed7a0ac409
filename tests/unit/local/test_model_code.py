"""A model's code in S3: laid down where an image of ours runs in the place of AWS's own."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from sagedock.contract.paths import ML
from sagedock.errors import InputError
from sagedock.local import model_code
from sagedock.local.settings import LocalSettings
from sagedock.store.disk import DiskStore
from sagedock.store.uri import S3Uri

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
URI = "s3://code/sourcedir.tar.gz"


def container(image: str = SKLEARN, directory: str = URI) -> dict[str, object]:
    variables = {"SAGEMAKER_PROGRAM": "train.py", "SAGEMAKER_SUBMIT_DIRECTORY": directory}
    return {"Image": image, "Environment": variables}


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    return LocalSettings(data=tmp_path / "data")


@pytest.fixture
def store(settings: LocalSettings):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("train.py")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"pass"))
    store = DiskStore(settings.data)
    store.create_bucket("code")
    store.put(S3Uri.parse(URI), buffer.getvalue())
    yield store
    store.close()


def test_the_code_is_laid_down_and_found_there(store, settings, tmp_path):
    (mount,) = model_code.mounts(store, container(), settings, tmp_path / "code")
    assert (mount.source, mount.target) == (tmp_path / "code", ML.code)
    assert (tmp_path / "code" / "train.py").read_text() == "pass"
    assert model_code.environment(container(), settings) == {
        "SAGEMAKER_PROGRAM": "train.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": ML.code,
    }


@pytest.mark.parametrize(
    "given",
    [container("my/image"), container(directory="/opt/ml/model/code"), {"Image": SKLEARN}],
    ids=["another image", "a folder", "no code"],
)
def test_anything_else_gets_what_the_request_says(given, store, settings, tmp_path):
    assert model_code.mounts(store, given, settings, tmp_path / "code") == []
    assert model_code.environment(given, settings) == given.get("Environment", {})


def test_what_is_no_archive_is_told(store, settings, tmp_path):
    store.put(S3Uri.parse(URI), gzip.compress(b"no tar" * 200))
    with pytest.raises(InputError, match=URI):
        model_code.mounts(store, container(), settings, tmp_path / "code")
