"""Endpoints from create_model to delete_endpoint: answers, faults, weights, limits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sagedock.errors import (
    ModelError,
    ResourceNotFoundError,
    StoreError,
    UnsupportedError,
    ValidationError,
)
from sagedock.launch.model import Model
from sagedock.launch.session import Session
from sagedock.local.hosting.calls.runtime import BODY_BYTES, LocalRuntime

ECHO = """
    import time

    def model_fn(folder):
        try:
            open(folder + "/written", "w")
        except OSError as error:
            return error.errno

    def transform_fn(model, body, content_type, accept):
        text = body.decode() if isinstance(body, bytes) else body
        if text == "raise":
            raise RuntimeError("as told")
        if text == "sleep":
            time.sleep(5)
        return f"{text}/{content_type}/{model}"
"""


def constant(word):
    return f"""
    def model_fn(folder):
        return None

    def transform_fn(model, body, content_type, accept):
        return "{word}"
"""


def test_an_endpoint_answers_until_it_is_deleted(hosting):
    hosting.model("echo", ECHO)
    assert hosting.endpoint("live", {"echo": 1}) == "InService"

    answer = hosting.runtime.invoke_endpoint(
        EndpointName="live", Body=b"7", ContentType="text/plain"
    )
    assert answer["Body"].read() == b"7/text/plain/30"  # its model is read-only (D2.3): EROFS
    assert answer["InvokedProductionVariant"] == "echo"

    hosting.delete("live")
    with pytest.raises(ResourceNotFoundError, match="live"):
        hosting.runtime.invoke_endpoint(EndpointName="live", Body=b"7")


def test_faults_are_told_as_model_errors_and_the_endpoint_goes_on(hosting):
    hosting.model("echo", ECHO)
    hosting.endpoint("live", {"echo": 1})

    with pytest.raises(ModelError, match="as told") as told:
        hosting.runtime.invoke_endpoint(EndpointName="live", Body=b"raise", ContentType="text/csv")
    assert told.value.status == 500
    assert b"as told" in told.value.body

    hasty = LocalRuntime(hosting.settings, seconds=0.5)
    with pytest.raises(ModelError, match=r"within 0.5 s"):
        hasty.invoke_endpoint(EndpointName="live", Body=b"sleep", ContentType="text/csv")
    hasty.close()

    with pytest.raises(ValidationError, match="6,291,457 bytes"):
        hosting.runtime.invoke_endpoint(EndpointName="live", Body=bytes(BODY_BYTES + 1))
    with pytest.raises(ValidationError, match="no variant 'other'"):
        hosting.runtime.invoke_endpoint(EndpointName="live", Body=b"", TargetVariant="other")
    assert hosting.settled("live") == "InService"


def test_variants_share_requests_by_weight_or_are_asked_for_by_name(hosting):
    hosting.model("a", constant("a"))
    hosting.model("b", constant("b"))
    assert hosting.endpoint("both", {"a": 3, "b": 1}) == "InService"

    def ask(**arguments):
        answer = hosting.runtime.invoke_endpoint(
            EndpointName="both", Body=b"1", ContentType="text/csv", **arguments
        )
        return answer["Body"].read()

    answers = [ask() for _ in range(400)]
    assert 60 <= answers.count(b"b") <= 140  # 100 expected, four standard deviations and more
    assert ask(TargetVariant="b") == b"b"


def test_an_endpoint_outlives_the_program_that_made_it(hosting):
    hosting.model("echo", ECHO)
    variant = {"VariantName": "v", "ModelName": "echo", "InitialInstanceCount": 1,
               "InstanceType": "ml.m5.large"}  # fmt: skip
    hosting.client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    program = (
        "import sys; from pathlib import Path; from sagedock.local.client import LocalSageMaker; "
        "from sagedock.local.settings import LocalSettings; "
        "client = LocalSageMaker(LocalSettings.from_environment(data=Path(sys.argv[1]))); "
        "client.create_endpoint(EndpointName='live', EndpointConfigName='c')"
    )
    subprocess.run([sys.executable, "-c", program, str(hosting.settings.data)], check=True)
    assert hosting.settled("live") == "InService"
    assert hosting.runtime.invoke_endpoint(EndpointName="live", Body=b"1")["Body"].read()


def test_a_model_that_never_pings_fails_with_its_log(hosting):
    hosting.model("broken", "def model_fn(folder):\n    raise RuntimeError('no such luck')\n")
    started = time.monotonic()
    status = hosting.endpoint("bad", {"broken": 1}, ContainerStartupHealthCheckTimeoutInSeconds=60)
    assert status == "Failed"
    reason = hosting.client.describe_endpoint(EndpointName="bad")["FailureReason"]
    assert "no such luck" in reason
    assert time.monotonic() - started < 60
    with pytest.raises(ValidationError, match="Failed, not InService"):
        hosting.runtime.invoke_endpoint(EndpointName="bad", Body=b"")


def test_a_container_that_ends_is_replaced(hosting, docker_cli):
    hosting.model("echo", ECHO)
    hosting.endpoint("live", {"echo": 1})
    (before,) = hosting.instances("live")
    docker_cli("kill", *hosting.containers("live"))
    hosting.until(lambda: hosting.instances("live") not in ([], [before]))
    answer = hosting.runtime.invoke_endpoint(
        EndpointName="live", Body=b"7", ContentType="text/plain"
    )
    assert answer["Body"].read() == b"7/text/plain/30"
    (after,) = hosting.instances("live")
    assert f"sagedock: Takes the place of {before}: Container container_1 ended." in hosting.log(
        "live", "echo", after
    )


def test_an_instance_that_answers_no_pings_is_replaced(hosting, docker_cli):
    """D3.2, D3.5: pings go on while the endpoint is in service."""
    hosting.model("echo", ECHO)
    hosting.endpoint("live", {"echo": 1})
    (before,) = hosting.instances("live")
    docker_cli("pause", *hosting.containers("live"))
    hosting.until(lambda: hosting.instances("live") not in ([], [before]))
    log = hosting.log("live", "echo", before)
    assert "sagedock: GET /ping: no answer within 2 s (D3.2); 3 of 3" in log
    assert hosting.runtime.invoke_endpoint(EndpointName="live", Body=b"7", ContentType="a/b")


def test_an_instance_that_starts_no_more_fails_the_endpoint(hosting, docker_cli):
    hosting.model("once", """
        import os, time
        def model_fn(folder):
            if os.path.exists("/opt/ml/model/code/gone"):
                raise RuntimeError("no second time")
    """)  # fmt: skip
    hosting.endpoint("live", {"once": 1})
    hosting.model_data("once", {"code/gone": b"", "code/inference.py": hosting.handlers["once"]})
    docker_cli("kill", *hosting.containers("live"))
    assert hosting.settled("live", "InService") == "Failed"
    described = hosting.client.describe_endpoint(EndpointName="live")
    assert "no second time" in described["FailureReason"]
    hosting.until(lambda: hosting.containers("live") == [])


def test_what_is_not_there_or_not_done_here_is_refused_before_anything_starts(hosting):
    variant = {"VariantName": "v", "ModelName": "none", "InitialInstanceCount": 1,
               "InstanceType": "ml.m5.large"}  # fmt: skip
    with pytest.raises(ResourceNotFoundError, match="none"):
        hosting.client.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
    with pytest.raises(UnsupportedError, match="EnableSSMAccess of variant v"):
        hosting.client.create_endpoint_config(
            EndpointConfigName="c", ProductionVariants=[{**variant, "EnableSSMAccess": True}]
        )
    with pytest.raises(ResourceNotFoundError, match="nowhere"):
        hosting.client.create_endpoint(EndpointName="live", EndpointConfigName="nowhere")


def test_deploy_predict_and_the_command_line(hosting):
    session = Session(settings=hosting.settings)
    hosting.model("echo", ECHO)
    model = Model(hosting.image, "s3://models/echo/model.tar.gz", sagemaker_session=session)
    predictor = model.deploy(endpoint_name="live", content_type="application/json", accept="x/y")
    assert predictor.predict({"a": 1}) == b'{"a": 1}/application/json/30'
    predictor.close()
    session.close()

    def sagedock(*arguments, stdin=""):
        program = Path(sys.executable).with_name("sagedock")
        command = [program, "--data", str(hosting.settings.data), *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    assert sagedock("invoke", "live", "1,2").stdout == "1,2/text/csv/30"
    assert sagedock("invoke", "live", "--body", "-", stdin="3").stdout == "3/text/csv/30"
    assert sagedock("invoke", "live", "raise").returncode == ModelError.exit_code
    assert sagedock("invoke", "other", "1").returncode == ResourceNotFoundError.exit_code
    assert "live  InService  AllTraffic" in sagedock("endpoints").stdout
    assert sagedock("delete-endpoint", "live").stdout == "Endpoint live: deleted\n"
    assert sagedock("endpoints").stderr == "No endpoints.\n"

    data = "s3://models/echo/model.tar.gz"
    served = sagedock("serve", hosting.image, "--model-data", data, "--name", "again")
    assert served.stdout == "again\n", served.stderr
    assert "sagedock delete-endpoint again" in served.stderr
    absent = sagedock("serve", hosting.image, "--model-data", "s3://models/none/model.tar.gz")
    assert (absent.returncode, absent.stdout) == (StoreError.exit_code, "")


def test_an_endpoint_whose_owner_was_killed_comes_back_and_leaves_nothing(hosting):
    hosting.model("word", constant("here"))
    assert hosting.endpoint("kept", {"word": 1}) == "InService"
    os.kill(hosting.client.endpoint("kept").owner.pid, signal.SIGKILL)
    assert back(hosting)
    assert hosting.settled("kept") == "InService"
    answer = hosting.runtime.invoke_endpoint(EndpointName="kept", Body=b"")
    assert answer["Body"].read() == b"here"
    assert len(hosting.containers("kept")) == 1
    os.kill(hosting.client.endpoint("kept").owner.pid, signal.SIGKILL)
    hosting.delete("kept")
    assert hosting.containers("kept") == []


def back(hosting):
    """Whether a new owner has been given the endpoint: it is Creating again."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if hosting.client.describe_endpoint(EndpointName="kept")["EndpointStatus"] == "Creating":
            return True
        time.sleep(0.01)
    return False
