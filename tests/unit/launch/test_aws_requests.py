"""Facades on an account of AWS: their requests, roles and places, and what starting one does."""

import io
import json
import tarfile

import pytest

from sagedock import (
    AwsSession,
    Estimator,
    Model,
    MultiDataModel,
    NetworkConfig,
    PipelineModel,
    Predictor,
    ProcessingInput,
    ProcessingOutput,
    ScriptProcessor,
    TrainingInput,
    Transformer,
)
from sagedock.aws.prices import load
from sagedock.contract.hyperparameters import decode
from sagedock.errors import (
    AwsError,
    JobFailedError,
    ModelError,
    ResourceInUseError,
    ResourceNotFoundError,
    UsageError,
)
from sagedock.requests import validate
from sagedock.store.uri import S3Uri

BUCKET = "sagemaker-eu-west-1-123456789012"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/training:1"
ROLE = "arn:aws:iam::123456789012:role/Trainer"
CREATED = b'{"TrainingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/n"}'


@pytest.fixture
def data(tmp_path):
    (tmp_path / "train.csv").write_text("1,2\n")
    (tmp_path / "train.py").write_text("print('hello')\n")
    return tmp_path


def estimator(session, **changes):
    given = {"role": ROLE, "instance_type": "ml.m5.xlarge", "sagemaker_session": session}
    return Estimator(IMAGE, **{**given, **changes})


def answered(proxy, operation, body=b"{}", **more):
    return proxy.rule(rf"SageMaker\.{operation}\b", status=200, body=body, **more)


# requests


def test_a_training_request_is_aws_own(far, data):
    made = estimator(far, entry_point=str(data / "train.py"), hyperparameters={"epochs": 3})
    request, uploads = made.prepare({"train": str(data / "train.csv")}, "n")
    validate("CreateTrainingJob", request)
    assert request["RoleArn"] == ROLE
    assert request["OutputDataConfig"]["S3OutputPath"] == f"s3://{BUCKET}"
    uri = request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert uri.startswith(f"s3://{BUCKET}/sagedock/inputs/")
    values = {key: decode(text) for key, text in request["HyperParameters"].items()}
    assert values["sagemaker_region"] == "eu-west-1"
    place = f"s3://{BUCKET}/n/source/sourcedir.tar.gz"
    assert (values["sagemaker_submit_directory"], str(uploads[0].uri)) == (place, place)


def test_what_only_aws_can_do_has_sdk_v2s_names(far):
    made = estimator(
        far,
        instance_count=2,
        input_mode="FastFile",
        use_spot_instances=True,
        max_run=3600,
        max_wait=7200,
        checkpoint_s3_uri="s3://bucket/checkpoints",
        checkpoint_local_path="/opt/ml/checkpoints",
        subnets=["subnet-1"],
        security_group_ids=["sg-1"],
        encrypt_inter_container_traffic=True,
        output_kms_key="key-1",
        volume_kms_key="key-2",
        keep_alive_period_in_seconds=600,
        max_retry_attempts=2,
        tags=[{"Key": "a", "Value": "b"}],
    )
    channel = TrainingInput("s3://bucket/x", input_mode="Pipe", distribution="ShardedByS3Key")
    experiment = {"ExperimentName": "e", "RunName": "r"}
    request, _ = made.prepare({"train": channel}, "n", experiment)
    validate("CreateTrainingJob", request)
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {
        "MaxRuntimeInSeconds": 3600,
        "MaxWaitTimeInSeconds": 7200,
    }
    assert request["CheckpointConfig"] == {
        "S3Uri": "s3://bucket/checkpoints",
        "LocalPath": "/opt/ml/checkpoints",
    }
    assert request["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert request["EnableInterContainerTrafficEncryption"] is True
    assert request["OutputDataConfig"]["KmsKeyId"] == "key-1"
    assert request["ResourceConfig"]["VolumeKmsKeyId"] == "key-2"
    assert request["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600
    assert request["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    assert request["ExperimentConfig"] == experiment
    assert request["AlgorithmSpecification"]["TrainingInputMode"] == "FastFile"


def test_what_is_not_asked_for_is_in_no_request(far):
    request, _ = estimator(far).prepare(None, "n")
    assert set(request) == {
        "TrainingJobName", "AlgorithmSpecification", "RoleArn", "OutputDataConfig",
        "ResourceConfig", "StoppingCondition",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_wait": 10}, "max_wait is for spot instances"),
        ({"use_spot_instances": True, "max_wait": 10}, "max_wait .10 s. is less than max_run"),
        ({"checkpoint_local_path": "/x"}, "checkpoint_local_path needs checkpoint_s3_uri"),
        ({"subnets": ["s"]}, "A VPC needs subnets and security groups, both"),
        ({"instance_type": None}, "No instance type given"),
        ({"instance_type": "local"}, "instance_type='local' is this machine"),
        ({"output_path": "out"}, "AWS writes to S3 only"),
        ({"code_location": "out"}, "AWS writes to S3 only"),
    ],
)
def test_what_can_not_be_meant_is_refused(far, data, arguments, words):
    with pytest.raises(UsageError, match=words):
        estimator(far, entry_point=str(data / "train.py"), **arguments).prepare(None, "n")


def test_an_experiment_has_four_members(far):
    with pytest.raises(UsageError, match="experiment_config has no Experiment: expected"):
        estimator(far).prepare(None, "n", {"Experiment": "e"})


def test_a_processing_request_is_aws_own(far, data):
    network = NetworkConfig(True, ["sg-1"], ["subnet-1"], True)
    processor = ScriptProcessor(
        IMAGE, ["python3"], ROLE, 2, "ml.m5.xlarge", sagemaker_session=far,
        network_config=network, output_kms_key="k1", volume_kms_key="k2",
    )  # fmt: skip
    inputs = [ProcessingInput(data / "train.csv", "/opt/ml/processing/in")]
    outputs = [ProcessingOutput("/opt/ml/processing/out")]
    request, uploads = processor.prepare(
        data / "train.py", inputs, outputs, job_name="n", experiment_config={"TrialName": "t"}
    )
    validate("CreateProcessingJob", request)
    assert request["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    }
    assert request["ProcessingOutputConfig"]["KmsKeyId"] == "k1"
    assert request["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == "k2"
    assert request["ExperimentConfig"] == {"TrialName": "t"}
    assert str(uploads[0].uri) == f"s3://{BUCKET}/n/input/code/train.py"
    output = request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    assert output == f"s3://{BUCKET}/n/output/output-1"


def test_a_transform_request_is_aws_own(far, data):
    transformer = Transformer(
        "m", 1, "ml.m5.xlarge", sagemaker_session=far, output_kms_key="k1", volume_kms_key="k2"
    )
    request = transformer.prepare(
        data / "train.csv", job_name="n", experiment_config={"ExperimentName": "e"}
    )
    validate("CreateTransformJob", request)
    assert request["TransformOutput"] == {"S3OutputPath": f"s3://{BUCKET}/n", "KmsKeyId": "k1"}
    assert request["TransformResources"]["VolumeKmsKeyId"] == "k2"
    assert request["ExperimentConfig"] == {"ExperimentName": "e"}


@pytest.mark.parametrize("kind", ["one", "pipeline", "many"])
def test_deploying_is_three_requests(far, data, kind):
    more = {"role": ROLE, "sagemaker_session": far}
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    one = Model(IMAGE, data / "train.csv", vpc_config=vpc, name="m", **more)
    model = {
        "one": one,
        "pipeline": PipelineModel([one, one], ROLE, "m", sagemaker_session=far),
        "many": MultiDataModel("m", "s3://b0cket/models", IMAGE, **more),
    }[kind]
    calls = model.prepare(1, "ml.m5.xlarge", endpoint_name="e")
    assert [name for name, _ in calls] == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    for operation, request in calls:
        validate(operation, request)
    if kind == "one":
        assert calls[0][1]["VpcConfig"] == vpc
    assert calls[1][1]["ProductionVariants"][0]["ModelName"] == "m"


# roles


def test_a_name_is_looked_up(far, account):
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    account.client("iam").create_role(
        RoleName="Mine", Path="/deep/", AssumeRolePolicyDocument=json.dumps(trust)
    )
    assert far.role_arn("Mine") == "arn:aws:iam::123456789012:role/deep/Mine"


def test_the_callers_own_role_is_taken_where_sagemaker_may(far, session_of):
    assert far.role_arn(None).startswith("arn:aws:iam::123456789012:role/")
    assert session_of(role=ROLE).role_arn(None) == ROLE
    assert session_of(role=ROLE).role_arn(f"{ROLE}2") == f"{ROLE}2"


def identity(proxy, arn):
    answer = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>U</UserId><Account>123456789012</Account>
      </GetCallerIdentityResult></GetCallerIdentityResponse>"""
    proxy.rule(r"(?i)amz-sdk|sts", status=200, body=answer.encode())


DENIED = b"""<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>
  <Message>not authorized</Message></Error></ErrorResponse>"""


def test_a_user_is_no_role(far, proxy):
    identity(proxy, "arn:aws:iam::123456789012:user/me")
    with pytest.raises(UsageError, match=r"No role is given, and the caller, .*user/me, is none"):
        far.role_arn(None)


def test_a_role_of_the_consoles_is_known_without_asking(far, proxy):
    name = "AmazonSageMaker-ExecutionRole-20260101T000000"
    identity(proxy, f"arn:aws:sts::123456789012:assumed-role/{name}/SageMaker")
    proxy.rule("/iam/aws4_request", status=403, body=DENIED)
    assert far.role_arn(None) == f"arn:aws:iam::123456789012:role/service-role/{name}"


def test_a_role_that_can_not_be_looked_at_is_not_taken(far, proxy):
    identity(proxy, "arn:aws:sts::123456789012:assumed-role/Admin/me")
    proxy.rule("/iam/aws4_request", status=403, body=DENIED)
    with pytest.raises(UsageError, match=r"the caller's own .Admin. can't be found out"):
        far.role_arn(None)


def role_of(proxy, principal):
    trust = json.dumps({"Statement": {"Effect": "Allow", "Principal": principal}})
    from urllib.parse import quote

    answer = f"""<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult>
      <Role><Path>/</Path><RoleName>Admin</RoleName><RoleId>AROA1234567890123456</RoleId>
      <Arn>arn:aws:iam::123456789012:role/Admin</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>
      <AssumeRolePolicyDocument>{quote(trust)}</AssumeRolePolicyDocument></Role>
      </GetRoleResult></GetRoleResponse>"""
    proxy.rule("/iam/aws4_request", status=200, body=answer.encode())


def test_a_role_that_sagemaker_may_not_take_is_not_taken(far, proxy):
    identity(proxy, "arn:aws:sts::123456789012:assumed-role/Admin/me")
    role_of(proxy, {"Service": ["ec2.amazonaws.com"]})
    with pytest.raises(UsageError, match="does not let SageMaker take it"):
        far.role_arn(None)


def test_a_role_that_iam_may_not_be_asked_for_is_told(far, proxy):
    proxy.rule("/iam/aws4_request", status=403, body=DENIED)
    with pytest.raises(AwsError, match="The role 'Mine' can't be looked up") as caught:
        far.role_arn("Mine")
    assert "Give its whole ARN" in caught.value.hint


def test_a_role_that_there_is_none_of_is_told(far, proxy):
    absent = DENIED.replace(b"AccessDenied", b"NoSuchEntity")
    proxy.rule("/iam/aws4_request", status=404, body=absent)
    with pytest.raises(UsageError, match="IAM knows no role 'Mine' in account 123456789012"):
        far.role_arn("Mine")


# starting


def test_a_job_is_started_when_all_it_needs_is_there(session_of, heard, data, proxy, tmp_path):
    far = session_of(prices=load(tmp_path))
    answered(proxy, "CreateTrainingJob", CREATED)
    made = estimator(
        far, entry_point=str(data / "train.py"), instance_type="ml.m5.large", max_run=7200
    )
    made.fit({"train": str(data / "train.csv")}, wait=False, job_name="n")
    assert made.latest_training_job.name == "n"
    code = far.read(f"s3://{BUCKET}/n/source/sourcedir.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(code)) as archive:
        assert archive.getnames() == ["train.py"]
    inputs = far.list_uris(S3Uri(BUCKET, "sagedock/inputs/"))
    assert [uri.rpartition("/")[2] for uri in inputs] == ["train.csv"]
    created = [number for number, head in enumerate(proxy.seen) if "CreateTrainingJob" in head]
    put = [number for number, head in enumerate(proxy.seen) if head.startswith("PUT")]
    assert max(put) < created[0]
    link = "https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/jobs/n"
    assert f"Console: {link}" in heard.notes
    if far.bill.table.hourly("eu-west-1", "Training", "ml.m5.large") is not None:
        assert any(note.startswith("Price: $") and "(2 h)" in note for note in heard.notes)


def test_an_image_of_this_machine_is_refused_before_anything_is_uploaded(far, data, proxy):
    made = Estimator("sagedock/training", ROLE, 1, "ml.m5.large", sagemaker_session=far)
    with pytest.raises(UsageError, match="'sagedock/training' is none that AWS can pull") as caught:
        made.fit({"train": str(data / "train.csv")})
    assert "sagedock push sagedock/training" in caught.value.hint
    assert proxy.asked("^PUT") == 0


def test_a_name_that_is_taken_uploads_nothing(far, data, proxy):
    """Or the code of the job that has it would be replaced."""
    answered(proxy, "DescribeTrainingJob")
    with pytest.raises(ResourceInUseError, match="named 'n' exists already"):
        estimator(far, entry_point=str(data / "train.py")).fit(job_name="n")
    assert proxy.asked("^PUT") == 0


def test_what_the_service_refuses_is_told_in_its_words(far, proxy):
    words = b'{"__type": "ResourceLimitExceeded", "message": "The account-level service limit"}'
    proxy.rule(r"SageMaker\.CreateTrainingJob", status=400, body=words)
    with pytest.raises(AwsError, match="ResourceLimitExceeded: The account-level") as caught:
        estimator(far).fit()
    assert "Service Quotas" in caught.value.hint


def test_a_job_that_is_not_there_is_told(far):
    with pytest.raises(ResourceNotFoundError, match="No job is named 'n' in account 123456789012"):
        far.kind_of("n")


def test_without_a_region_there_is_no_session(monkeypatch, proxy):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="No region is known"):
        AwsSession()


# endpoints


def endpoint(status, **more):
    document = {
        "EndpointName": "e", "EndpointArn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/e",
        "EndpointStatus": status, "CreationTime": 1.8e9, "LastModifiedTime": 1.8e9, **more,
    }  # fmt: skip
    return json.dumps(document).encode()


def test_an_endpoint_is_waited_for(far, proxy, heard):
    for status in ("Creating", "Creating", "InService"):
        answered(proxy, "DescribeEndpoint", endpoint(status))
    far.wait_until_in_service("e")
    assert heard.notes == ["Endpoint e: Creating", "Endpoint e: InService"]


def test_an_endpoint_that_fails_is_told_with_the_end_of_its_log(far, proxy, heard):
    answered(proxy, "DescribeEndpoint", endpoint("Creating"))
    proxy.rule(r"SageMaker\.DescribeEndpoint", status=500)
    answered(proxy, "DescribeEndpoint", endpoint("Failed", FailureReason="no ping"))
    streams = {"logStreams": [{"logStreamName": "AllTraffic/i-1"}]}
    proxy.rule("DescribeLogStreams", status=200, body=json.dumps(streams).encode())
    events = [{"timestamp": 1_800_000_000_000 + n, "message": f"line {n}"} for n in range(30)]
    for number in (1, 1):
        page = {"events": events if number else [], "nextForwardToken": "t"}
        proxy.rule("GetLogEvents", status=200, body=json.dumps(page).encode())
        events = []
    with pytest.raises(JobFailedError, match="Endpoint e is Failed: no ping") as caught:
        far.wait_until_in_service("e")
    assert heard.notes[2:] == [f"line {n}" for n in range(10, 30)]
    assert "delete-endpoint e --aws --region eu-west-1" in caught.value.hint


def test_an_update_that_was_rolled_back_is_told(far, proxy):
    answered(proxy, "DescribeEndpoint", endpoint("InService", FailureReason="it was worse"))
    with pytest.raises(JobFailedError, match="InService: it was worse") as caught:
        far.wait_until_in_service("e")
    assert caught.value.hint == "It serves what it served before."


def test_an_endpoint_is_called_with_values(far, proxy):
    proxy.rule("POST /endpoints/e/invocations", status=200, body=b"0.5\n0.25\n",
               headers={"Content-Type": "text/csv"})  # fmt: skip
    predictor = Predictor("e", far)
    assert predictor.predict([[1, 2], [3, 4]]) == [["0.5"], ["0.25"]]
    predictor.close()


def test_a_models_error_is_one_of_ours(far, proxy):
    body = {
        "Message": "Received server error (500) from primary", "OriginalStatusCode": 500,
        "OriginalMessage": "boom", "LogStreamArn": "arn:aws:logs:…",
    }  # fmt: skip
    proxy.rule("POST /endpoints/e/invocations", status=424, body=json.dumps(body).encode(),
               headers={"x-amzn-ErrorType": "ModelError"}, times=5)  # fmt: skip
    predictor = Predictor("e", far)
    with pytest.raises(ModelError, match="Received server error") as caught:
        predictor.predict("1,2")
    assert (caught.value.status, caught.value.body) == (500, b"boom")
    assert proxy.asked("POST /endpoints") == 1  # a model is never asked twice
    predictor.close()


def test_models_of_a_multi_model_endpoint_are_put_and_listed(far, data):
    far.default_bucket()
    many = MultiDataModel("m", f"s3://{BUCKET}/models", IMAGE, ROLE, sagemaker_session=far)
    assert many.add_model(data / "train.csv", "a.tar.gz") == f"s3://{BUCKET}/models/a.tar.gz"
    many.add_model(f"s3://{BUCKET}/models/a.tar.gz", "b.tar.gz")
    assert many.list_models() == ["a.tar.gz", "b.tar.gz"]
