"""What the environment says about serving."""

import pytest

from sagedock.contract.paths import MLPaths
from sagedock.runtime.serve import settings
from sagedock.runtime.serve.metrics import Counters
from sagedock.runtime.serve.problems import ServingError


def read(**environ):
    return settings.read(environ, MLPaths("/ml"), cpus=3)


def test_without_any_variable():
    found = read()
    assert (found.port, found.workers, found.concurrency, found.timeout) == (8080, 3, 3, 0)
    assert (found.max_payload, found.accept, found.outputs) == (6291456, "", ())
    assert (found.model_dir, found.code_dir) == ("/ml/model", "/ml/model/code")
    assert (found.program, found.ensemble, found.multi_model) == ("inference.py", True, False)


def test_the_platforms_variables():
    found = read(
        SAGEMAKER_BIND_TO_PORT="8123", SAGEMAKER_SAFE_PORT_RANGE="9000-9010",
        SAGEMAKER_MULTI_MODEL="true", SAGEMAKER_BATCH="true", SAGEMAKER_MAX_PAYLOAD_IN_MB="20",
        SAGEMAKER_BATCH_STRATEGY="SINGLE_RECORD", SAGEMAKER_MAX_CONCURRENT_TRANSFORMS="7",
    )  # fmt: skip
    assert (found.port, found.ports, found.multi_model) == (8123, (9000, 9010), True)
    assert (found.max_payload, found.batch_strategy, found.concurrency) == (
        20 << 20, "SINGLE_RECORD", 7,
    )  # fmt: skip


def test_the_toolkits_variables():
    found = read(
        SAGEMAKER_MODEL_SERVER_WORKERS="1", SAGEMAKER_MODEL_SERVER_TIMEOUT="90",
        SAGEMAKER_PROGRAM="serve.py", SAGEMAKER_SUBMIT_DIRECTORY="file:///opt/code",
        SAGEMAKER_INFERENCE_OUTPUT="predicted_label, probability", MAX_CONTENT_LENGTH="100",
        SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="application/json", SAGEMAKER_INFERENCE_ENSEMBLE="0",
    )  # fmt: skip
    assert (found.workers, found.timeout, found.program) == (1, 90, "serve.py")
    assert (found.code_dir, found.max_payload, found.ensemble) == ("/opt/code", 100, False)
    assert found.outputs == ("predicted_label", "probability")


def test_an_address_is_no_folder_and_zero_is_no_limit():
    found = read(
        SAGEMAKER_SUBMIT_DIRECTORY="s3://bucket/code.tar.gz", SAGEMAKER_MAX_PAYLOAD_IN_MB="0"
    )
    assert (found.code_dir, found.max_payload) == ("/ml/model/code", 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAGEMAKER_BIND_TO_PORT", "80a"),
        ("SAGEMAKER_BIND_TO_PORT", "70000"),
        ("SAGEMAKER_SAFE_PORT_RANGE", "9000"),
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "0"),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "-1"),
        ("SAGEMAKER_MULTI_MODEL", "maybe"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "6.5"),
    ],
)
def test_a_variable_that_means_nothing_is_named(name, value):
    with pytest.raises(ServingError, match=name) as caught:
        read(**{name: value})
    assert value in caught.value.message


def test_counters_add_up_over_workers_and_outlive_them():
    counters = Counters(2)
    for worker in (0, 1, 1):
        counters.slot(worker).answered(200, 0.002)
    counters.slot(0).answered(404, 70)
    counters.slot(1).joined(5)
    counters.restarted()
    counters.set_alive(2)
    text = counters.text()
    assert 'sagedock_invocations_total{status="2xx"} 3' in text
    assert 'sagedock_invocations_total{status="4xx"} 1' in text
    assert 'sagedock_invocation_seconds_bucket{le="0.0025"} 3' in text
    assert 'sagedock_invocation_seconds_bucket{le="+Inf"} 4' in text
    assert "sagedock_invocation_seconds_count 4" in text
    assert "sagedock_joined_rows_total 5\n" in text
    assert "sagedock_worker_restarts_total 1\n" in text
    assert "sagedock_workers 2\n" in text
