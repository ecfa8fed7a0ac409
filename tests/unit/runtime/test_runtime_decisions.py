"""The pure decisions of `train`: the mode, the command, the words for what is wrong."""

from __future__ import annotations

import json

import pytest

from sagedock.contract.paths import MLPaths
from sagedock.errors import TrainingError
from sagedock.runtime import config, hosts, requirements, script_mode, source
from sagedock.runtime.entry_point import Kind, check_name, command_of, kind_of, not_found
from sagedock.runtime.launcher import shell_code
from sagedock.runtime.mode import Mode, decide


# ---- mode ------------------------------------------------------------------------------------
def test_without_a_program_the_image_trains_itself():
    assert decide({"num_round": "10"}, {}).mode is Mode.ALGORITHM


@pytest.mark.parametrize("value", ["train.py", '"train.py"'])
def test_a_program_with_and_without_quotes(value):
    plan = decide({"sagemaker_program": value}, {})
    assert (plan.mode, plan.program) == (Mode.SCRIPT, "train.py")


def test_the_jobs_program_beats_the_images_aloud():
    plan = decide({"sagemaker_program": "mine.py"}, {"SAGEMAKER_PROGRAM": "baked.py"})
    assert plan.program == "mine.py"
    assert "SAGEMAKER_PROGRAM=baked.py is ignored" in plan.warnings[0]


def test_the_images_program_runs_when_the_job_names_none():
    plan = decide({}, {"SAGEMAKER_PROGRAM": "baked.py"})
    assert (plan.mode, plan.program, plan.warnings) == (Mode.SCRIPT, "baked.py", ())


@pytest.mark.parametrize(
    ("name", "runner"),
    [
        ("sagemaker_mpi_enabled", "MPI"),
        ("sagemaker_torch_distributed_enabled", "TorchDistributed"),
        ("sagemaker_distributed_dataparallel_enabled", "SMDataParallel"),
        ("sagemaker_pytorch_xla_multi_worker_enabled", "PyTorchXLA"),
    ],
)
def test_launchers(name, runner):
    plan = decide({"sagemaker_program": "t.py", name: "true"}, {})
    assert (plan.mode, plan.runner) == (Mode.TOOLKIT, runner)
    assert decide({"sagemaker_program": "t.py", name: "false"}, {}).mode is Mode.SCRIPT


def test_a_frameworks_module_needs_no_program():
    plan = decide({}, {"SAGEMAKER_TRAINING_MODULE": "a.b:main"})
    assert (plan.mode, plan.module) == (Mode.TOOLKIT, "a.b:main")


def test_intermediate_output_is_the_toolkits_business():
    plan = decide({"sagemaker_program": "t.py", "sagemaker_s3_output": "s3://b/p"}, {})
    assert (plan.mode, plan.runner) == (Mode.TOOLKIT, "Process")


# ---- entry point -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("program", "files", "kind"),
    [
        ("train.py", ["train.py"], Kind.SCRIPT),
        ("train.py", ["train.py", "setup.py"], Kind.PACKAGE),
        ("train.sh", ["train.sh", "setup.py"], Kind.COMMAND),
        ("train", ["train"], Kind.COMMAND),
        ("train", ["setup.py"], Kind.PACKAGE),
    ],
)
def test_kinds(program, files, kind):
    assert kind_of(program, files) is kind


def test_commands():
    words = ["--name", "it's a; $(name)"]
    assert command_of("a/t.py", Kind.SCRIPT, words, python="py") == ["py", "--", "a/t.py", *words]
    assert command_of("t.py", Kind.PACKAGE, words, python="py") == ["py", "-m", "t", *words]
    shell = command_of("t.sh", Kind.COMMAND, words, python="py")
    assert shell == ["/bin/sh", "-c", """exec ./t.sh --name 'it'"'"'s a; $(name)'"""]
    assert command_of("t.sh", Kind.COMMAND, [], python="py")[2] == "exec ./t.sh"


@pytest.mark.parametrize("name", ["train.py", "a/b-c/train+1.sh", "_x", ".hidden.py"])
def test_good_names(name):
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "-c", "/abs.py", "../up.py", "a/./b.py", "my script.py", "a;b"]
)
def test_bad_names(name):
    with pytest.raises(TrainingError, match="relative to the source directory"):
        check_name(name)


def test_not_found_names_script_folder_files_and_the_likely_one():
    error = str(not_found("train.py", "/code", ["src/train.py", "README.md"]))
    assert "Script train.py not found in /code: it holds README.md, src/train.py." in error
    assert "Did you mean src/train.py?" in error
    assert "Did you mean train.py?" in str(not_found("train", "/code", ["train.py"]))
    assert "it holds nothing" in str(not_found("train.py", "/code", []))
    many = [f"f{n:02}" for n in range(30)]
    assert "f19 and 10 more" in str(not_found("train.py", "/code", many))


# ---- configuration files ---------------------------------------------------------------------
def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"resourceconfig\.json is missing") as caught:
        config.read_hosts(MLPaths(str(tmp_path)))
    assert "before it starts a container" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "not valid JSON"), ("[]", "JSON object, not list"), ("\xff", "JSON")]
)
def test_a_broken_file_is_named(tmp_path, text, words):
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError, match=words):
        config.read_object(str(path))


@pytest.mark.parametrize(
    "more", [{}, {"topology": None, "current_instance_type": "ml.m5.large", "new_key": [1]}]
)
def test_the_short_and_the_long_resource_config(tmp_path, more):
    paths = MLPaths(str(tmp_path))
    document = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
    (tmp_path / "input" / "config").mkdir(parents=True)
    (tmp_path / "input" / "config" / "resourceconfig.json").write_text(
        json.dumps({**document, **more}), encoding="utf-8"
    )
    assert config.read_hosts(paths) == ("algo-1", ["algo-1"])


def test_a_resource_config_without_hosts(tmp_path):
    paths = MLPaths(str(tmp_path))
    (tmp_path / "input" / "config").mkdir(parents=True)
    (tmp_path / "input" / "config" / "resourceconfig.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TrainingError, match="current_host=None, hosts=None"):
        config.read_hosts(paths)


# ---- hosts -----------------------------------------------------------------------------------
class Names:
    """A resolver that knows a name from its n-th question on."""

    def __init__(self, **known_from: int) -> None:
        self.known_from = known_from
        self.asked: list[str] = []

    def __call__(self, host: str) -> bool:
        self.asked.append(host)
        return self.asked.count(host) >= self.known_from[host]


def test_one_host_is_not_waited_for():
    names = Names(nosuch=99)
    hosts.wait_for(["nosuch"], resolver=names)
    assert names.asked == []


def test_several_hosts_are_waited_for():
    said: list[str] = []
    names = Names(one=1, two=3)
    hosts.wait_for(["one", "two"], resolver=names, say=said.append, pause=0.001)
    assert names.asked.count("one") == 1
    assert names.asked.count("two") == 3
    assert "waiting for host names two" in said[0]


def test_the_wait_has_an_end_with_words():
    names = Names(one=1, two=10**9)
    with pytest.raises(TrainingError, match=r"do not resolve after 0 s: two \(of the job's 2"):
        hosts.wait_for(["one", "two"], seconds=0.05, resolver=names, say=str, pause=0.01)


def test_resolving():
    assert hosts.resolves("localhost")
    assert not hosts.resolves("no-such-host.invalid")


# ---- requirements ----------------------------------------------------------------------------
def test_what_pip_gets(tmp_path):
    assert requirements.arguments_for(Kind.SCRIPT, tmp_path) == []
    assert requirements.arguments_for(Kind.PACKAGE, tmp_path) == ["."]
    (tmp_path / "requirements.txt").write_text("", encoding="utf-8")
    assert requirements.arguments_for(Kind.SCRIPT, tmp_path) == ["-r", "requirements.txt"]
    assert requirements.arguments_for(Kind.PACKAGE, tmp_path) == [".", "-r", "requirements.txt"]
    assert requirements.arguments_for(Kind.COMMAND, tmp_path) == []  # B5.3


def test_pips_last_words_name_the_package_and_no_credential():
    lines = [
        "Looking in indexes: https://aws:secret@host/simple\n",
        "ERROR: Could not find a version that satisfies the requirement nosuch==9 (from: none)\n",
        "ERROR: No matching distribution found for nosuch==9\n",
    ]
    text = str(requirements.failure(1, lines, "/code/requirements.txt"))
    assert text.startswith("Could not install nosuch==9 (from /code/requirements.txt): pip exited")
    assert "No matching distribution" in text
    assert "secret" not in str(requirements.failure(1, lines[:1], "r"))


def test_an_invalid_line():
    lines = ["ERROR: Invalid requirement: 'pandas=1': Expected end\n"]
    assert "Could not install pandas=1 (from r)" in str(requirements.failure(1, lines, "r"))


# ---- source ----------------------------------------------------------------------------------
def test_delivered_code_and_no_code_are_left_alone(tmp_path):
    (tmp_path / "train.py").write_text("mine", encoding="utf-8")
    for uri, delivered in [("", False), ("s3://b/k", True), (str(tmp_path), False)]:
        source.bring(uri, tmp_path, delivered=delivered)
    assert source.files_in(tmp_path) == ["train.py"]


# ---- script mode -----------------------------------------------------------------------------
def test_variables():
    found = script_mode.variables_for({"SM_X": "1"}, {"A": "b", "PYTHONPATH": "/own"}, "/code")
    assert found == {"SM_X": "1", "A": "b", "PYTHONPATH": "/code:/own", "PYTHONUNBUFFERED": "1"}


def test_a_variable_that_linux_refuses():
    with pytest.raises(TrainingError, match="SM_HPS would take 131080 bytes"):
        script_mode.variables_for({"SM_HPS": "x" * 131072}, {}, "/code")


def test_a_variable_that_linux_takes(tmp_path):
    import subprocess

    value = "x" * (script_mode.STRING_LIMIT - len("SM_HPS") - 2)
    found = script_mode.variables_for({"SM_HPS": value}, {}, "/code")
    subprocess.run(["/bin/true"], env=found, check=True)


@pytest.mark.parametrize(
    ("text", "code"), [("3", 3), ("-9", 137), ("0", 1), ("None", 1), ("", 1), (None, 1)]
)
def test_exit_codes_of_the_toolkit(text, code):
    assert shell_code(text) == code
