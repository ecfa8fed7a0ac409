"""Query, CBOR and event streams: what botocore's client side writes and reads is what ours does."""

from datetime import UTC, datetime

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from sagedock.requests import service_model
from sagedock.server.protocols import cbor, event_stream, json_rpc, query
from sagedock.server.protocols.shapes import SerializationError


def operation(service, name):
    return service_model(service).operation_model(name)


POLICY = {
    "PolicySourceArn": "arn:aws:iam::000000000000:role/Any",
    "ActionNames": ["s3:GetObject", "s3:PutObject"],
    "ResourceArns": ["arn:aws:s3:::bucket/*"],
    "ContextEntries": [
        {"ContextKeyName": "aws:a", "ContextKeyValues": ["b", "c"], "ContextKeyType": "string"}
    ],
    "MaxItems": 7,
}


def test_query_reads_what_botocore_writes():
    simulate = operation("iam", "SimulatePrincipalPolicy")
    written = create_serializer("query").serialize_to_request(POLICY, simulate)
    body = "&".join(f"{key}={value}" for key, value in written["body"].items()).encode()
    fields = query.fields_of(body)
    assert fields["Action"] == "SimulatePrincipalPolicy"
    assert query.unflattened(fields, simulate.input_shape) == POLICY


def test_botocore_reads_what_query_writes():
    simulate = operation("iam", "SimulatePrincipalPolicy")
    answer = {
        "EvaluationResults": [
            {"EvalActionName": "s3:<&>", "EvalDecision": "allowed", "MissingContextValues": []}
        ],
        "IsTruncated": False,
    }
    response = query.answer(answer, simulate, "https://iam.amazonaws.com/doc/2010-05-08/")
    parsed = create_parser("query").parse(
        {"status_code": 200, "headers": {}, "body": response.body}, simulate.output_shape
    )
    assert parsed["EvaluationResults"] == answer["EvaluationResults"]
    assert parsed["IsTruncated"] is False
    error = query.error("NoSuchEntity", "none <there>")
    parsed = create_parser("query").parse(
        {"status_code": 400, "headers": {}, "body": error.body}, simulate.output_shape
    )
    assert parsed["Error"]["Code"] == "NoSuchEntity"
    assert parsed["Error"]["Message"] == "none <there>"


METRICS = {
    "Namespace": "N",
    "MetricData": [
        {
            "MetricName": "m",
            "Value": 1.5,
            "Timestamp": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "Dimensions": [{"Name": "a", "Value": "b"}],
        }
    ],
}


def test_cbor_reads_what_botocore_writes():
    put = operation("cloudwatch", "PutMetricData")
    written = create_serializer("smithy-rpc-v2-cbor").serialize_to_request(METRICS, put)
    assert cbor.params(written["body"], put.input_shape) == METRICS


def test_botocore_reads_what_cbor_writes():
    get = operation("cloudwatch", "GetMetricStatistics")
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    answer = {"Label": "m", "Datapoints": [{"Timestamp": moment, "Average": 1.25, "Unit": "None"}]}
    response = cbor.answer(answer, get)
    parsed = create_parser("smithy-rpc-v2-cbor").parse(
        {"status_code": 200, "headers": dict(response.headers), "body": response.body},
        get.output_shape,
    )
    assert parsed["Datapoints"] == answer["Datapoints"]


def test_json_leaves_out_what_the_shape_does_not_have():
    describe = operation("sagemaker", "DescribeModel")
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    response = json_rpc.answer({"ModelName": "m", "Other": 1, "CreationTime": moment}, describe)
    parsed = create_parser("json").parse(
        {"status_code": 200, "headers": {}, "body": response.body}, describe.output_shape
    )
    assert parsed["CreationTime"] == moment
    assert b"Other" not in response.body


@given(kind=st.sampled_from(["PayloadPart", "Other"]), payload=st.binary(max_size=300))
def test_botocore_reads_event_streams(kind, payload):
    buffer = EventStreamBuffer()
    buffer.add_data(event_stream.event(kind, payload) + event_stream.exception("E", b"{}"))
    first, second = list(buffer)
    assert (first.headers[":event-type"], first.payload) == (kind, payload)
    assert second.headers[":exception-type"] == "E"


@given(body=st.binary(max_size=200))
def test_broken_bodies_are_errors_and_nothing_else(body):
    put = operation("cloudwatch", "PutMetricData")
    for read in (
        lambda: cbor.params(body, put.input_shape),
        lambda: json_rpc.params(body, put.input_shape),
        lambda: query.unflattened(query.fields_of(body), put.input_shape),
    ):
        try:
            assert isinstance(read(), dict)
        except SerializationError:
            continue


def test_a_list_of_a_query_may_have_holes():
    fields = {"ActionNames.member.3": "c", "ActionNames.member.1": "a"}
    shape = operation("iam", "SimulatePrincipalPolicy").input_shape
    assert query.unflattened(fields, shape) == {"ActionNames": ["a", "c"]}
    with pytest.raises(SerializationError, match="MaxItems is 'x'"):
        query.unflattened({"MaxItems": "x"}, shape)
