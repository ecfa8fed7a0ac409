"""AWS's own clients against real containers: left out unless asked for, and then never skipped.

make test-sdk        or        pytest --docker tests/sdk

The programs are written as a user writes them, with no word of this project in them, and run in
environments of their own (docker/ensure-sdks.sh), where this project is not installed. Those of
interop/ are the other way round: they import this project, whose objects become the SDKs'.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sdk_kit import EXAMPLE, PROGRAMS, ROOT, Churn, finished

import sagedock
from sagedock.errors import SagedockError
from sagedock.images import build, find_root

HERE = Path(__file__).parent
INTEROP = HERE / "interop"
ABREAST = 3
NAMES = ("base", "training", "processing", "serving")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    if ours and not config.getoption("--docker"):
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if HERE not in item.path.parents]
    else:  # what waits for a program comes last: until then the programs run beside the others
        items.sort(key=lambda item: item.get_closest_marker("program") is not None)


@pytest.fixture(scope="session", autouse=True)
def images() -> Mapping[str, str]:
    """The project's images, up to date: name -> tag. Without them the whole run fails."""
    try:
        built = build(NAMES, root=find_root(), version=sagedock.__version__, environ=os.environ)
    except SagedockError as error:
        pytest.exit(f"tests in containers were asked for, and can't run: {error}", returncode=1)
    return {image.name: image.tags[0] for image in built}


@pytest.fixture(scope="session")
def environments() -> Mapping[str, Path]:
    """The `bin` folders of the environments v2, v3 and cli, made where they aren't there yet."""
    names = ("v2", "v3", "cli")
    done = subprocess.run(
        [ROOT / "docker" / "ensure-sdks.sh", *names], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        pytest.exit("the SDKs' environments can't be made: see the lines above", returncode=1)
    folders = [ROOT / line / "bin" for line in done.stdout.split()]
    return dict(zip(names, folders, strict=True))


@pytest.fixture(scope="session")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Churn:
    """Real data, made by the example's own steps:

    raw_churn.csv, xgboost/<train|validation|test>/<same>.csv without headers,
    forest/<train|test>/<same>.csv with headers, rows/rows.csv: the test table without its label.
    """
    folder = tmp_path_factory.mktemp("churn")
    script = (
        "import sys; from pathlib import Path; d = Path(sys.argv[1]);"
        "import fetch, prepare_xgboost, preprocessing; raw = d / 'raw_churn.csv'; fetch.fetch(raw);"
        "prepare_xgboost.run(raw, d / 'xgboost');"
        "preprocessing.run(0.2, source=raw, train=d / 'forest/train/train.csv',"
        " test=d / 'forest/test/test.csv')"
    )
    code = f"{ROOT / 'examples/churn'}:{ROOT / 'examples/churn/code'}"
    subprocess.run(
        [sys.executable, "-c", script, folder],
        env={**os.environ, "PYTHONPATH": code}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (folder / "rows").mkdir()
    test = (folder / "xgboost" / "test" / "test.csv").read_text().splitlines()
    text = "".join(f"{line.partition(',')[2]}\n" for line in test)
    (folder / "rows" / "rows.csv").write_text(text)
    return Churn(folder)


@pytest.fixture(scope="session")
def clean() -> Callable[[], dict[str, str]]:
    """This process's environment without anything of AWS's or of ours."""

    def environment() -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "SAGEDOCK_", "SAGEMAKER_", "VIRTUAL_ENV"))
        }
        return {**kept, "SAGEMAKER_SUPPRESS_V2_WARNING": "1"}

    return environment


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of all programs, as on a user's machine; what still runs in it is ended."""
    folder = tmp_path_factory.mktemp("data")
    yield folder
    from sagedock.local.client import LocalSageMaker
    from sagedock.local.settings import LocalSettings

    client = LocalSageMaker(LocalSettings.from_environment(data=folder))
    left = [item["EndpointName"] for item in client.list_endpoints()["Endpoints"]]
    for name in left:
        client.delete_endpoint(EndpointName=name)
    client.close()
    assert not left, f"a program left endpoints behind: {left}"


@pytest.fixture(scope="session")
def run(
    data: Path, environments: Mapping[str, Path], clean: Callable[[], dict[str, str]]
) -> Callable[..., str]:
    """`run("v2", program, arguments…)`: by `sagedock run`, in that environment; what it printed."""

    def go(name: str, program: str | Path, *arguments: object, limit: float = 400) -> str:
        interpreter = [environments[name] / "python"] if str(program).endswith(".py") else ["bash"]
        environment = clean()
        environment["PATH"] = f"{environments[name]}:{environment['PATH']}"
        if Path(program).parent == INTEROP:
            environment["PYTHONPATH"] = str(ROOT / "src")
        command = [Path(sys.executable).parent / "sagedock", "--data", data, "run", "--",
                   *interpreter, PROGRAMS / program, *map(str, arguments)]  # fmt: skip
        return finished(command, environment, limit).stdout

    return go


def pytest_configure(config: pytest.Config) -> None:
    text = (
        "program(environment, program, arguments…): what `out` has run; {churn} and so on are known"
    )
    config.addinivalue_line("markers", text)


@pytest.fixture(scope="session")
def outputs(
    request: pytest.FixtureRequest,
    run: Callable[..., str],
    churn: Churn,
    images: Mapping[str, str],
) -> Iterator[Mapping[tuple[str, ...], Future[str]]]:
    """All programs that tests of this run are marked with, begun: the SDKs sleep most of the time,
    so a few run beside each other, against one data folder."""
    words = {**images, "churn": churn.folder, "programs": PROGRAMS, "code": EXAMPLE / "code",
             "interop": INTEROP}  # fmt: skip
    marks = [item.get_closest_marker("program") for item in request.session.items]
    wanted = dict.fromkeys(mark.args for mark in marks if mark)
    with ThreadPoolExecutor(ABREAST) as pool:
        yield {
            args: pool.submit(run, *(text.format_map(words) for text in args)) for args in wanted
        }
        pool.shutdown(cancel_futures=True)


@pytest.fixture(autouse=True)
def begun(request: pytest.FixtureRequest) -> None:
    """The programs run from the first test on; those of s3/ need no images, and begin none."""
    marked = any(item.get_closest_marker("program") for item in request.session.items)
    if marked and HERE / "s3" not in request.path.parents:
        request.getfixturevalue("outputs")


@pytest.fixture
def out(request: pytest.FixtureRequest, outputs: Mapping[tuple[str, ...], Future[str]]) -> str:
    """What the test's own program has printed, at its end."""
    return outputs[request.node.get_closest_marker("program").args].result()
