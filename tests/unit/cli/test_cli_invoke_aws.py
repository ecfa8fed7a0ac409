"""invoke, endpoints, logs, delete-endpoint with --aws: endpoints whose containers are small servers
of this process, asked over the wire."""

import json
import sys
from datetime import datetime
from pathlib import Path

import pytest
from far_kit import local_aws, refusal, settings

from faulty_proxy import FaultyProxy
from sagedock.errors import ModelError
from sagedock.local.hosting.owner.background import Background
from sagedock.local.hosting.values import EndpointConfig
from sagedock.store.disk import DiskStore

sys.path.append(str(Path(__file__).parents[1] / "local" / "hosting"))
from hosting_server import Container, World

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture
def world(data):
    world = World(data)
    yield world
    world.close()


@pytest.fixture
def server(world):
    server = Container(lambda request: (200, {"Content-Type": "x/y"}, request.body + b"!"))
    world.endpoint(world.route(server.hop()))
    yield server
    server.close()


@pytest.fixture
def proxy(world, data):
    with local_aws(data) as address, FaultyProxy(*address) as between:
        yield between


@pytest.fixture
def far(sagedock, proxy, tmp_path):
    def run(*arguments, stdin="", **env):
        told = settings(tmp_path, proxy.url, **env)
        return sagedock(*arguments, "--aws", stdin=stdin, env=told)

    return run


def test_text_a_file_and_standard_input_are_sent(far, server, work):
    (work / "rows.csv").write_bytes(b"3,4")
    assert far("invoke", "e", "1,2").stdout == "1,2!"
    assert far("invoke", "e", "--body", "rows.csv").stdout == "3,4!"
    assert far("invoke", "e", "--body", "-", stdin="5").stdout == "5!"
    assert {headers["Content-Type"] for _, headers, _ in server.seen} == {"text/csv"}


def test_headers_are_passed_on_and_what_came_back_is_told(far, server, work):
    server.answer = lambda request: (200, {"Content-Type": "x/y", ATTRIBUTES: "back"}, b"\xff")
    done = far(
        "invoke", "e", "1", "--content-type", "a/b", "--accept", "c/d",
        "--custom-attributes", "k=v", "--target-variant", "v", "--output", "answer",
    )  # fmt: skip
    assert json.loads(done.stdout) == {
        "ContentType": "x/y", "InvokedProductionVariant": "v", "CustomAttributes": "back",
    }  # fmt: skip
    assert (work / "answer").read_bytes() == b"\xff"


def test_a_streamed_answer(far, server):
    done = far("invoke", "e", "1,2", "--stream")
    assert (done.returncode, done.stdout) == (0, "1,2!")


def test_a_models_error_has_its_own_exit_code(far, server, sagedock):
    server.answer = lambda request: (500, {"Content-Type": "text/plain"}, b"it broke")
    for manner in ((), ("--stream",)):
        near, away = sagedock("invoke", "e", "1", *manner), far("invoke", "e", "1", *manner)
        assert (away.returncode, near.returncode) == (15, 15)
        assert "it broke" in away.stderr
        assert "Traceback" not in away.stderr


def test_an_answer_that_breaks_off_is_told(far, server, proxy):
    proxy.rule(r"POST /endpoints/e/invocations-response-stream", cut_down=500)
    done = far("invoke", "e", "x" * 5000, "--stream")
    assert (done.returncode, "The answer has broken off" in done.stderr) == (15, True)
    proxy.rule(r"POST /endpoints/e/invocations", cut_down=500)
    done = far("invoke", "e", "x" * 5000)
    assert (done.returncode, "The answer has broken off" in done.stderr) == (16, True)


def test_nothing_is_sent_twice(far, server, proxy):
    proxy.rule(r"POST /endpoints/e/invocations", cut_down=0)
    done = far("invoke", "e", "1", AWS_MAX_ATTEMPTS="5")
    assert done.returncode == 16
    assert len(server.seen) == 1


def test_an_unknown_endpoint_comes_with_names_like_it(far, world, server):
    done = far("invoke", "f", "1")
    assert done.returncode == 12, done.stderr
    assert "No endpoint is named 'f' in us-east-1 on AWS." in done.stderr
    assert "sagedock endpoints --aws" in done.stderr


def test_access_denied(far, proxy, server):
    body = refusal("AccessDeniedException", "Not you.")
    proxy.rule(r"POST /endpoints", status=403, body=body, headers={
        "x-amzn-errortype": "AccessDeniedException"})  # fmt: skip
    done = far("invoke", "e", "1")
    assert (done.returncode, "AccessDeniedException" in done.stderr) == (16, True)


@pytest.fixture
def queue(world, server):
    """An asynchronous endpoint `a`, and who works its requests off."""
    store = DiskStore(world.settings.data)
    store.create_bucket("bucket")
    output = {"S3OutputPath": "s3://bucket/out", "S3FailurePath": "s3://bucket/failed"}
    world.endpoint(
        world.route(server.hop()), name="a", AsyncInferenceConfig={"OutputConfig": output}
    )
    owner = Background("a", settings=world.settings, store=store, records=world.records)
    owner.start()
    yield store
    owner.stop()
    store.close()


def test_asynchronous_requests_wait_for_their_answers(far, queue):
    asked = far("invoke", "a", "1", "--async", "--inference-id", "one")
    assert json.loads(asked.stdout) == {
        "InferenceId": "one",
        "OutputLocation": "s3://bucket/out/one.out",
        "FailureLocation": "s3://bucket/failed/one-error.out",
    }
    assert far("invoke", "a", "2", "--async", "--wait").stdout == "2!"
    place = ["--input-location", "s3://bucket/out/one.out", "--timeout", "9"]
    assert far("invoke", "a", *place, "--async", "--wait").stdout == "1!!"
    missing = far("invoke", "a", "--input-location", "s3://bucket/x", "--async", "--wait")
    assert missing.returncode == ModelError.exit_code
    assert "No object s3://bucket/x" in missing.stderr


# endpoints, their logs, their end


def test_endpoints_are_listed_as_local_ones(far, sagedock, server):
    near, away = sagedock("endpoints"), far("endpoints")
    assert (away.returncode, away.stdout) == (0, near.stdout)
    near, away = (json.loads(run("endpoints", "--json").stdout) for run in (sagedock, far))
    for document in (*near, *away):  # the wire has milliseconds
        for key in ("CreationTime", "LastModifiedTime"):
            document[key] = datetime.fromisoformat(document[key]).replace(microsecond=0)
    assert away == near


def test_the_log_of_an_endpoint(far, sagedock, server, data):
    folder = data / "endpoints" / "e" / "logs" / "v"
    folder.mkdir(parents=True)
    (folder / "i-1.log").write_text("2026-11-24T08:07:01.000000000Z 10%\r100%\n")
    near, away = sagedock("logs", "e"), far("logs", "e")
    assert away.returncode == 0, away.stderr
    assert away.stdout == near.stdout
    assert far("logs", "e", "-n", "1").stdout == near.stdout


def test_an_endpoint_is_described_with_links(far, sagedock, server, world):
    variant = {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    request = {"EndpointConfigName": "c", "ProductionVariants": [variant]}
    config = EndpointConfig(name="c", arn="arn:c", created=0.0, request=request)
    world.records.add_config(config)
    done = far("describe", "e")
    assert done.returncode == 0, done.stderr
    for words in (
        "Endpoint  e\nStatus    InService\nVariant   v (1 of 1, weight 1)\n",
        "Console   https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1"
        "#/endpoints/e\n",
        "$252Faws$252Fsagemaker$252FEndpoints$252Fe\n",
        "Cost      $0.1150 an hour (1 ml.m5.large; list price of 2026-07-30)\n",
    ):
        assert words in done.stdout
    assert sagedock("describe", "e").stdout.startswith("Endpoint  e\nStatus    InService\n")
    assert json.loads(far("describe", "e", "--json").stdout)["EndpointConfigName"] == "c"
    assert "unknown: no price of ml.m5.large for Hosting in eu-north-1" in (
        far("describe", "e", "--region", "eu-north-1").stdout
    )
    assert far("describe", "e", "--kind", "training").returncode == 12
