"""What the SageMaker SDKs' own local modes get wrong, and the tests that show it right here.

Each row of the table is a fault that people meet there; each names tests, and a name that is no
test any more fails. One job at the end goes through many rows at once, as a user would meet them.
`tests/sdk` shows the modes themselves, and programs of the SDKs through the local AWS.
"""

import ast
import os
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from sagedock.errors import JobFailedError
from sagedock.launch.estimator import Estimator
from sagedock.launch.session import Session

HERE = Path(__file__).parent

FAULTS: Mapping[str, tuple[str, ...]] = {
    "generic Estimator": ("start::test_arguments_arrive_as_they_are",),
    "plain image, `train` argument": (
        "start::test_train_takes_the_place_of_cmd",
        "start::test_entrypoint_gets_train",
        "start::test_container_arguments_replace_train",
        "start::test_container_entrypoint_drops_train_and_cmd",
        "ends::test_image_without_train_says_so",
    ),
    "needs AWS": (
        "start::test_environment_is_the_platforms_and_the_requests",
        "processing::test_script_from_the_store_runs_in_the_processing_image",
    ),
    "ScriptProcessor": (
        "processing::test_both_config_files_and_the_environment",
        "processing::test_outputs_belong_to_the_caller_and_links_are_not_followed",
    ),
    "failed job": (
        "ends::test_failure_file_becomes_the_reason",
        "ends::test_long_failure_file_is_cut_and_the_exit_code_kept",
        "ends::test_failed_fit_raises_with_the_reason",
        "ends::test_failure_file_beside_success_is_no_failure",
        "start::test_what_the_image_has_in_model_and_output_is_hidden",
    ),
    "exit code 130": ("ends::test_exit_code_fails_the_job",),
    "`file://` output": (
        "artifacts::test_local_output_folder_has_the_job_in_its_path",
        "artifacts::test_failed_job_leaves_no_model_and_good_ones_alone",
        "artifacts::test_old_model_files_do_not_leak_into_the_next",
    ),
    "`wait=False`": (
        "owner::test_without_waiting_fit_returns_at_once_and_the_job_completes",
        "owner::test_runner_outlives_its_caller",
        "owner::test_killed_runner_is_followed_without_losing_or_doubling_a_line",
    ),
    "several hosts": ("bad_input::test_requests_the_service_or_this_version_refuses",),
    "MaxRuntime, network isolation, tags, retries": (
        "ends::test_max_runtime_signals_and_packs",
        "ends::test_deaf_program_is_killed_after_the_grace",
        "start::test_isolated_script_mode_has_no_network_and_does_not_hang",
        "bad_input::test_members_that_would_be_ignored_are_refused",
        "bad_input::test_settings_without_effect_are_noted",
    ),
    "checkpoints, spot": ("bad_input::test_members_that_would_be_ignored_are_refused",),
    "Pipe, FastFile": ("bad_input::test_requests_the_service_or_this_version_refuses",),
    "ShardedByS3Key, manifests, Gzip": ("bad_input::test_compressed_channel_is_refused",),
    "metrics": (
        "logs::test_metrics_with_tab_as_the_service_sees_it",
        "logs::test_metrics_of_a_failed_job",
    ),
    "hyperparameter limits": ("bad_input::test_requests_the_service_or_this_version_refuses",),
    "inputs": (
        "start::test_channels_are_read_only",
        "processing::test_inputs_are_read_only_and_exactly_what_was_named",
    ),
    "environment": (
        "start::test_config_files_have_the_services_keys",
        "start::test_environment_is_the_platforms_and_the_requests",
    ),
    "`/dev/shm`": (
        "start::test_shared_memory_goes_with_the_instance",
        "owner::test_detached_job_runs_with_the_settings_of_its_session",
    ),
    "ownership on Linux": (
        "disk::test_unprivileged_user_in_the_engines_group_owns_all_results",
        "artifacts::test_model_archive_is_reproducible_relative_and_nobodys",
    ),
    "Ctrl-C": (
        "ends::test_ctrl_c_stops_packs_and_raises",
        "ends::test_second_ctrl_c_kills_at_once",
    ),
    "SIGTERM to the program": (
        "owner::test_caller_that_is_terminated_leaves_an_adoptable_job",
        "owner::test_terminated_runner_stops_the_job",
    ),
    "leaks": ("ends::test_ctrl_c_stops_packs_and_raises",),  # and `spotless`, after each test
    "packaging": ("artifacts::test_model_archive_is_reproducible_relative_and_nobodys",),
    "endpoint": (
        "hosting/endpoints::test_faults_are_told_as_model_errors_and_the_endpoint_goes_on",
        "hosting/endpoint_containers::test_several_endpoints_live_beside_each_other",
    ),
    "transform": (
        "transform_contract::test_e13_keys_below_the_prefix_and_in_order",
        "transform_contract::test_e14_the_filters_of_the_documentation",
        "transform::test_filters_and_join",
    ),
    "log tail": (
        "logs::test_lines_at_once_and_then_the_end",
        "logs::test_end_without_a_line_break_on_both_streams",
    ),
    "host name that doesn't resolve": (
        "start::test_host_name_resolves",
        "start::test_isolated_script_mode_has_no_network_and_does_not_hang",
    ),
}


@pytest.mark.parametrize("subject", FAULTS)
def test_each_fault_has_tests_that_exist(subject: str) -> None:
    for name in FAULTS[subject]:
        file, _, function = name.partition("::")
        folder, _, last = file.rpartition("/")
        path = HERE / folder / f"test_{last}.py" if folder else HERE / f"local/test_local_{file}.py"
        tree = ast.parse(path.read_text())
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert function in names, f"{subject}: {name} is no test"


SCRIPT = """
import argparse, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--fail", default="no")
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
args = parser.parse_args()
print("files", sorted(os.listdir(args.train)))
open(os.path.join(args.model_dir, "weights"), "w").write(os.environ["TRAINING_JOB_NAME"])
os.chmod(os.path.join(args.model_dir, "weights"), 0o700)
print("score=0.75")
if args.fail == "yes":
    open("/opt/ml/output/failure", "w").write("asked to fail")
    sys.exit(130)
"""


def test_one_folder_three_jobs(
    images: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good, failed, good again, to one local folder, without region, profile or credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.csv").write_text("1")
    (tmp_path / "data" / "unwanted.csv").write_text("2")
    session = Session(data=tmp_path / "store")
    estimator = Estimator(
        images["training"],
        entry_point=str(tmp_path / "train.py"),
        output_path=f"file://{tmp_path}/kept",
        metric_definitions=[{"Name": "score", "Regex": "score=([0-9.]+)"}],
        sagemaker_session=session,
    )
    channel = {"train": f"file://{tmp_path}/data/x.csv"}
    estimator.fit(channel, job_name="first")
    estimator.set_hyperparameters(fail="yes")
    with pytest.raises(JobFailedError, match="asked to fail, exit code: 130"):
        estimator.fit(channel, job_name="second")
    estimator.set_hyperparameters(fail="no")
    estimator.fit(channel, job_name="third")
    client = session.sagemaker_client
    statuses = {
        row["TrainingJobName"]: row["TrainingJobStatus"]
        for row in client.list_training_jobs()["TrainingJobSummaries"]
    }
    assert statuses == {"first": "Completed", "second": "Failed", "third": "Completed"}
    second = client.describe_training_job(TrainingJobName="second")
    assert second["FailureReason"] == "AlgorithmError: asked to fail, exit code: 130"
    assert second["FinalMetricDataList"][0]["Value"] == 0.75
    assert "files ['x.csv']" in session.logs("third")
    models = sorted((tmp_path / "kept").rglob("model.tar.gz"))
    assert [model.relative_to(tmp_path / "kept").parts[0] for model in models] == [
        "first", "third",
    ]  # fmt: skip
    with tarfile.open(models[0]) as archive:
        content = archive.extractfile("weights")
        assert content
        assert content.read() == b"first"
        assert stat.S_IMODE(archive.getmember("weights").mode) == 0o700
    session.close()
