"""The rooms of ARCHITECTURE.md, kept by walking the syntax trees of what is there.

Imports point down, siblings never import each other, and what only one room may touch is touched
only there.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import sagedock

SOURCE = Path(sagedock.__file__).parent
TESTS = Path(__file__).parents[1]

FLOORS = {
    "cli": 10, "server": 9, "project": 8, "launch": 7, "check": 7, "local": 6, "images": 6,
    "engine": 5, "store": 5, "aws": 5, "runtime": 4, "requests": 3, "hosting_requests": 3,
    "cloud_requests": 3,
    "contract": 2, "errors": 1, "": 0,
}  # fmt: skip
"""Room to floor: a room imports what lies on lower floors, and nothing on its own. `""` is the
package itself: its version."""

ONLY = {  # besides what FLOORS says
    "runtime": {"contract", "errors", ""},
    "images": {"engine", "aws", "contract", "errors", ""},  # builds know no jobs
    "engine": {"errors"},  # Docker knows no SageMaker
    "store": {"errors"},
    "aws": {"errors"},  # who asks, not what for
}

PLACES = {
    "docker": ("engine/",),
    "requests": ("engine/",),  # the HTTP library
    "urllib3": ("engine/", "aws/streams.py"),
    "boto3": ("aws/",),
    "subprocess": (
        "images/program.py",
        "runtime/",
        "local/owner.py",
        "local/process.py",
        "server/running/daemon.py",
        "cli/run.py",
        "server/registry/program.py",
    ),
    "botocore": ("requests.py", "local/listing.py", "server/", "aws/"),
    "click": ("cli/",),
    "rich": ("cli/",),
    "sqlite3": (
        "store/",
        "local/records.py",
        "local/models.py",
        "local/hosting/records.py",
        "local/hosting/async_records.py",
    ),
}
"""Import to the places that may have it."""

ENVIRONMENT = ("cli/", "runtime/", "local/settings.py")
OPT_ML = ("contract/paths.py",)


@dataclass(frozen=True)
class Module:
    """One file: its path below the package, and its syntax tree."""

    path: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first part of its path; the package's own file belongs to no room."""
        first = self.path.partition("/")[0]
        return "" if first in {"__init__.py", "__main__.py"} else first.removesuffix(".py")


def modules(folder: Path = SOURCE) -> list[Module]:
    return [
        Module(path.relative_to(folder).as_posix(), ast.parse(path.read_text("utf-8")))
        for path in sorted(folder.rglob("*.py"))
    ]


ALL = modules()


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of everything that is imported anywhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide which room is meant"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str | None:
    """The room of an imported name, None for one that isn't ours."""
    package, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    return None if package != "sagedock" else first if first in FLOORS else ""


def at_import_time(tree: ast.Module) -> Iterator[str]:
    """What is imported when the module is: neither in functions nor for type checkers only."""

    def visit(nodes: list[ast.stmt]) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from imports(node)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                yield from visit(node.orelse)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for _, block in ast.iter_fields(node):
                    if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                        yield from visit(block)

    return visit(tree.body)


def docstrings(tree: ast.Module) -> set[int]:
    """Ids of texts that stand alone: docstrings of modules, classes, functions and attributes."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def test_every_file_is_in_a_known_room():
    assert {module.room for module in ALL} <= set(FLOORS)


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.path)
def test_imports_point_down(module):
    for name in imports(module.tree):
        room = room_of(name)
        if room is None or room == module.room:
            continue
        if module.room == "":
            pytest.fail(f"{module.path} imports {name}: the package itself loads nothing")
        assert FLOORS[room] < FLOORS[module.room], f"{module.path} imports {name}"
        if module.room in ONLY:
            assert room in ONLY[module.room], f"{module.path} imports {name}"


@pytest.mark.parametrize("library", PLACES)
def test_libraries_stay_in_their_rooms(library):
    found = {
        module.path
        for module in ALL
        for name in imports(module.tree)
        if name.partition(".")[0] == library
    }
    strangers = {path for path in found if not path.startswith(PLACES[library] or ("nowhere",))}
    assert strangers == set()


def test_the_environment_is_read_in_few_places():
    for module in ALL:
        if module.path.startswith(ENVIRONMENT):
            continue
        reads = [
            ast.unparse(node)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
        ]
        reads += [name for name in imports(module.tree) if name in {"os.environ", "os.getenv"}]
        assert reads == [], module.path


def test_paths_in_a_container_are_spelled_out_once():
    for module in ALL:
        if module.path in OPT_ML:
            continue
        spoken = docstrings(module.tree)
        spelled = [
            node.value
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "/opt/ml" in node.value
            and id(node) not in spoken
        ]
        assert spelled == [], module.path


SHIPPED = [module for module in ALL if module.room in {"runtime", "contract", "errors", ""}]


@pytest.mark.parametrize("module", SHIPPED, ids=lambda module: module.path)
def test_what_ships_in_images_needs_only_the_standard_library_to_be_imported(module):
    allowed = sys.stdlib_module_names | {"sagedock"}
    strangers = {
        name for name in at_import_time(module.tree) if name.partition(".")[0] not in allowed
    }
    assert strangers == set()


def test_the_contract_does_no_io():
    doing = {"os", "io", "pathlib", "shutil", "socket", "sqlite3", "tempfile", "logging", "time"}
    for module in ALL:
        if module.room in {"contract", "errors"}:
            assert not doing & {name.partition(".")[0] for name in imports(module.tree)}, (
                module.path
            )
            calls = {node.func.id for node in ast.walk(module.tree)
                     if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
            assert not calls & {"open", "print", "input"}, module.path


@pytest.mark.parametrize("module", ALL, ids=lambda module: module.path)
def test_files_are_short_and_say_what_they_are_for(module):
    text = (SOURCE / module.path).read_text("utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(module.tree), f"{module.path} has no docstring"


def test_tests_use_no_mocks_and_skip_nothing():
    banned = ("unittest.mock", "mock", "pytest_mock")
    for module in modules(TESTS):
        assert not [name for name in imports(module.tree) if name.startswith(banned)], module.path
        called = {
            ast.unparse(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)
        }
        skipping = {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.importorskip",
                    "pytest.mark.xfail", "pytest.xfail"}  # fmt: skip
        assert not called & skipping, module.path


def test_names_of_test_files_are_unique():
    """pytest takes modules outside packages by their bare names."""
    names = [path.name for path in TESTS.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


# a fast start


def loaded_by(statement: str) -> set[str]:
    program = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


HEAVY = {"docker", "requests", "botocore", "boto3", "sqlite3", "isal", "rich", "click", "numpy",
         "pandas", "xgboost", "matplotlib", "asyncio"}  # fmt: skip


def test_importing_the_package_loads_nothing_heavy():
    assert not HEAVY & loaded_by("import sagedock; sagedock.__version__; dir(sagedock)")


def test_the_contract_loads_nothing_heavy():
    assert not HEAVY & loaded_by(
        "import sagedock.contract.hyperparameters, sagedock.contract.training"
    )


def test_every_public_name_can_be_had():
    for name in sagedock.__all__:
        assert getattr(sagedock, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        sagedock.Nothing  # noqa: B018
