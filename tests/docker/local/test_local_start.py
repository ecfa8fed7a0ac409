"""A training container is started as the service starts it (contract A1 to A4, fixture of L)."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from local_kit import Bench

from sagedock.launch.estimator import TrainingInput

Docker = Callable[..., "subprocess.CompletedProcess[str]"]

LOOK = """
    import errno, json, os, socket, sys
    seen = {}
    config = "/opt/ml/input/config"
    seen["config"] = {n: json.load(open(f"{config}/{n}")) for n in sorted(os.listdir(config))}
    seen["env"] = dict(os.environ)
    seen["argv"] = sys.argv[1:]
    seen["stdin"] = sys.stdin.read()
    seen["tty"] = [s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)]
    seen["hostname"] = socket.gethostname()
    seen["algo-1"] = socket.gethostbyname("algo-1")
    seen["status"] = dict(
        line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
    shm = os.statvfs("/dev/shm")
    seen["shm"] = shm.f_frsize * shm.f_blocks
    seen["fuse"] = os.path.exists("/dev/fuse")
    seen["pid"] = os.getpid()
    ml = ["model", "output", "output/data", "input/data", "checkpoints"]
    seen["tree"] = {n: sorted(os.listdir(f"/opt/ml/{n}")) for n in ml}
    seen["stat"] = {n: [os.stat(f"/opt/ml/{n}").st_uid, os.stat(f"/opt/ml/{n}").st_mode & 0o777]
                    for n in ml}
    try:
        open("/opt/ml/input/data/my-val.1/new", "w")
    except OSError as error:
        seen["write"] = errno.errorcode[error.errno]
    seen["data"] = open("/opt/ml/input/data/my-val.1/deep er/größe.csv").read()
    print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """What one container saw; each test looks at one side of it."""
    from sagedock.local.settings import LocalSettings

    folder = tmp_path_factory.mktemp("start")
    bench = Bench(folder, images["base"], LocalSettings.from_environment(data=folder / "data"))
    channel = folder / "channel" / "deep er"
    channel.mkdir(parents=True)
    (channel / "größe.csv").write_text("1,2\n")
    answer = bench.train(
        LOOK,
        inputs={"my-val.1": TrainingInput(folder / "channel", content_type="text/csv")},
        job_name="look",
        hyperparameters={"epochs": 10, "name": "x y", "flag": True},
        environment={"MY_SETTING": "a b", "AWS_REGION": "eu-central-1"},
        container_arguments=["--one", "two words", ""],
        instance_type="ml.m5.xlarge",
    )
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    yield bench.report()
    bench.close()


def test_config_files_have_the_services_keys(seen: dict) -> None:
    assert seen["config"]["hyperparameters.json"] == {
        "epochs": "10", "name": "x y", "flag": "true",
    }  # fmt: skip
    plain = {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    assert seen["config"]["inputdataconfig.json"] == {
        "probe": plain,
        "my-val.1": {"ContentType": "text/csv", **plain},
    }
    assert seen["config"]["resourceconfig.json"] == {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
        "network_interface_name": "eth0",
        "current_instance_type": "ml.m5.xlarge",
        "current_group_name": "homogeneousCluster",
        "instance_groups": [
            {
                "instance_group_name": "homogeneousCluster",
                "instance_type": "ml.m5.xlarge",
                "hosts": ["algo-1"],
            }
        ],
        "topology": None,
    }
    assert len(seen["config"]) == 3


def test_environment_is_the_platforms_and_the_requests(seen: dict) -> None:
    env = seen["env"]
    assert env["TRAINING_JOB_NAME"] == "look"
    assert env["TRAINING_JOB_ARN"].endswith(":training-job/look")
    assert env["MY_SETTING"] == "a b"
    assert env["AWS_REGION"] == "eu-central-1"  # A4.2: the request's word counts
    assert not [name for name in env if name.startswith(("SM_", "AWS_ACCESS", "AWS_SECRET"))]


def test_arguments_arrive_as_they_are(seen: dict) -> None:
    assert seen["argv"] == ["--one", "two words", ""]


def test_no_tty_and_stdin_at_its_end(seen: dict) -> None:
    assert seen["tty"] == [False, False, False]
    assert seen["stdin"] == ""


def test_host_name_resolves(seen: dict) -> None:
    assert seen["hostname"] == "algo-1"
    assert seen["algo-1"]
    assert seen["pid"] == 1


def test_no_privileges(seen: dict) -> None:
    default_capabilities = 0xA80425FB
    assert int(seen["status"]["CapEff"], 16) & ~default_capabilities == 0
    assert not seen["fuse"]


def test_shared_memory_goes_with_the_instance(seen: dict) -> None:
    assert seen["shm"] > 64 << 20  # the engine's own, which loaders with workers die of


def test_folders_are_there_empty_and_roots(seen: dict) -> None:
    assert seen["tree"] == {
        "model": [], "output": ["data"], "output/data": [], "checkpoints": [],
        "input/data": ["my-val.1", "probe"],
    }  # fmt: skip
    assert set(map(tuple, seen["stat"].values())) == {(0, 0o755)}


def test_channels_are_read_only(seen: dict) -> None:
    assert seen["write"] == "EROFS"
    assert seen["data"] == "1,2\n"


# Images of other shapes: each is the base image with a few files


@pytest.fixture(scope="module")
def shaped(
    images: Mapping[str, str], docker_cli: Docker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Builds an image from lines of a Dockerfile; the images go at the end."""
    made: list[str] = []

    def build(lines: str) -> str:
        context = tmp_path_factory.mktemp("image")
        (context / "Dockerfile").write_text(f"FROM {images['base']}\n{lines}\n")
        tag = f"sagedock-test/{context.name}-{id(made)}"
        docker_cli("build", "-q", "-t", tag, str(context))
        made.append(tag)
        return tag

    yield build
    for tag in made:
        docker_cli("rmi", tag, check=False)


ECHO = """RUN printf '#!/bin/sh\\necho "I got: $*"; ls -A /opt/ml/model /opt/ml/output\\n' \
 > /usr/local/bin/train && chmod +x /usr/local/bin/train \
 && mkdir -p /opt/ml/model /opt/ml/output/data /opt/ml/code \
 && touch /opt/ml/model/stale /opt/ml/output/stale /opt/ml/output/data/stale
"""


def fit(bench: Bench, image: str, **arguments: object) -> list[str]:
    bench.estimator(image_uri=image, **arguments).fit()
    return bench.listener.lines


def test_train_takes_the_place_of_cmd(bench: Bench, shaped: Callable[[str], str]) -> None:
    image = shaped(ECHO + 'CMD ["echo", "never"]')
    assert fit(bench, image)[0] == "I got: "  # A1.1, A1.2


def test_entrypoint_gets_train(bench: Bench, shaped: Callable[[str], str]) -> None:
    image = shaped(ECHO + 'ENTRYPOINT ["/bin/echo", "entry"]\nCMD ["never"]')
    assert fit(bench, image) == ["entry train"]


def test_container_arguments_replace_train(bench: Bench, shaped: Callable[[str], str]) -> None:
    image = shaped(ECHO + 'ENTRYPOINT ["/bin/echo", "entry"]\nCMD ["never"]')
    assert fit(bench, image, container_arguments=["a", "b c"]) == ["entry a b c"]  # A1.3


def test_container_entrypoint_drops_train_and_cmd(
    bench: Bench, shaped: Callable[[str], str]
) -> None:
    image = shaped(ECHO + 'ENTRYPOINT ["/bin/echo", "entry"]\nCMD ["never"]')
    assert fit(bench, image, container_entry_point=["/bin/echo", "mine"]) == ["mine"]


def test_what_the_image_has_in_model_and_output_is_hidden(
    bench: Bench, shaped: Callable[[str], str]
) -> None:
    lines = fit(bench, shaped(ECHO))
    assert "stale" not in lines  # A5.14
    assert lines[1:] == ["/opt/ml/model:", "", "/opt/ml/output:", "data"]


def test_submitted_code_hides_the_images_own(
    bench: Bench, shaped: Callable[[str], str], tmp_path: Path
) -> None:
    image = shaped("RUN mkdir -p /opt/ml/code && touch /opt/ml/code/baked.py")
    look = {"image_uri": image, "container_entry_point": ["ls", "-lR", "/opt/ml/code"]}
    bench.estimator(**look).fit()
    assert any("baked.py" in line for line in bench.listener.lines)  # A1.7: no code, nothing hidden
    bench.listener.lines.clear()
    source = tmp_path / "src"
    (source / "pkg").mkdir(parents=True)
    (source / "train.py").write_text("print(1)")
    (source / "pkg" / "mod.py").write_text("")
    bench.estimator(**look, entry_point="train.py", source_dir=str(source)).fit()
    text = "\n".join(bench.listener.lines)
    assert "baked.py" not in text
    assert "train.py" in text
    assert "mod.py" in text


# Network isolation


def test_isolated_script_mode_has_no_network_and_does_not_hang(
    bench: Bench, images: Mapping[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import json, os, socket, sys\n"
        "try:\n"
        "    socket.create_connection(('1.1.1.1', 53), 5); answer = 'connected'\n"
        "except OSError as error:\n"
        "    answer = error.strerror\n"
        "machine = [n for n in os.environ if 'proxy' in n.lower() or 'PIP_INDEX' in n]\n"
        "print(json.dumps([answer, os.listdir('/sys/class/net'), machine]), flush=True)\n"
        "open(os.environ['SM_MODEL_DIR'] + '/m', 'w').write('m')\n"
    )
    estimator = bench.estimator(
        image_uri=images["training"], entry_point=str(script), enable_network_isolation=True
    )
    estimator.fit()
    answer, interfaces, machine = json.loads(
        next(line for line in bench.listener.lines if line.startswith("["))
    )
    assert answer == "Network is unreachable"
    assert "eth0" not in interfaces
    assert machine == []
    assert estimator.latest_training_job
    times = estimator.latest_training_job.timings()
    assert times["container"] < 60  # B5.7: the toolkit waits 15 minutes for a name to resolve
