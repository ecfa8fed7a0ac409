"""CloudWatch as boto3 meets it, in each of its three protocols; the metrics of training jobs."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from small_services import (
    cbor_request,
    documents,
    json_request,
    query_request,
    request,
    served,
    settings,
)

from sagedock.local.records import Job, JobState, Kind, Metric, Records, Status
from sagedock.server.services import monitoring
from sagedock.server.services.metric_records import MetricRecords, Sample, Series
from sagedock.server.services.metric_statistics import percentile, rounded_start, statistic

TARGET = "GraniteServiceVersion20100801"
NOW = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=30)


@pytest.fixture
def service(tmp_path):
    made = monitoring.service(settings(tmp_path))
    yield made
    made.close()


@pytest.fixture
def caller(service):
    with served("cloudwatch", service) as made:
        yield made


def refused(call, code, text, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    assert answer["Error"]["Code"] == code
    assert text in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400


def datum(value, minutes=0, **more):
    at = NOW + timedelta(minutes=minutes)
    return {"MetricName": "loss", "Timestamp": at, "Value": value, **more}


def statistics(caller, *names, period=60, **more):
    asked = {
        "Namespace": "mine", "MetricName": "loss", "StartTime": NOW,
        "EndTime": NOW + timedelta(minutes=10), "Period": period, "Statistics": list(names), **more,
    }  # fmt: skip
    points = caller.get_metric_statistics(**asked)["Datapoints"]
    return sorted(points, key=lambda point: point["Timestamp"])


# in and out


def test_what_is_put_in_comes_out_period_by_period(caller):
    caller.put_metric_data(
        Namespace="mine", MetricData=[datum(1), datum(3), datum(5, 1), datum(8, 30)]
    )
    first, second = statistics(caller, "Average", "Sum", "SampleCount", "Minimum", "Maximum")
    assert first["Timestamp"] == NOW
    assert (first["Average"], first["Sum"], first["SampleCount"]) == (2, 4, 2)
    assert (first["Minimum"], first["Maximum"], first["Unit"]) == (1, 3, "None")
    assert second["Timestamp"] == NOW + timedelta(minutes=1)
    assert second["Average"] == 5
    (both,) = statistics(caller, "Average", period=300)
    assert both["Average"] == 3


def test_a_time_that_is_not_given_is_now(caller):
    caller.put_metric_data(Namespace="mine", MetricData=[{"MetricName": "loss", "Value": 4.5}])
    points = statistics(
        caller, "Sum", StartTime=datetime.now(UTC) - timedelta(minutes=2),
        EndTime=datetime.now(UTC) + timedelta(minutes=2),
    )  # fmt: skip
    assert [point["Sum"] for point in points] == [4.5]


def test_values_that_are_summed_up_already(caller):
    summed = {"SampleCount": 4, "Sum": 20, "Minimum": 2, "Maximum": 9}
    data = [
        {"MetricName": "loss", "Timestamp": NOW, "StatisticValues": summed},
        {"MetricName": "loss", "Timestamp": NOW, "Values": [1, 7], "Counts": [2, 1]},
    ]
    caller.put_metric_data(Namespace="mine", MetricData=data)
    (point,) = statistics(caller, "Sum", "SampleCount", "Minimum", "Maximum")
    assert (point["Sum"], point["SampleCount"]) == (29, 7)
    assert (point["Minimum"], point["Maximum"]) == (1, 9)


def test_percentiles(caller):
    data = [datum(value) for value in range(1, 101)]
    caller.put_metric_data(Namespace="mine", MetricData=data)
    asked = {
        "Namespace": "mine", "MetricName": "loss", "StartTime": NOW,
        "EndTime": NOW + timedelta(minutes=1), "Period": 60,
        "ExtendedStatistics": ["p50", "p99", "p100"],
    }  # fmt: skip
    (point,) = caller.get_metric_statistics(**asked)["Datapoints"]
    assert point["ExtendedStatistics"] == {"p50": 50, "p99": 99, "p100": 100}


def test_units_are_apart_unless_one_is_asked_for(caller):
    caller.put_metric_data(
        Namespace="mine", MetricData=[datum(1, Unit="Seconds"), datum(2, Unit="Bytes")]
    )
    points = statistics(caller, "Sum")
    assert {(point["Unit"], point["Sum"]) for point in points} == {("Seconds", 1), ("Bytes", 2)}
    (one,) = statistics(caller, "Sum", Unit="Bytes")
    assert one["Sum"] == 2


def test_dimensions_make_a_metric_another(caller, tmp_path):
    dimensions = [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
    caller.put_metric_data(Namespace="mine", MetricData=[datum(1), datum(2, Dimensions=dimensions)])
    assert [one["Sum"] for one in statistics(caller, "Sum")] == [1]
    found = statistics(caller, "Sum", Dimensions=dimensions[::-1])
    assert [one["Sum"] for one in found] == [2]
    names = [metric["Dimensions"] for metric in caller.list_metrics(Namespace="mine")["Metrics"]]
    assert names == [[], sorted(dimensions, key=lambda one: one["Name"])]
    for filters, count in (
        ([{"Name": "a"}], 1), ([{"Name": "a", "Value": "1"}, {"Name": "b"}], 1),
        ([{"Name": "a", "Value": "2"}], 0), ([{"Name": "c"}], 0),
    ):  # fmt: skip
        assert len(caller.list_metrics(Dimensions=filters)["Metrics"]) == count
    with served("cloudwatch", monitoring.service(settings(tmp_path))) as another:
        assert len(another.list_metrics(MetricName="loss", RecentlyActive="PT3H")["Metrics"]) == 2
        assert another.list_metrics(MetricName="other")["Metrics"] == []


def test_metrics_are_listed_in_pages(service, caller, tmp_path):
    records = MetricRecords(tmp_path)
    records.add(
        (Series(namespace="mine", name=f"m{n:04}"), Sample.of(1.0, time.time()))
        for n in range(1100)
    )
    records.close()
    pages = [len(page["Metrics"]) for page in caller.get_paginator("list_metrics").paginate()]
    assert pages == [500, 500, 100]


def test_get_metric_data(caller):
    caller.put_metric_data(Namespace="mine", MetricData=[datum(1), datum(3, 1), datum(5, 2)])
    metric = {"Namespace": "mine", "MetricName": "loss"}

    def query(stat, **more):
        return {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **more}

    def get(*queries, **more):
        times = {"StartTime": NOW, "EndTime": NOW + timedelta(minutes=9)}
        return caller.get_metric_data(MetricDataQueries=list(queries), **times, **more)

    (result,) = get(query("Average"))["MetricDataResults"]
    assert result["Values"] == [5, 3, 1]
    assert result["Timestamps"] == [NOW + timedelta(minutes=n) for n in (2, 1, 0)]
    assert (result["Id"], result["Label"], result["StatusCode"]) == ("m1", "loss", "Complete")
    (result,) = get(query("p90", Label="mine"), ScanBy="TimestampAscending")["MetricDataResults"]
    assert (result["Values"], result["Label"]) == ([1, 3, 5], "mine")
    assert get(query("Sum", ReturnData=False))["MetricDataResults"] == []
    for queries, code, text in (
        ((query("Sum"), query("Sum")), "ValidationError", "not unique"),
        (({"Id": "e1", "Expression": "m1 * 2"},), "ValidationError", "is an expression"),
        ((query("median"),), "InvalidParameterValue", "not supported"),
    ):
        with pytest.raises(ClientError, match=text) as caught:
            get(*queries)
        assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"Timestamp": NOW - timedelta(days=20)}, "InvalidParameterValue", "two weeks"),
        ({"Timestamp": NOW + timedelta(days=1)}, "InvalidParameterValue", "two hours"),
        ({"Value": float("nan")}, "SerializationException", "Value"),
        ({"Value": float("-inf")}, "SerializationException", "Value"),
        ({"Value": 1e200}, "InvalidParameterValue", "is invalid"),
        ({"Values": [1.0]}, "InvalidParameterCombination", "Exactly one"),
        ({"Unit": "Furlongs"}, "InvalidParameterValue", "enum value set"),
    ],
)
def test_what_is_no_datum_is_refused_and_nothing_is_kept(caller, change, code, text):
    refused(caller.put_metric_data, code, text,
            Namespace="mine", MetricData=[datum(1), datum(2, **change)])  # fmt: skip
    assert caller.list_metrics()["Metrics"] == []


def test_requests_that_cannot_be_answered(caller):
    refused(caller.put_metric_data, "InvalidParameterValue", "Namespace",
            Namespace="AWS/SageMaker", MetricData=[datum(1)])  # fmt: skip
    refused(caller.put_metric_data, "MissingParameter", "MetricData", Namespace="mine")
    asked = {"Namespace": "mine", "MetricName": "loss", "StartTime": NOW,
             "EndTime": NOW + timedelta(days=2), "Period": 60, "Statistics": ["Sum"]}  # fmt: skip
    call = caller.get_metric_statistics
    refused(call, "InvalidParameterCombination", "exceeds the limit of 1,440", **asked)
    refused(call, "InvalidParameterValue", "multiple of 60", **asked | {"Period": 61})
    refused(call, "InvalidParameterValue", "less than", **asked | {"EndTime": NOW})
    del asked["Statistics"]
    refused(call, "MissingParameter", "At least one", **asked)
    refused(caller.list_metrics, "InvalidParameterValue", "NextToken", NextToken="x")


def test_much_data_comes_compressed(caller):
    """botocore compresses requests from 10 kB on."""
    data = [datum(float(n), Dimensions=[{"Name": "n", "Value": str(n)}]) for n in range(500)]
    caller.put_metric_data(Namespace="mine", MetricData=data)
    assert len(caller.list_metrics()["Metrics"]) == 500


BROKEN = {
    "empty": b"",
    "nonsense": b"nonsense",
    "no text": gzip.compress(b"\xff"),
    "cut": gzip.compress(b"x")[:9],
    "40 MiB": gzip.compress(bytes(40 << 20)),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)  # the bytes hold the time
def test_a_body_that_cannot_be_unpacked_is_refused(service, body):
    path = f"/service/{TARGET}/operation/PutMetricData"
    asked = request(path=path, body=body, smithy_protocol="rpc-v2-cbor", Content_Encoding="gzip")
    assert 400 <= service(asked).status < 500


# protocols


def test_json_and_query_answer_too(service):
    document = {"Namespace": "mine", "MetricData": [{"MetricName": "loss", "Value": 1.5}]}
    assert service(json_request(TARGET, "PutMetricData", document)).status == 200
    assert service(query_request("PutMetricData", document)).status == 200
    answer = service(json_request(TARGET, "ListMetrics", {}))
    metric = {"Namespace": "mine", "MetricName": "loss", "Dimensions": []}
    assert json.loads(answer.body)["Metrics"] == [metric]
    asked = {
        "Namespace": "mine", "MetricName": "loss", "Period": 60, "Statistics": ["Sum"],
        "StartTime": (NOW - timedelta(hours=1)).isoformat(),
        "EndTime": (NOW + timedelta(hours=1)).isoformat(),
    }  # fmt: skip
    text = service(query_request("GetMetricStatistics", asked)).body.decode()
    assert "<GetMetricStatisticsResponse" in text
    assert "<Sum>3.0</Sum>" in text
    error = service(query_request("GetMetricStatistics", asked | {"Period": 61}))
    assert error.status == 400
    assert b"<Code>InvalidParameterValue</Code>" in error.body
    found = cbor2.loads(service(cbor_request("ListMetrics", {})).body)
    assert found["Metrics"] == [metric]


# training jobs


@pytest.fixture
def job(tmp_path):
    """A job that has printed three values of two metrics, a minute apart."""
    ended = NOW.timestamp() + 200
    state = JobState(
        status=Status.COMPLETED, started=NOW.timestamp(), ended=ended,
        metrics=(Metric(name="auc", value=0.9, timestamp=NOW.timestamp() + 120),),
    )  # fmt: skip
    definitions = [
        {"Name": "auc", "Regex": r"auc:(\S+)"},
        {"Name": "xgb", "Regex": r".*\[[0-9]+\].*#011validation-auc:(\S+)"},
    ]
    records = Records(tmp_path)
    records.add(
        Job(kind=Kind.TRAINING, name="job-1", arn="arn", created=NOW.timestamp(), state=state,
            request={"AlgorithmSpecification": {"MetricDefinitions": definitions}})
    )  # fmt: skip
    records.close()
    path = tmp_path / "jobs" / "training" / "job-1" / "logs" / "algo-1.log"
    path.parent.mkdir(parents=True)
    lines = []
    for n in range(3):
        stamp = (NOW + timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
        lines.append(f"{stamp} [{n}]\tvalidation-auc:0.{n + 7}\n")
    path.write_text("".join(lines))
    return path


def of_job(caller, name, job="job-1"):
    """What SDK v2's TrainingJobAnalytics asks."""
    points = caller.get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs", MetricName=name,
        Dimensions=[{"Name": "TrainingJobName", "Value": job}],
        StartTime=NOW, EndTime=NOW + timedelta(seconds=260), Period=60, Statistics=["Average"],
    )["Datapoints"]  # fmt: skip
    return [point["Average"] for point in sorted(points, key=lambda point: point["Timestamp"])]


def test_a_jobs_metrics_are_read_from_its_log(caller, job):
    assert of_job(caller, "auc") == [0.7, 0.8, 0.9]
    assert of_job(caller, "xgb") == [0.7, 0.8, 0.9]
    assert of_job(caller, "loss") == []
    assert of_job(caller, "auc", "job-2") == []


def test_without_its_log_a_jobs_last_values_are_known(caller, job):
    job.unlink()
    assert of_job(caller, "auc") == [0.9]


def test_a_jobs_metrics_are_listed(caller, job):
    (found,) = caller.list_metrics(Namespace="/aws/sagemaker/TrainingJobs")["Metrics"]
    assert found["MetricName"] == "auc"
    assert found["Dimensions"] == [{"Name": "TrainingJobName", "Value": "job-1"}]


# statistics


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 5)), min_size=1),
       st.floats(0, 1))  # fmt: skip
def test_a_percentile_is_one_of_the_values(pairs, share):
    samples = [Sample.of(value, 0.0, number=number) for value, number in pairs]
    every = sorted(value for value, number in pairs for _ in range(number))
    found = percentile(samples, share)
    assert found in every
    below = sum(value <= found for value in every)
    assert below >= share * len(every) - 1e-6
    assert sum(value < found for value in every) <= share * len(every) + 1e-6


def test_values_that_are_summed_up_have_no_percentile():
    summed = Sample(at=0.0, unit="None", number=2, total=3, least=1, greatest=2)
    assert percentile([summed], 0.5) is None


@pytest.mark.parametrize("name", ["p101", "p", "p-1", "average", "tm90", "p99.99999999999999"])
def test_what_is_no_statistic(name):
    assert statistic(name) is None


@pytest.mark.parametrize(
    ("period", "found"), [(60, 120), (300, 120), (30, 150), (10, 170), (1, 179)]
)
def test_the_first_period_begins_at_a_whole_one(period, found):
    assert rounded_start(179.5, period) == found


# anything that may come

OPERATIONS = ["PutMetricData", "GetMetricStatistics", "GetMetricData", "ListMetrics"]


@how(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents("cloudwatch", OPERATIONS), st.sampled_from(["json", "cbor", "query"]))
def test_no_request_is_a_fault_of_ours(service, one, protocol):
    if protocol == "json":
        asked = json_request(TARGET, *one)
    else:
        asked = (cbor_request if protocol == "cbor" else query_request)(*one)
    assert service(asked).status < 500
