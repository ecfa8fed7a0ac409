"""ECR, CloudWatch and the rest behind the one address that programs are given."""

import base64
import http.client

from small_services import ACCOUNT, client, listening, settings

from sagedock.server.application import LocalAWS


def test_every_small_service_answers_at_one_address(tmp_path):
    aws = LocalAWS(settings(tmp_path))
    try:
        with listening(aws) as address:
            clients = {
                name: client(name, address) for name in ("sts", "iam", "logs", "cloudwatch", "ecr")
            }
            assert clients["sts"].get_caller_identity()["Account"] == ACCOUNT
            assert clients["iam"].get_role(RoleName="Any")["Role"]["RoleName"] == "Any"
            assert clients["logs"].describe_log_groups()["logGroups"] == []
            assert clients["cloudwatch"].list_metrics()["Metrics"] == []
            made = clients["ecr"].create_repository(repositoryName="model")["repository"]
            assert made["repositoryUri"] == f"{aws.registry.address}/model"
            (data,) = clients["ecr"].get_authorization_token()["authorizationData"]
            token = data["authorizationToken"]
            assert base64.b64decode(token).startswith(b"AWS:")
            connection = http.client.HTTPConnection(aws.registry.address)
            connection.request("GET", "/v2/", headers={"Authorization": f"Basic {token}"})
            assert connection.getresponse().status == 200
            connection.close()
            for one in clients.values():
                one.close()
    finally:
        aws.close()


def test_jobs_know_the_registry(tmp_path):
    aws = LocalAWS(settings(tmp_path))
    try:
        assert aws.client.settings.registry == aws.registry.address
    finally:
        aws.close()
