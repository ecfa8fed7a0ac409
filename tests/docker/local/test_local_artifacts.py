"""What a training job leaves: model.tar.gz, output.tar.gz, and nothing else (A5)."""

import hashlib
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from local_kit import Bench

from sagedock.errors import StoreError
from sagedock.store.uri import S3Uri

Docker = Callable[..., "subprocess.CompletedProcess[str]"]

MODEL = """
    import os, random
    model = "/opt/ml/model"
    names = [f"part-{n}" for n in range(20)]
    random.SystemRandom().shuffle(names)
    os.makedirs(f"{model}/code/empty")
    for name in names:
        open(f"{model}/{name}", "w").write(name * 100)
    open(f"{model}/code/größe inference.py", "w").write("x")
    open(f"{model}/.hidden", "w").write("h")
    os.symlink("part-1", f"{model}/latest")
    os.link(f"{model}/part-2", f"{model}/same")
    open(f"{model}/private", "w").write("p")
    os.chmod(f"{model}/private", 0o600)
    os.chown(f"{model}/private", 4711, 4711)
    os.chmod(f"{model}/code", 0o700)
"""


def test_model_archive_is_reproducible_relative_and_nobodys(bench: Bench) -> None:
    files = [bench.artifact(bench.train(MODEL)) for _ in range(2)]
    assert len({hashlib.sha256(file.read_bytes()).hexdigest() for file in files}) == 1
    with tarfile.open(files[0]) as archive:
        entries = {entry.name: entry for entry in archive}
        content = archive.extractfile("code/größe inference.py")
        assert content
        assert content.read() == b"x"
    parts = [f"part-{number}" for number in range(20)]
    assert sorted(entries) == sorted(
        [*parts, ".hidden", "code", "code/empty", "code/größe inference.py", "latest", "private",
         "same"]
    )  # fmt: skip
    assert {(e.uid, e.gid, e.uname, e.gname, e.mtime) for e in entries.values()} == {
        (0, 0, "", "", 0)
    }
    assert entries["latest"].issym()
    assert entries["private"].mode == 0o600


def test_links_in_a_model_are_noted(bench: Bench) -> None:
    estimator = bench.estimator(
        container_entry_point=["sh", "-c", "cd /opt/ml/model; echo > m; ln -s m l"]
    )
    estimator.fit()
    assert estimator.latest_training_job
    (note,) = estimator.latest_training_job.notes()
    assert "symbolic links" in note


def test_artifacts_have_s3s_layout_and_belong_to_the_caller(bench: Bench) -> None:
    answer = bench.train(MODEL, job_name="lay", output_path="s3://new-bucket/a/prefix")
    uri = answer["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri == "s3://new-bucket/a/prefix/lay/output/model.tar.gz"
    stat_result = bench.artifact(answer).stat()
    assert (stat_result.st_uid, stat.S_IMODE(stat_result.st_mode) & 0o600) == (os.getuid(), 0o600)


def test_output_archive_holds_output_data_only(bench: Bench) -> None:
    bench.train(
        """
        import os
        open("/opt/ml/output/data/plot.png", "w").write("p")
        open("/opt/ml/output/elsewhere", "w").write("e")
        """,
        job_name="out",
        output_path="s3://b-out/p",
    )
    path = bench.session.store.path(S3Uri("b-out", "p/out/output/output.tar.gz"))
    with tarfile.open(path) as archive:
        assert archive.getnames() == ["plot.png"]  # A5.2


def test_no_output_archive_without_files_and_an_empty_model_is_noted(bench: Bench) -> None:
    estimator = bench.estimator(
        container_entry_point=["mkdir", "/opt/ml/output/data/empty"], output_path="s3://b-none/p"
    )
    estimator.fit(job_name="none")
    keys = [info.uri.key for info in bench.session.store.list(S3Uri("b-none"))]
    assert keys == ["p/none/output/model.tar.gz"]
    assert estimator.latest_training_job
    (note,) = estimator.latest_training_job.notes()
    assert "empty" in note


def test_output_data_of_a_failed_job_is_kept(bench: Bench) -> None:
    answer = bench.train(
        "open('/opt/ml/output/data/why', 'w').write('w'); raise SystemExit(1)",
        job_name="sad",
        output_path="s3://b-sad/p",
    )
    assert answer["TrainingJobStatus"] == "Failed"
    keys = [info.uri.key for info in bench.session.store.list(S3Uri("b-sad"))]
    assert keys == ["p/sad/output/output.tar.gz"]


def test_uncompressed_output(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    answer = bench.train(
        MODEL + "    open('/opt/ml/output/data/d', 'w').write('d')\n",
        job_name="plain",
        output_path=str(target),
        disable_output_compression=True,
    )
    assert answer["OutputDataConfig"]["CompressionType"] == "NONE"
    model = target / "plain" / "output" / "model"
    assert (model / "part-7").read_text() == "part-7" * 100
    assert (model / "code" / "größe inference.py").read_text() == "x"
    assert (model / "same").read_text() == "part-2" * 100  # a hard link is a file like any other
    assert not (model / "latest").is_symlink()
    assert answer["ModelArtifacts"]["S3ModelArtifacts"].endswith("/plain/output/model/")
    assert (target / "plain" / "output" / "data" / "d").read_text() == "d"


def test_local_output_folder_has_the_job_in_its_path(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    estimator = bench.estimator(
        container_entry_point=["sh", "-c", "echo $TRAINING_JOB_NAME > /opt/ml/model/m"],
        output_path=f"file://{target}",
    )
    for name in ("one", "two"):
        estimator.fit(job_name=name)
        assert estimator.model_data == f"file://{target}/{name}/output/model.tar.gz"
    for name in ("one", "two"):
        with tarfile.open(target / name / "output" / "model.tar.gz") as archive:
            content = archive.extractfile("m")
            assert content
            assert content.read().decode() == f"{name}\n"


def test_failed_job_leaves_no_model_and_good_ones_alone(bench: Bench, tmp_path: Path) -> None:
    target = tmp_path / "kept"
    good = bench.train(MODEL, job_name="good", output_path=str(target))
    file = bench.artifact(good)
    before = file.read_bytes()
    bad = bench.train(MODEL + "    raise SystemExit(1)\n", job_name="bad", output_path=str(target))
    assert bad["TrainingJobStatus"] == "Failed"
    with pytest.raises(StoreError):
        bench.session.store.head(S3Uri.parse(bad["ModelArtifacts"]["S3ModelArtifacts"]))
    assert not (target / "bad" / "output" / "model.tar.gz").exists()
    assert file.read_bytes() == before


def test_old_model_files_do_not_leak_into_the_next(bench: Bench) -> None:
    first = bench.train("open('/opt/ml/model/first', 'w')")
    second = bench.train("open('/opt/ml/model/second', 'w')")
    for answer, name in ((first, "first"), (second, "second")):
        with tarfile.open(bench.artifact(answer)) as archive:
            assert archive.getnames() == [name]


def test_channel_may_be_written_by_nobody_and_is_no_copy(bench: Bench, tmp_path: Path) -> None:
    """A local folder is mounted as it is; an object is a link to the store's file."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "x.csv").write_text("1")
    uri = bench.session.upload_data(folder, key_prefix="data/train")
    bench.train(
        """
        import os, json
        path = "/opt/ml/input/data"
        print(json.dumps({c: os.stat(f"{path}/{c}/x.csv").st_ino for c in ("mine", "stored")}))
        """,
        inputs={"mine": folder, "stored": uri},
    )
    stored = bench.session.store.path(S3Uri.parse(f"{uri}/x.csv"))
    assert bench.report() == {
        "mine": (folder / "x.csv").stat().st_ino,
        "stored": stored.stat().st_ino,
    }
    assert (folder / "x.csv").read_text() == "1"
