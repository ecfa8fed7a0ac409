"""WSGI applications beside our own services: anybody's, and moto's."""

import http.client

import boto3
import pytest

from sagedock.server.application import LocalAWS
from sagedock.server.http import Listener
from sagedock.server.wsgi import moto, mounted


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    text = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {environ['QUERY_STRING']} "
    start_response("201 Created", [("X-Named", environ.get("HTTP_X_GIVEN", ""))])
    return [text.encode(), body]


@pytest.fixture
def listening(aws):
    made = []

    def listen(**services):
        application = LocalAWS(aws.settings, **services)
        listener = Listener(("127.0.0.1", 0), application)
        listener.start()
        made.append((application, listener))
        return listener.server_address[:2]

    yield listen
    for application, listener in made:
        listener.shutdown()
        listener.server_close()
        application.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_application_answers_for_a_service(listening, chunked):
    address = listening(services={"s3": mounted(echo)})
    connection = http.client.HTTPConnection(*address, timeout=10)
    body = iter([b"ab", b"c"]) if chunked else b"abc"
    fields = {"X-Given": "yes"}
    connection.request("PUT", "/b%20c/d?x=1", body, fields, encode_chunked=chunked)
    answer = connection.getresponse()
    assert answer.status == 201
    assert answer.headers["X-Named"] == "yes"
    assert answer.read() == b"PUT /b c/d x=1 abc"
    connection.close()


def test_moto_has_what_we_have_not(listening):
    host, port = listening(fallback=moto())
    client = boto3.client(
        "dynamodb",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="secret",
    )
    client.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert client.list_tables()["TableNames"] == ["t"]
