"""What a new project is made of, as data: its name, its parts, its files' texts."""

import ast
import itertools
import json
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sagedock.errors import BuildError, UsageError
from sagedock.images import find_root, lock
from sagedock.project import init_files
from sagedock.project.config import load
from sagedock.project.init import (
    PARTS,
    NewProject,
    check_name,
    files,
    parts_of,
    render,
)

CHOICES = [
    chosen for size in (1, 2, 3) for chosen in itertools.combinations(PARTS, size)
]  # fmt: skip
BIN = Path(sys.executable).parent
VALUES = {"NAME": "penguins"}


def written(folder: Path, parts: tuple[str, ...] = PARTS, name: str = "penguins", **more) -> Path:
    project = NewProject(name=name, version="0.1.0", parts=parts, **more)
    parents = init_files.parent_packages(find_root())
    made = files(project, init_files.templates(), parents)
    init_files.write(init_files.locked(made), folder)
    return folder


# names and parts


@pytest.mark.parametrize("name", ["penguins", "ab", "my-model", "a1-b2", "x" * 32])
def test_names_that_fit_everywhere(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Churn Model", "churn-model"),
        ("churn_model", "churn-model"),
        ("-churn", "churn"),
        ("a--b", "a-b"),
        ("x" * 33, "x" * 32),
        ("../churn", "churn"),
        ("Ünï", ""),
        ("9lives", ""),
        ("a", ""),
        ("", ""),
        ("churn\n", "churn"),
    ],
)
def test_names_that_do_not_fit_are_refused_with_one_that_does(name, hint):
    with pytest.raises(UsageError, match="can't be called") as caught:
        check_name(name)
    assert caught.value.hint == (f"For example: {hint}" if hint else "")
    if hint:
        check_name(hint)


@pytest.mark.parametrize("name", ["class", "json", "test", "tests", "data", "training", "sagedock"])
def test_names_that_something_else_has_are_refused(name):
    with pytest.raises(UsageError, match="of that name") as caught:
        check_name(name)
    check_name(caught.value.hint.removeprefix("For example: "))


def test_parts_come_in_their_own_order():
    assert parts_of("serving, training") == ("training", "serving")
    assert parts_of("processing") == ("processing",)


@pytest.mark.parametrize(("text", "named"), [("", "nothing"), (",", "nothing"), ("a,b", "a")])
def test_other_parts_are_refused(text, named):
    with pytest.raises(UsageError, match=f"names '{named}': expected some of training, proc"):
        parts_of(text)


# templates


def test_marks_are_replaced_and_lines_kept_by_what_is_asked_for():
    text = "a @NAME@\n@IF training|serving@\nb\n@IFNOT training@\nc\n@END@\n@END@\nd\n"
    assert render(text, VALUES, {"training"}) == "a penguins\nb\nd\n"
    assert render(text, VALUES, {"serving"}) == "a penguins\nb\nc\nd\n"
    assert render(text, VALUES, {"processing"}) == "a penguins\nd\n"


def test_a_template_with_mistakes_is_no_file():
    with pytest.raises(KeyError):
        render("@NOBODY@", VALUES, ())
    with pytest.raises(ValueError, match="without @END@"):
        render("@IF training@\n", VALUES, ())


def test_every_template_is_named_so_and_used():
    found = [path for path in init_files.TEMPLATE.rglob("*") if path.is_file()]
    assert {path.suffix for path in found} == {".tmpl"}
    used = set()
    for parts in CHOICES:
        project = NewProject(name="penguins", version="1", parts=parts)
        used |= {file.path for file in files(project, init_files.templates(), {})}
    assert used == set(init_files.templates())


# projects


@pytest.mark.parametrize("parts", CHOICES, ids="-".join)
def test_a_project_of_these_parts_is_whole(tmp_path, parts):
    folder = written(tmp_path / "penguins", parts)
    assert [p.name for p in sorted((folder / "containers").iterdir()) if p.is_dir()] == sorted(
        parts
    )
    for path in folder.rglob("*"):
        if path.is_file():
            assert not re.search(r"@[A-Z]+( [a-z|]+)?@", path.read_text("utf-8")), path
        if path.suffix == ".py":
            ast.parse(path.read_text("utf-8"))
    config = load(folder)
    assert config.file == folder / "pyproject.toml"
    assert set(config.images) == {f"penguins-{part}" for part in parts}
    for image in config.images.values():
        assert image.dockerfile is not None
        assert image.dockerfile.is_file()
    ignored = (folder / ".dockerignore").read_text()
    for part in ("training", "serving"):
        assert (f"!{part}/" in ignored) == (part in parts)


@pytest.mark.parametrize("parts", CHOICES, ids="-".join)
@pytest.mark.parametrize("name", ["ab", "a-name-that-is-32-characters-xyz"])
def test_linters_have_nothing_to_say_of_it(tmp_path, parts, name):
    linted(written(tmp_path / name, parts, name))


def linted(folder: Path) -> None:
    for arguments in (
        ["ruff", "check", "--no-cache"],
        ["ruff", "format", "--check", "--no-cache"],
        ["shellcheck", "build_and_push.sh", "containers/install.sh"],
        ["hadolint", *folder.glob("containers/*/Dockerfile")],
    ):
        done = subprocess.run(
            [BIN / arguments[0], *arguments[1:]],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), f"{arguments}: {done.stdout}"


def test_the_ci_recipe_is_one(tmp_path):
    folder = written(tmp_path / "penguins")
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows",
         folder / ".github" / "workflows" / "ci.yml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_programs_can_be_run_and_other_files_cannot(tmp_path):
    folder = written(tmp_path / "penguins")
    runs = [p.name for p in folder.iterdir() if p.is_file() and p.stat().st_mode & stat.S_IXUSR]
    assert runs == ["build_and_push.sh"]


def test_what_is_locked_fits_the_parent_images(tmp_path):
    folder = written(tmp_path / "penguins")
    held = (folder / "containers" / "constraints.txt").read_text()
    assert "scikit-learn==" in held
    assert "pandas==" in held
    for file in folder.glob("containers/*/requirements.lock"):
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", file.read_text(), re.MULTILINE):
            assert f"\n{name}==" not in held or f"\n{name}=={version}\n" in held
            assert "--hash=sha256:" in file.read_text()


def test_locks_say_what_they_were_made_from(tmp_path):
    folder = written(tmp_path / "penguins")
    lock.check(folder)
    for source, file in lock.pairs(folder):
        assert lock.target_of(file.read_text()) == lock.Target(platforms=lock.PLATFORMS), source
    (folder / "containers" / "training" / "requirements.in").write_text("tabulate\nrich\n")
    with pytest.raises(BuildError, match="is stale"):
        lock.check(folder)


def test_versions_are_sagedocks_own(tmp_path):
    folder = written(tmp_path / "penguins")
    dockerfile = (folder / "containers" / "training" / "Dockerfile").read_text()
    assert "ARG PARENT=sagedock/training:0.1.0\n" in dockerfile
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "penguins"
    assert json.dumps(project["tool"]["sagedock"]["train"])


def test_on_another_image_everything_is_locked_that_the_scripts_import(tmp_path):
    folder = written(tmp_path / "penguins", from_image="my/torch:2.9")
    config = load(folder)
    assert config.images["penguins-base"].base == "my/torch:2.9"
    assert next(iter(config.images)) == "penguins-base"
    lock.check(folder)
    assert not (folder / "containers" / "constraints.txt").exists()
    for part, held in {
        "training": ["cloudpickle", "joblib", "narwhals", "numpy", "pandas", "python-dateutil",
                     "scikit-learn", "scipy", "six", "tabulate", "threadpoolctl"],
        "serving": ["cloudpickle", "joblib", "narwhals", "numpy", "scikit-learn", "scipy",
                    "threadpoolctl"],
    }.items():  # fmt: skip
        place = folder / "containers" / part
        assert "ARG PARENT=penguins-base\n" in (place / "Dockerfile").read_text()
        text = (place / "requirements.lock").read_text()
        assert sorted(re.findall(r"^([\w-]+)==", text, re.MULTILINE)) == held
        assert text.count("--hash=sha256:") >= len(held)
    linted(folder)


def test_the_data_is_the_data(tmp_path):
    rows = (written(tmp_path / "p1") / "data" / "penguins.csv").read_text().splitlines()
    assert len(rows) == 345
    species = [row.partition(",")[0] for row in rows[1:]]
    assert {name: species.count(name) for name in set(species)} == {
        "Adelie": 152, "Chinstrap": 68, "Gentoo": 124,
    }  # fmt: skip
