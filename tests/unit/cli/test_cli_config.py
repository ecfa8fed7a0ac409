"""One precedence: flag, environment, file, default; and what `sagedock config` says of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sagedock.cli.configuration import META, Configuration
from sagedock.cli.context import settings_of
from sagedock.cli.group import COMMANDS, cli
from sagedock.project import config_file

PROGRAM = Path(sys.executable).with_name("sagedock")
NOTHING_SET = dict.fromkeys(
    (
        "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
        "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "SAGEDOCK_CONFIG",
    ),
    "",
)  # fmt: skip


@pytest.fixture
def project(work: Path) -> Path:
    """The folder the program is started in is a project's."""
    (work / ".git").mkdir()
    return work


@pytest.fixture
def configured(sagedock, project):
    """`sagedock config ARGUMENTS… --json` by name: value and origin."""

    def run(*arguments: str, env: dict[str, str] | None = None) -> dict[str, tuple[object, str]]:
        done = sagedock("config", "--json", *arguments, env=NOTHING_SET | (env or {}))
        assert (done.returncode, done.stderr) == (0, "")
        found = json.loads(done.stdout)["settings"]
        return {item["name"]: (item["value"], item["origin"]) for item in found}

    return run


def test_every_command_that_works_for_a_project_may_have_a_table():
    about_itself = {"init", "config", "version", "down", "status", "env"}
    assert set(config_file.COMMANDS) == set(COMMANDS) - about_itself


def write(folder: Path, text: str, name: str = "sagedock.toml") -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def planned(done: subprocess.CompletedProcess[str]) -> dict:
    """The request that `--dry-run` has printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# precedence


def test_an_options_own_place_is_shown_for_each(configured, project):
    write(project, "[build]\nplatform = 'linux/arm64'")
    assert configured("build")["platform"] == ("linux/arm64", "sagedock.toml: build.platform")
    assert configured("build", "--platform", "linux/amd64")["platform"][1] == "flag --platform"


def test_a_flag_stands_above_the_environment_that_above_the_file_that_above_the_default(
    configured, project
):
    assert configured("push")["region"] == (None, "default")
    write(project, "region = 'eu-west-1'")
    assert configured("push", "x")["region"] == ("eu-west-1", "sagedock.toml: region")
    found = configured("push", "x", env={"AWS_REGION": "us-west-2"})
    assert found["region"] == ("us-west-2", "environment AWS_REGION")
    found = configured("push", "x", "--region", "sa-east-1", env={"AWS_REGION": "us-west-2"})
    assert found["region"] == ("sa-east-1", "flag --region")


def test_a_commands_table_stands_above_the_general_key(configured, project):
    write(project, "region = 'eu-west-1'\n[push]\nregion = 'eu-west-3'")
    assert configured("push", "x")["region"] == ("eu-west-3", "sagedock.toml: push.region")
    found = configured("push", "x", env={"AWS_DEFAULT_REGION": "us-west-2"})
    assert found["region"] == (None, "environment AWS_DEFAULT_REGION")  # boto3 reads it itself


@pytest.mark.parametrize(
    "name", ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"]
)
def test_credentials_of_the_environment_stand_above_the_files_profile(configured, project, name):
    write(project, "profile = 'team'")
    assert configured()["profile"] == ("team", "sagedock.toml: profile")
    assert configured(env={name: "ci"})["profile"][1] == f"environment {name}"


def test_a_template_stands_between_the_table_and_the_flags(configured, project):
    write(project, """
        [train]
        image = "plain"
        instance-count = 2
        [templates.nightly]
        command = "train"
        image = "nightly"
    """)  # fmt: skip
    found = configured("train", "--template", "nightly")
    assert found["image"] == ("nightly", "sagedock.toml: templates.nightly.image")
    assert found["instance-count"] == (2, "sagedock.toml: train.instance-count")
    found = configured("train", "--template", "nightly", "--image", "mine")
    assert found["image"] == ("mine", "flag --image")
    assert configured("train")["image"] == ("plain", "sagedock.toml: train.image")


def test_pairs_come_together_by_name(configured, project):
    write(project, """
        [train.hyperparameter]
        epochs = 3
        lr = 0.1
        [templates.long]
        command = "train"
        hyperparameter = ["epochs=50"]
    """)  # fmt: skip
    value, origin = configured("train", "--template", "long", "-p", "lr=0.5")["hyperparameter"]
    assert value == {"epochs": "50", "lr": "0.5"}
    assert origin == (
        "flag -p over sagedock.toml: templates.long.hyperparameter over "
        "sagedock.toml: train.hyperparameter"
    )


# what jobs get of it


def test_a_job_is_planned_from_the_file_alone(sagedock, project):
    (project / "train.csv").write_text("1,2\n")
    write(project, """
        role = "Jobs"
        region = "eu-west-1"
        [train]
        image = "sagedock/training"
        instance-type = "ml.m5.xlarge"
        instance-count = 2
        network-isolation = true
        hyperparameter = { epochs = 3, flag = true }
        environment = { LEVEL = "debug" }
        input = { train = "train.csv" }
        content-type = ["train=text/csv"]
    """)  # fmt: skip
    request = planned(sagedock("train", "--dry-run", env=NOTHING_SET))
    assert request["AlgorithmSpecification"]["TrainingImage"] == "sagedock/training"
    assert request["RoleArn"].endswith(":role/Jobs")
    assert request["ResourceConfig"]["InstanceCount"] == 2
    assert request["ResourceConfig"]["InstanceType"] == "ml.m5.xlarge"
    assert request["EnableNetworkIsolation"] is True
    assert request["HyperParameters"] == {"epochs": "3", "flag": "true"}
    assert request["Environment"] == {"LEVEL": "debug"}
    assert request["InputDataConfig"][0]["ContentType"] == "text/csv"


def test_beside_a_request_the_file_says_nothing_of_the_job(sagedock, project):
    write(project, "[train]\nimage='x'\nsource-dir='nowhere'\ninput={train='gone.csv'}")
    request = {
        "TrainingJobName": "one", "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AlgorithmSpecification": {"TrainingImage": "mine", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://results/x"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }  # fmt: skip
    done = sagedock("train", "--dry-run", "--request", "-", stdin=json.dumps(request))
    assert planned(done)["AlgorithmSpecification"]["TrainingImage"] == "mine"


@pytest.mark.parametrize(
    ("text", "arguments", "name"),
    [
        ("image='filed'\nmodel-data='gone'", ("--model-name", "typed"), "typed"),
        ("model-name='filed'", (), "filed"),
    ],
)
def test_a_typed_model_takes_the_place_of_the_files_image(sagedock, project, text, arguments, name):
    (project / "data.csv").write_text("1,2\n")
    write(project, f"[transform]\ninput='data.csv'\n{text}")
    done = sagedock("transform", "--dry-run", *arguments)
    assert planned(done)["ModelName"] == name


def test_paths_start_from_the_file_wherever_one_is(sagedock, project, work):
    (project / "data").mkdir()
    (project / "data" / "train.csv").write_text("1,2\n")
    write(project, """
        data = "store"
        [train]
        image = "sagedock/training"
        input = { train = "data/train.csv", far = "s3://bucket/key" }
        [process]
        output = { train = "/opt/ml/processing/train:out/", all = "/opt/ml/processing/all" }
        [build]
        build-context = ["wheels=dist"]
    """)  # fmt: skip
    below = project / "deep" / "er"
    below.mkdir(parents=True)

    def run(*arguments):
        done = subprocess.run(
            [PROGRAM, *arguments], cwd=below, env={**os.environ, **NOTHING_SET},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    def value(command, option):
        found = run("config", "--json", command)["settings"]
        return next(item["value"] for item in found if item["name"] == option)

    local = str(project / "data/train.csv")
    assert value("train", "input") == {"train": local, "far": "s3://bucket/key"}
    assert value("process", "output") == {
        "train": f"/opt/ml/processing/train:{project}/out/", "all": "/opt/ml/processing/all",
    }  # fmt: skip
    assert value("build", "build-context") == [f"wheels={project}/dist"]
    assert run("version", "--json")["data"] == str(project / "store")


def test_jobs_on_this_machine_are_in_the_files_region_too(tmp_path, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    file = write(tmp_path, "region = 'eu-west-1'")
    with click.Context(cli) as context:
        context.meta[META] = Configuration(file)
        assert settings_of(tmp_path).region == "eu-west-1"
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        assert settings_of(tmp_path).region == "us-west-2"


def test_the_data_folder_of_the_environment_stands_above_the_files(sagedock, project, data):
    write(project, "data = 'store'")
    assert json.loads(sagedock("version", "--json").stdout)["data"] == str(data)
    done = sagedock("version", "--json", env={"SAGEDOCK_DATA": ""})
    assert json.loads(done.stdout)["data"] == str(project / "store")
    done = sagedock("--data", "flag", "version", "--json")
    assert json.loads(done.stdout)["data"] == str(project / "flag")


def test_an_argument_may_stand_in_the_file(configured, project):
    write(project, "[serve]\nimage = 'sagedock/serving'\ndetach = true\n")
    found = configured("serve")
    assert found["image"] == ("sagedock/serving", "sagedock.toml: serve.image")
    assert found["wait"] == (False, "sagedock.toml: serve.detach")
    assert configured("serve", "mine")["image"] == ("mine", "argument")


def test_another_file_by_flag_or_environment(sagedock, configured, project, tmp_path):
    write(project, "region = 'eu-west-1'")
    other = write(tmp_path, "region = 'eu-west-3'", "other.toml")
    done = sagedock("--config", str(other), "config", "--path")
    assert done.stdout == f"{other}\n"
    assert configured(env={"SAGEDOCK_CONFIG": str(other)})["region"][0] == "eu-west-3"
    assert configured(env={"SAGEDOCK_CONFIG": "/dev/null"})["region"] == (None, "default")


# mistakes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[train]\nimge = 'x'", "train.imge is unknown: `sagedock train` has no such option"),
        ("[train]\ninstance-count = '2'", "train.instance-count is '2': expected a whole number"),
        ("[train]\ninstance-count = 0", "train.instance-count is 0: 0 is not in the range x>=1"),
        ("[train]\nnetwork-isolation = 'yes'", "is 'yes': expected true or false"),
        ("[train]\nimage = 3", "train.image is 3: expected a text"),
        ("[train]\nimage = {a = 1}", "train.image is a table: expected a text"),
        ("[train]\nhyperparameter = 'a=1'", "is 'a=1': expected a list, or a table where it is N"),
        ("[train]\nhyperparameter = ['a']", "train.hyperparameter is 'a': expected NAME=VALUE"),
        ("[train]\nhyperparameter = ['a=1', 'a=2']", "is 'a=2': expected a once"),
        ("[train]\nname = 'x'\njob-name = 'y'", "train.job-name says what 'name' says, too"),
        ("[train]\nrequest = 'x'", "train.request is unknown"),
        ("[transform]\ndata-type = 'S4'", "transform.data-type is 'S4': 'S4' is not one of"),
        ("[serve]\ndetach = 'x'", "serve.detach is 'x': expected true or false"),
        ("[templates.a]\ncommand = 'train'\nimge = 'x'", "templates.a.imge is unknown: `sagedock "),
    ],
)  # fmt: skip
def test_a_table_has_the_options_of_its_command_in_their_forms(sagedock, project, text, words):
    write(project, text)
    done = sagedock("config")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {project / 'sagedock.toml'}: ")
    assert words in done.stderr


def test_the_nearest_option_is_suggested_when_the_command_runs(sagedock, project):
    write(project, "[train]\nimge = 'x'")
    done = sagedock("train", "--dry-run")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "hint: Did you mean 'image'?")


def test_help_and_what_mends_things_work_with_a_broken_file(sagedock, project):
    write(project, "regoin = 'x'")
    for arguments in (["--help"], ["train", "--help"], ["version"], ["down", "--help"]):
        assert sagedock(*arguments).returncode == 0
    done = sagedock("jobs")
    assert (done.returncode, "regoin is unknown" in done.stderr) == (2, True)


def test_help_shows_the_projects_own_defaults(sagedock, project):
    write(project, "[train]\ninstance-count = 7")
    assert "[default: 7; x>=1]" in sagedock("train", "--help").stdout


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("nigtly", "There is no template 'nigtly' in ", "Did you mean 'nightly'?"),
        ("scoring", "sagedock.toml: templates.scoring is for `sagedock transform`, not for", ""),
    ],
)
def test_a_template_that_does_not_fit(sagedock, project, name, words, hint):
    write(project, "[templates.nightly]\ncommand='train'\n[templates.scoring]\ncommand='transform'")
    done = sagedock("train", "--template", name, "--dry-run")
    assert done.returncode == 2
    assert words in done.stderr
    assert hint in done.stderr


def test_a_template_does_not_go_with_a_request(sagedock, project):
    write(project, "[templates.nightly]\ncommand='train'")
    done = sagedock("train", "--template", "nightly", "--request", "-", stdin="{}")
    assert (done.returncode, "--template can't go with --request" in done.stderr) == (2, True)


# what is shown


def test_without_a_file(sagedock, project):
    done = sagedock("config", env=NOTHING_SET)
    assert (done.returncode, done.stderr) == (0, "file: none\n")
    done = sagedock("config", "--path")
    assert (done.returncode, "There is no sagedock.toml here or above" in done.stderr) == (12, True)


def test_of_two_files_it_is_said_which_one_is_read(sagedock, project):
    write(project, "region = 'eu-west-1'")
    write(project, "[tool.sagedock]\nregion = 'us-east-1'", "pyproject.toml")
    done = sagedock("config", env=NOTHING_SET)
    assert f"[tool.sagedock] in {project / 'pyproject.toml'} is not read" in done.stderr
    assert "eu-west-1" in done.stdout


def test_secrets_are_not_shown(sagedock, project):
    write(project, """
        [train]
        image = "x"
        environment = { DB_PASSWORD = "hunter2", INDEX = "https://me:hunter2@host/simple" }
        hyperparameter = ["api_key=hunter2"]
        [images.app]
        build-args = { PIP_TOKEN = "hunter2" }
        [up]
        token = "hunter2"
    """)  # fmt: skip
    hidden = {"HTTPS_PROXY": "http://me:hunter2@proxy:3128", "SAGEDOCK_TOKEN": "hunter2"}
    for arguments in ([], ["--json"], ["train"], ["up"], ["--json", "up"]):
        done = sagedock("config", *arguments, env=hidden)
        assert done.returncode == 0
        assert "hunter2" not in done.stdout + done.stderr
    assert "https://********@host/simple" in sagedock("config").stdout


def test_everything_that_is_set_is_shown(configured, project):
    write(project, """
        bucket = "churn"
        [images.churn]
        context = "."
        from-image = "python:3.12"
        budget = "1 MB"
        [templates.nightly]
        command = "train"
        image = "churn"
    """)  # fmt: skip
    found = configured(env={"SAGEDOCK_SHM_SIZE": "1g"})
    assert found["bucket"] == ("churn", "sagedock.toml: bucket")
    assert found["role"] == (None, "default")
    assert found["images.churn.from-image"] == ("python:3.12", "sagedock.toml: images.churn")
    assert found["images.churn.budget"][0] == "1 MB"
    assert found["templates.nightly.image"][0] == "churn"
    assert found["SAGEDOCK_SHM_SIZE"] == ("1g", "environment SAGEDOCK_SHM_SIZE")


def test_an_unknown_command_is_refused(sagedock, project):
    done = sagedock("config", "trian")
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: There is no command 'trian'.",
    )
