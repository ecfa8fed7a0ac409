"""Full disks, and callers who are not root."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from local_kit import Bench

from sagedock.errors import OutputError
from sagedock.launch.processing import ProcessingOutput
from sagedock.local.settings import LocalSettings

Docker = Callable[..., "subprocess.CompletedProcess[str]"]
MEGABYTE = 1 << 20


@pytest.fixture
def small_disk(settings: LocalSettings) -> Iterator[Path]:
    """The bench's data folder, on a disk of 4 MB."""
    settings.data.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(settings.data)], check=True
    )
    yield settings.data
    subprocess.run(["umount", "--lazy", str(settings.data)], check=True)


BIG = """
    import os
    open("/opt/ml/model/big", "wb").write(os.urandom(8 << 20))
    open("/opt/ml/model/small", "w").write("kept")
"""


def test_disk_full_while_packing_keeps_the_model_and_says_where(
    small_disk: Path, bench: Bench, docker_cli: Docker, tmp_path: Path
) -> None:
    answer = bench.train(BIG, job_name="fat")
    assert answer["TrainingJobStatus"] == "Failed"
    reason = answer["FailureReason"]
    assert "Disk full" in reason
    assert "Nothing is lost" in reason
    (command,) = [line for line in reason.splitlines() if "docker cp" in line]
    container, path = command.partition("docker cp ")[2].split()[0].split(":")
    try:
        docker_cli("cp", f"{container}:{path}", str(tmp_path / "rescued"))
        assert (tmp_path / "rescued" / "small").read_text() == "kept"
        assert (tmp_path / "rescued" / "big").stat().st_size == 8 * MEGABYTE
        assert not list(small_disk.rglob("*.partial"))
    finally:
        docker_cli("rm", "-v", container)


def test_processing_outputs_on_a_full_disk_are_kept(
    small_disk: Path, bench: Bench, docker_cli: Docker
) -> None:
    answer = bench.process(
        "import os; open('/opt/ml/processing/out/x', 'wb').write(os.urandom(8 << 20))",
        outputs=[ProcessingOutput("/opt/ml/processing/out")],
    )
    assert answer["ProcessingJobStatus"] == "Failed"
    container = answer["FailureReason"].partition("docker cp ")[2].partition(":")[0]
    docker_cli("rm", "-v", container)


def test_disk_full_while_staging_names_it(small_disk: Path, bench: Bench, tmp_path: Path) -> None:
    """A folder with links in it must be copied where it can't be linked."""
    folder = tmp_path / "channel"
    folder.mkdir()
    (tmp_path / "big.bin").write_bytes(os.urandom(8 * MEGABYTE))
    (folder / "big.bin").symlink_to(tmp_path / "big.bin")
    answer = bench.train("print('never')", inputs={"big": folder})
    assert answer["TrainingJobStatus"] == "Failed"
    assert "No space left on device" in answer["FailureReason"]
    assert "SAGEDOCK_DATA" in answer["FailureReason"]
    assert bench.listener.lines == []


def test_log_that_fills_the_disk_does_not_cost_the_model(small_disk: Path, bench: Bench) -> None:
    estimator = bench.estimator(
        container_entry_point=["sh", "-c", "seq 1000000 1150000; echo m > /opt/ml/model/m"]
    )
    estimator.fit()
    assert estimator.latest_training_job
    assert estimator.latest_training_job.describe()["TrainingJobStatus"] == "Completed"
    assert bench.listener.lines[-1] == "1150000"  # who listened has all of it
    assert any("log has a gap" in note for note in estimator.latest_training_job.notes())
    (small_disk / "jobs" / "training").joinpath(
        estimator.latest_training_job.name, "logs", "algo-1.log"
    ).unlink()


def test_code_that_does_not_fit_is_found_before_the_job(
    small_disk: Path, bench: Bench, images: Mapping[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "train.py").write_text("pass")
    (source / "weights").write_bytes(os.urandom(8 * MEGABYTE))
    estimator = bench.estimator(entry_point="train.py", source_dir=str(source))
    with pytest.raises(OutputError, match="Disk full"):
        estimator.fit()
    assert bench.session.sagemaker_client.list_training_jobs()["TrainingJobSummaries"] == []


# Other users

USER = 1234


@pytest.fixture
def users_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that an unprivileged user owns, in one that it can enter."""
    folder = Path(tempfile.mkdtemp(prefix="sagedock-test-"))
    os.chown(folder, USER, USER)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def as_user(
    code: str, *arguments: str, groups: list[int], home: Path
) -> "subprocess.CompletedProcess[str]":
    """Run Python text as the unprivileged user. It may read everything, since the interpreter of
    these tests may lie in root's home; it may write nothing that isn't its own."""
    env = {key: value for key, value in os.environ.items() if key != "SAGEDOCK_DATA"}
    capabilities = "-all,+dac_read_search"
    member = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return subprocess.run(
        ["setpriv", f"--reuid={USER}", f"--regid={USER}", *member,
         f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}",
         sys.executable, "-c", code, *arguments],
        cwd=home, env=env | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


JOB = """
import os, shutil, sys, tarfile
from pathlib import Path
from sagedock.launch.estimator import Estimator
from sagedock.launch.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagedock.launch.session import Session
image, home = sys.argv[1], Path(sys.argv[2])
session = Session(data=home / "data")
(home / "channel").mkdir(mode=0o700)
(home / "channel" / "x.csv").write_text("1")
make = "umask 077; cd /opt/ml/model; mkdir -m 700 d; echo 1 > d/m; echo 2 > output; chmod 0 output"
command = ["sh", "-c", make + "; cat /opt/ml/input/data/train/x.csv"]
estimator = Estimator(image, sagemaker_session=session, output_path=home / "kept",
                      container_entry_point=command)
estimator.fit({"train": home / "channel"})
estimator.fit({"train": home / "channel"}, wait=False)
estimator.latest_training_job.wait()
(home / "step.py").write_text("import os; os.mkdir('/opt/ml/processing/out/d', 0o700);"
                              "open('/opt/ml/processing/out/d/x', 'w').write('x')")
processor = ScriptProcessor(image, ["python3"], sagemaker_session=session)
processor.run(home / "step.py", outputs=[ProcessingOutput("/opt/ml/processing/out", home / "out")])
assert (home / "out" / "d" / "x").read_text() == "x"
(one, two) = sorted((home / "kept").rglob("model.tar.gz"))
assert sorted(tarfile.open(one).getnames()) == ["d", "d/m", "output"]
owners = {path.lstat().st_uid for path in home.rglob("*")}
assert owners == {os.getuid()}, owners
session.close()
for name in ("data", "kept", "out", "channel"):
    shutil.rmtree(home / name)
print("all mine, all gone")
"""


def test_unprivileged_user_in_the_engines_group_owns_all_results(
    images: Mapping[str, str], users_folder: Path
) -> None:
    """Root-only folders in the model, and a mounted folder that only the user can read."""
    group = Path("/var/run/docker.sock").stat().st_gid
    done = as_user(JOB, images["base"], str(users_folder), groups=[group], home=users_folder)
    assert done.stdout.splitlines()[-1:] == ["all mine, all gone"], done.stderr


FIT = """
import sys
from sagedock.errors import SagedockError
from sagedock.launch.estimator import Estimator
from sagedock.launch.session import Session
image, data, target = sys.argv[1:]
try:
    Estimator(image, sagemaker_session=Session(data=data), output_path=target or None).fit()
except SagedockError as error:
    print(type(error).__name__, "|", error)
"""


def test_user_who_may_not_use_the_engine_is_told(
    images: Mapping[str, str], users_folder: Path
) -> None:
    arguments = (images["base"], str(users_folder / "data"), "")
    done = as_user(FIT, *arguments, groups=[], home=users_folder)
    assert done.stdout.startswith("EngineUnavailableError | "), done.stderr
    assert "permission denied" in done.stdout
    assert "usermod -aG docker" in done.stdout


def test_output_folder_that_cant_be_written_is_found_before_the_job(
    images: Mapping[str, str], users_folder: Path
) -> None:
    locked = users_folder / "locked"
    locked.mkdir(mode=0o755)  # root's
    group = Path("/var/run/docker.sock").stat().st_gid
    for target in (locked, locked / "below"):
        arguments = (images["base"], str(users_folder / "data"), str(target))
        done = as_user(FIT, *arguments, groups=[group], home=users_folder)
        assert done.stdout.startswith("OutputError | "), done.stderr
        assert str(locked) in done.stdout
    assert not list((users_folder / "data").glob("jobs/*/*"))


def test_data_folder_that_cant_be_written_is_told(
    images: Mapping[str, str], users_folder: Path
) -> None:
    (users_folder / "locked").mkdir(mode=0o755)
    arguments = (images["base"], str(users_folder / "locked"), "")
    done = as_user(FIT, *arguments, groups=[], home=users_folder)
    assert done.stdout.startswith("OutputError | "), done.stderr
    assert "SAGEDOCK_DATA" in done.stdout
