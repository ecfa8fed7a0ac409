"""What a project's configuration file may say, where it is found, and how its mistakes are told."""

from pathlib import Path

import pytest

from sagedock.errors import UsageError
from sagedock.project.config import CodeArtifact, Config, ImageConfig, Template, load, read

WHOLE = """
region = "eu-west-1"
profile = "team"
account = "123456789012"
role = "arn:aws:iam::123456789012:role/Jobs"
bucket = "churn-data"
data = ".sagedock"

[images.churn-training]
context = "."
dockerfile = "containers/training/Dockerfile"
platform = "linux/arm64"
budget = "450 MB"
build-args = { WITH_GPU = false, LEVEL = 3 }
from-image = "sagedock/training"
with = "training"
target = "slim"
repository = "team/churn-training"
codeartifact = { domain = "team", repository = "wheels", owner = "123456789012" }

[images.churn-serving]

[train]
instance-type = "ml.m5.xlarge"
instance-count = 2
hyperparameter = { epochs = 3 }
network-isolation = true

[templates.nightly]
command = "train"
image = "churn-training"
input = ["train=data/train.csv"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    return folder


def write(folder: Path, text: str, name: str = "sagedock.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def refused(folder: Path, text: str, name: str = "sagedock.toml") -> UsageError:
    write(folder, text, name)
    with pytest.raises(UsageError) as caught:
        load(folder)
    return caught.value


def test_everything_the_file_may_say(project):
    file = write(project, WHOLE)
    config = load(project)
    assert (config.file, config.ignored, config.root) == (file, None, project)
    assert (config.region, config.profile, config.account) == ("eu-west-1", "team", "123456789012")
    assert (config.role, config.bucket, config.data) == (
        "arn:aws:iam::123456789012:role/Jobs", "churn-data", project / ".sagedock",
    )  # fmt: skip
    assert config.images["churn-training"] == ImageConfig(
        name="churn-training",
        context=project,
        dockerfile=project / "containers/training/Dockerfile",
        platform="linux/arm64",
        budget=450_000_000,
        build_args={"WITH_GPU": "false", "LEVEL": "3"},
        base="sagedock/training",
        part="training",
        target="slim",
        repository="team/churn-training",
        codeartifact=CodeArtifact(domain="team", repository="wheels", owner="123456789012"),
    )
    assert config.images["churn-serving"] == ImageConfig(name="churn-serving", context=project)
    assert config.defaults["train"] == {
        "instance-type": "ml.m5.xlarge",
        "instance-count": 2,
        "hyperparameter": {"epochs": 3},
        "network-isolation": True,
    }
    assert config.templates["nightly"] == Template(
        name="nightly",
        command="train",
        options={"image": "churn-training", "input": ["train=data/train.csv"]},
    )


def test_a_table_in_pyproject_says_the_same(project):
    text = "[tool.sagedock]\nregion = 'eu-west-1'\n[tool.sagedock.train]\nimage = 'x'\n"
    write(project, text, "pyproject.toml")
    config = load(project)
    assert config.region == "eu-west-1"
    assert config.place("train", "image") == "pyproject.toml: tool.sagedock.train.image"


def test_of_two_files_the_own_one_is_read_and_the_other_is_named(project):
    write(project, "region = 'eu-west-1'")
    write(project, "[tool.sagedock]\nregion = 'us-east-1'\n", "pyproject.toml")
    config = load(project)
    assert (config.region, config.ignored) == ("eu-west-1", project / "pyproject.toml")


def test_another_tools_pyproject_is_passed_over(project):
    write(project, "region = 'eu-west-1'")
    write(project / "sub", "this is { no TOML", "pyproject.toml")
    assert load(project / "sub").region == "eu-west-1"


def test_the_nearest_file_is_read(project):
    write(project, "region = 'eu-west-1'")
    write(project / "a", "region = 'eu-west-3'")
    (project / "a" / "b").mkdir()
    assert load(project / "a" / "b").region == "eu-west-3"
    assert load(project).region == "eu-west-1"


def test_nothing_above_the_repository_is_read(project):
    write(project.parent, "region = 'eu-west-1'")
    assert load(project) == Config()


def test_nothing_above_the_home_folder_is_read(tmp_path, monkeypatch):
    home = tmp_path / "home"
    write(tmp_path, "region = 'eu-west-1'")
    (home / "deep").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    assert load(home / "deep").file is None
    write(home, "region = 'eu-west-3'")
    assert load(home / "deep").region == "eu-west-3"


def test_a_folder_that_anybody_may_write_to_is_not_looked_into_from_below(tmp_path):
    shared = tmp_path / "shared"
    write(shared, "region = 'eu-west-1'")
    shared.chmod(0o1777)
    (shared / "mine").mkdir()
    assert load(shared / "mine").file is None
    assert load(shared).region == "eu-west-1"


def test_a_file_of_any_name_can_be_read(tmp_path):
    file = write(tmp_path, "region = 'eu-west-1'", "other.toml")
    assert read(file).region == "eu-west-1"
    with pytest.raises(UsageError, match="can't be read: No such file"):
        read(tmp_path / "none.toml")
    with pytest.raises(UsageError, match=r"has no table \[tool.sagedock\]"):
        read(write(tmp_path, "", "pyproject.toml"))


def test_without_a_file_there_is_no_root():
    with pytest.raises(UsageError, match="no configuration here"):
        _ = Config().root


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("regoin = 'eu-west-1'", "regoin is unknown: expected one of region, profile"),
        ("[trian]\nimage = 'x'", "trian is unknown"),
        ("region = 3", "region is 3: expected a region such as eu-west-1"),
        ("region = 'europe'", "region is 'europe': expected a region"),
        ("account = 123456789012", "account is 123456789012: expected an account's 12 digits in"),
        ("bucket = 's3://data'", "bucket is 's3://data': expected a bucket's name, without s3://"),
        ("role = 'no role'", "role is 'no role': expected a role's name or ARN"),
        ("train = 'x'", "train is 'x': expected a table, [train]"),
        ("[train]\nwhen = 2026-01-01", "train.when is 2026-01-01: expected a text, a number"),
        ("[images.Big]", "images.Big can't be an image's name"),
        ("images = 1", "images is 1: expected a table"),
        ("[images.app]\nbudget = 450", "app.budget is 450: expected a size such as \"450 MB\""),
        ("[images.app]\nbudget = '450 M'", "app.budget is '450 M': expected a size"),
        ("[images.app]\nplatform = 'amd64'", "app.platform is 'amd64': expected one of linux/a"),
        ("[images.app]\nplatform = ['linux/amd64']", "app.platform is ['linux/amd64']"),
        ("[images.app]\ncontext = '../other'", "app.context is '../other': expected a path in"),
        ("[images.app]\ndockerfile = '/etc/x'", "app.dockerfile is '/etc/x': expected a path "),
        ("[images.app]\nbuild-args = ['A=1']", "app.build-args is ['A=1']"),
        ("[images.app]\nbuild-args = {A = []}", "app.build-args.A is []: expected a text"),
        ("[images.app]\nbudgte = '1 MB'", "app.budgte is unknown: expected one of context"),
        ("[images.app.codeartifact]\ndomain = 'x'", "app.codeartifact.repository is missing"),
        ("[images.app]\nrepository='xy'\n[images.xy]", "xy goes to the repository 'xy', as ima"),
        ("[images.app]\nwith = 'serving'", "app.with is 'serving': expected no such key without"),
        ("[images.app]\nfrom-image = 'x'\nwith = 'all'", "app.with is 'all': expected one of tr"),
        ("[templates.a]\nimage = 'x'", "templates.a.command is missing: expected train, process"),
        ("[templates.a]\ncommand = 'push'", "templates.a.command is 'push': expected one of tra"),
        ("region = 'eu-west-1'\nregion = 'eu-west-3'", "is not TOML: Cannot overwrite a value"),
        ("region = ", "is not TOML: Invalid value (at"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_file_key_value_and_what_was_expected(project, text, words):
    error = refused(project, text)
    assert error.message.startswith(str(project / "sagedock.toml"))
    assert words.lower() in error.message.lower()


def test_the_nearest_name_is_suggested(project):
    assert refused(project, "regoin = 'eu-west-1'").hint == "Did you mean 'region'?"
    assert refused(project, "[trian]").hint == "Did you mean 'train'?"
    assert refused(project, "[images.app]\nbudgte = '1 MB'").hint == "Did you mean 'budget'?"


def test_in_pyproject_a_key_is_named_with_its_table(project):
    error = refused(project, "[tool.sagedock]\nregoin = 'x'\n", "pyproject.toml")
    assert f"{project / 'pyproject.toml'}: tool.sagedock.regoin is unknown" in error.message
    error = refused(project, "[tool]\nsagedock = 3\n", "pyproject.toml")
    assert "tool.sagedock is 3: expected a table" in error.message


def test_a_file_that_is_no_text_is_told(project):
    (project / "sagedock.toml").write_bytes(b"region = '\xff'")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        load(project)


def test_a_link_out_of_the_project_is_no_way_out(project):
    (project / "link").symlink_to(project.parent)
    assert "images.app.context" in refused(project, "[images.app]\ncontext = 'link/x'").message


@pytest.mark.parametrize(
    ("text", "size"), [("1.5 GB", 1_500_000_000), ("2KiB", 2048), ("300mb", 300_000_000)]
)
def test_sizes(project, text, size):
    write(project, f"[images.app]\nbudget = '{text}'")
    assert load(project).images["app"].budget == size


def test_programs_ask_for_it_by_name(project, monkeypatch):
    import sagedock

    write(project, "role = 'Jobs'")
    assert sagedock.load_config(project).role == "Jobs"
    monkeypatch.chdir(project)
    assert sagedock.load_config().role == "Jobs"
