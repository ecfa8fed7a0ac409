"""CloudWatch Logs as boto3 and both SDKs meet it: jobs' files, endpoints' files, groups of one's
own."""

import json
import time
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from small_services import documents, json_request, request, served, settings

from sagedock.server.services import logs
from sagedock.server.services.log_files import FileStream
from sagedock.server.services.log_patterns import PatternError, matcher

TRAINING = "/aws/sagemaker/TrainingJobs"
EPOCH = 1_790_000_000


def stamp(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def write(folder, lines, *, kind="training", job="job-1", host="algo-1", at=EPOCH, step=1.0):
    path = folder / "jobs" / kind / job / "logs" / f"{host}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{stamp(at + step * n)} {line}\n" for n, line in enumerate(lines))
    with path.open("a") as stream:
        stream.write(text)
    return path


@pytest.fixture
def service(tmp_path):
    made = logs.service(settings(tmp_path))
    yield made
    made.close()


@pytest.fixture
def caller(service):
    with served("logs", service) as made:
        yield made


def refused(call, code, text, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert text in error["Message"]


def messages(answer):
    return [event["message"] for event in answer["events"]]


# groups and streams


def test_a_group_is_there_when_the_first_job_has_printed_something(caller, tmp_path):
    text = "The specified log group does not exist."
    refused(caller.describe_log_streams, "ResourceNotFoundException", text, logGroupName=TRAINING)
    refused(caller.get_log_events, "ResourceNotFoundException", text,
            logGroupName=TRAINING, logStreamName="x")  # fmt: skip
    assert caller.describe_log_groups()["logGroups"] == []
    write(tmp_path, ["hello"])
    (group,) = caller.describe_log_groups(logGroupNamePrefix="/aws/sagemaker/")["logGroups"]
    assert group["logGroupName"] == TRAINING
    assert group["arn"] == f"arn:aws:logs:eu-west-1:123456789012:log-group:{TRAINING}:*"
    assert group["creationTime"] == EPOCH * 1000
    assert group["storedBytes"] > 0


def test_a_stream_has_the_services_name(caller, tmp_path):
    write(tmp_path, ["hello", "you"])
    write(tmp_path, ["never"], job="job-10")
    (stream,) = caller.describe_log_streams(
        logGroupName=TRAINING, logStreamNamePrefix="job-1/", orderBy="LogStreamName", limit=1
    )["logStreams"]
    assert stream["logStreamName"] == f"job-1/algo-1-{EPOCH}"
    assert stream["firstEventTimestamp"] == EPOCH * 1000
    assert stream["lastEventTimestamp"] == EPOCH * 1000 + 1000
    refused(caller.get_log_events, "ResourceNotFoundException", "log stream does not exist",
            logGroupName=TRAINING, logStreamName="job-1/algo-1-1")  # fmt: skip


def test_every_kind_of_job_has_its_group(caller, tmp_path):
    for kind in ("training", "processing", "transform"):
        write(tmp_path, ["x"], kind=kind)
    names = [group["logGroupName"] for group in caller.describe_log_groups()["logGroups"]]
    kinds = ("ProcessingJobs", "TrainingJobs", "TransformJobs")
    assert names == [f"/aws/sagemaker/{kind}" for kind in kinds]
    (stream,) = caller.describe_log_streams(logGroupName=names[2])["logStreams"]
    assert stream["logStreamName"].startswith("job-1/i-")


def test_an_endpoint_has_a_group_of_its_own(caller, tmp_path):
    path = tmp_path / "endpoints" / "ep" / "logs" / "AllTraffic" / "i-1.log"
    path.parent.mkdir(parents=True)
    path.write_text(f"{stamp(EPOCH)} up\n")
    group = "/aws/sagemaker/Endpoints/ep"
    answer = caller.filter_log_events(logGroupName=group, logStreamNamePrefix="AllTraffic/")
    assert messages(answer) == ["up"]
    assert answer["events"][0]["logStreamName"] == "AllTraffic/i-1"
    names = [one["logGroupName"] for one in caller.describe_log_groups()["logGroups"]]
    assert names == [group]


def test_streams_come_in_pages_and_by_time(caller, tmp_path):
    for number in range(5):
        write(tmp_path, ["x"], job=f"job-{number}", at=EPOCH - number)
    pages = caller.get_paginator("describe_log_streams").paginate(
        logGroupName=TRAINING, PaginationConfig={"PageSize": 2}
    )
    found = [[one["logStreamName"][:5] for one in page["logStreams"]] for page in pages]
    assert found == [["job-0", "job-1"], ["job-2", "job-3"], ["job-4"]]
    newest = caller.describe_log_streams(
        logGroupName=TRAINING, orderBy="LastEventTime", descending=True, limit=1
    )["logStreams"]
    assert newest[0]["logStreamName"].startswith("job-0/")
    refused(caller.describe_log_streams, "InvalidParameterException", "Cannot order by",
            logGroupName=TRAINING, orderBy="LastEventTime", logStreamNamePrefix="a")  # fmt: skip
    refused(caller.describe_log_streams, "InvalidParameterException", "nextToken is invalid",
            logGroupName=TRAINING, nextToken="x")  # fmt: skip


# reading


def test_reading_forward_ends_with_the_same_token(caller, tmp_path):
    write(tmp_path, [f"line {n}" for n in range(5)])
    name = f"job-1/algo-1-{EPOCH}"
    where = {"logGroupName": TRAINING, "logStreamName": name, "startFromHead": True}
    first = caller.get_log_events(**where, limit=3)
    assert messages(first) == ["line 0", "line 1", "line 2"]
    second = caller.get_log_events(**where, nextToken=first["nextForwardToken"])
    assert messages(second) == ["line 3", "line 4"]
    third = caller.get_log_events(**where, nextToken=second["nextForwardToken"])
    assert messages(third) == []
    assert third["nextForwardToken"] == second["nextForwardToken"]
    write(tmp_path, ["more"], at=EPOCH + 9)
    fourth = caller.get_log_events(**where, nextToken=third["nextForwardToken"])
    assert messages(fourth) == ["more"]
    back = caller.get_log_events(**where, nextToken=fourth["nextBackwardToken"], limit=2)
    assert messages(back) == ["line 3", "line 4"]


def test_reading_from_the_tail_goes_backward_to_the_same_token(caller, tmp_path):
    write(tmp_path, [f"line {n}" for n in range(5)])
    where = {"logGroupName": TRAINING, "logStreamName": f"job-1/algo-1-{EPOCH}", "limit": 3}
    last = caller.get_log_events(**where)
    assert messages(last) == ["line 2", "line 3", "line 4"]
    before = caller.get_log_events(**where, nextToken=last["nextBackwardToken"])
    assert messages(before) == ["line 0", "line 1"]
    none = caller.get_log_events(**where, nextToken=before["nextBackwardToken"])
    assert messages(none) == []
    assert none["nextBackwardToken"] == before["nextBackwardToken"]
    assert messages(caller.get_log_events(**where, nextToken=none["nextForwardToken"])) == [
        "line 0", "line 1", "line 2",
    ]  # fmt: skip


def test_times_are_from_start_on_and_before_end(caller, tmp_path):
    write(tmp_path, [f"line {n}" for n in range(9)])
    where = {"logGroupName": TRAINING, "logStreamName": f"job-1/algo-1-{EPOCH}"}
    times = {"startTime": (EPOCH + 2) * 1000, "endTime": (EPOCH + 5) * 1000}
    for head in (True, False):
        found = caller.get_log_events(**where, **times, startFromHead=head)
        assert messages(found) == ["line 2", "line 3", "line 4"]
    found = caller.filter_log_events(logGroupName=TRAINING, **times)
    assert messages(found) == ["line 2", "line 3", "line 4", "line 5"]
    tail = caller.get_log_events(**where, endTime=(EPOCH + 5) * 1000, limit=2)
    assert messages(tail) == ["line 3", "line 4"]


def test_sdk_v2_reads_every_line_once(caller, tmp_path):
    """sagemaker.logs.log_stream: the last time read, and how many events of it were."""
    at, skip, seen = 0, 0, []
    for turn in range(4):
        lines = [f"{turn}.{n}" for n in range(3)]
        write(tmp_path, lines, at=EPOCH + turn // 2, step=0)
        found, token, count = [], {}, 1
        while count:
            answer = caller.get_log_events(
                logGroupName=TRAINING, logStreamName=f"job-1/algo-1-{EPOCH}", startTime=at,
                startFromHead=True, **token,
            )  # fmt: skip
            token, count = {"nextToken": answer["nextForwardToken"]}, len(answer["events"])
            found += answer["events"]
        for event in found[skip:]:
            seen.append(event["message"])
            at, skip = (at, skip + 1) if event["timestamp"] == at else (event["timestamp"], 1)
    assert seen == [f"{turn}.{n}" for turn in range(4) for n in range(3)]


def test_control_characters_look_as_the_service_writes_them(caller, tmp_path):
    write(tmp_path, ["[1]\tvalidation-auc:0.9", "", "50%\r100%"])
    found = caller.filter_log_events(logGroupName=TRAINING)
    assert messages(found) == ["[1]#011validation-auc:0.9", "50%#015100%"]


def test_a_bad_token_is_refused(caller, tmp_path):
    write(tmp_path, ["x"])
    name = f"job-1/algo-1-{EPOCH}"
    for token in ("x", "f/x/s", "c/1/s", "f/" + "1" * 60 + "/s"):
        refused(caller.get_log_events, "InvalidParameterException", "nextToken is invalid",
                logGroupName=TRAINING, logStreamName=name, nextToken=token)  # fmt: skip
    far = caller.get_log_events(
        logGroupName=TRAINING, logStreamName=f"job-1/algo-1-{EPOCH}", nextToken=f"f/{10**55}/s"
    )
    assert messages(far) == []


class Counted(FileStream):
    """Counts what is read."""

    read = 0

    def _read(self, position, size):
        data = super()._read(position, size)
        self.read += len(data)
        return data


def test_of_a_big_log_only_what_is_asked_for_is_read(tmp_path):
    line = "x" * 80
    path = write(tmp_path, [line] * 200_000, step=0.01)
    stream = Counted("big", path, 0)
    assert next(stream.backward(None)).at == pytest.approx((EPOCH + 1999.99) * 1000, abs=2)
    assert stream.read < 1 << 20
    at = (EPOCH + 1000) * 1000
    position = stream.position_of(at)
    event = next(event for event in stream.forward(position) if event.at >= at)
    assert event.at == at
    assert stream.read < 4 << 20 < path.stat().st_size / 4


@how(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 300)), max_size=40),
    st.integers(-1000, 60_000),
    st.integers(0, 10_000),
)
def test_any_file_reads_the_same_both_ways(tmp_path, lines, offset, cut):
    at, text = EPOCH, ""
    for wait, size in lines:
        at += wait / 1000
        text += f"{stamp(at)} {'y' * size * 9}\n"
    path = tmp_path / "any.log"
    path.write_bytes(text.encode()[: max(0, len(text) - cut)] + b"broken\n\xff \nhalf")
    stream = FileStream("any", path, 0)
    there = list(stream.forward(0))
    assert list(stream.backward(None)) == there[::-1]
    asked = EPOCH * 1000 + offset
    position = stream.position_of(asked)
    late = [event for event in there if event.at >= asked]
    assert [event for event in stream.forward(position) if event.at >= asked] == late
    for event in there[:3]:
        assert list(stream.backward(event.start)) == there[: there.index(event)][::-1]


# filters


def test_filtered_events_of_many_streams_are_in_the_order_of_their_times(caller, tmp_path):
    write(tmp_path, ["a0", "a2", "a4"], job="job-a", step=2)
    write(tmp_path, ["b1", "b3", "b5"], job="job-b", at=EPOCH + 1, step=2)
    write(tmp_path, ["c"], job="other")
    pages = caller.get_paginator("filter_log_events").paginate(
        logGroupName=TRAINING, logStreamNamePrefix="job-", PaginationConfig={"PageSize": 4}
    )
    found = [messages(page) for page in pages]
    assert found == [["a0", "b1", "a2", "b3"], ["a4", "b5"]]
    one = caller.filter_log_events(
        logGroupName=TRAINING, logStreamNames=[f"job-b/algo-1-{EPOCH + 1}"], filterPattern="?b1 ?b5"
    )
    assert messages(one) == ["b1", "b5"]
    ids = {event["eventId"] for event in one["events"]}
    assert len(ids) == 2
    refused(caller.filter_log_events, "InvalidParameterException", "together",
            logGroupName=TRAINING, logStreamNames=["a"], logStreamNamePrefix="b")  # fmt: skip
    refused(caller.filter_log_events, "InvalidParameterException", "Patterns of words",
            logGroupName=TRAINING, filterPattern="[a, b]")  # fmt: skip
    refused(caller.filter_log_events, "InvalidParameterException", "nextToken",
            logGroupName=TRAINING, nextToken="e30")  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "message", "fits"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR disk", "disk ERROR", True),
        ("ERROR disk", "ERROR", False),
        ('"no space left"', "there is no space left", True),
        ('"no space left"', "no left space", False),
        ('"a \\"quoted\\" word"', 'a "quoted" word', True),
        ("?ERROR ?WARN", "WARN", True),
        ("?ERROR ?WARN", "INFO", False),
        ("ERROR -Timeout", "ERROR Timeout", False),
        ("ERROR -Timeout", "ERROR", True),
        ("-x", "y", True),
        ("?a b", "b", True),
    ],
)
def test_patterns_of_words(pattern, message, fits):
    assert matcher(pattern)(message) is fits


LINE = json.dumps(
    {"level": "ERROR", "took": 1.5, "n": 3, "ok": True, "no": False, "none": None,
     "user": {"name": "ann"}, "tags": ["a", "b"], "digits": "42"}
)  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ('{ $.level = "ERROR" }', True),
        ("{ $.level = ERR* }", True),
        ("{$.level=WARN}", False),
        ('{ $.level != "ERROR" }', False),
        ("{ $.absent != 1 }", False),
        ("{ $.took > 1 }", True),
        ("{ $.took >= 1.5 && $.n < 3 }", False),
        ("{ $.took >= 1.5 && $.n <= 3 }", True),
        ("{ ($.n = 4) || ($.n = 3) }", True),
        ("{ $.n = 4 || $.n = 3 && $.level = x }", False),
        ("{ ($.n = 3 || $.n = 4) && ($.level = ERROR) }", True),
        ("{ $.user.name = ann }", True),
        ("{ $.tags[1] = b }", True),
        ("{ $.tags[2] = b }", False),
        ("{ $.digits = 42 }", True),
        ("{ $.level > 1 }", False),
        ("{ $.ok IS TRUE }", True),
        ("{ $.no IS FALSE }", True),
        ("{ $.none IS NULL }", True),
        ("{ $.absent IS NULL }", False),
        ("{ $.absent NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ('{ $.level = "E[R]*" }', False),
    ],
)
def test_patterns_over_json(pattern, fits):
    assert matcher(pattern)(LINE) is fits
    assert matcher(pattern)("no JSON") is False
    assert matcher(pattern)("{broken") is False
    assert matcher(pattern)("[" * 9999) is False


@pytest.mark.parametrize(
    "pattern",
    [
        "{", "{}", "{ $.a }", "{ $.a = }", "{ $.a == 1 }", "{ a = 1 }", "{ $.a > x }",
        "{ $.a = 1 && }", "{ ($.a = 1 }", "{ $.a = 1) }", "{ $.a IS MAYBE }", "{ $.a = %x% }",
        "{ $.a = 1 $.b = 2 }", "{" + "(" * 500 + "$.a = 1" + ")" * 500 + "}",
    ],
)  # fmt: skip
def test_what_is_no_pattern_over_json(pattern):
    with pytest.raises(PatternError, match="Invalid filter pattern"):
        matcher(pattern)


_WORDS = st.sampled_from(
    ["{", "}", "(", ")", "$.a", "$.a[0]", "$", "=", "!=", ">", "1", "x*", '"q"', "&&", "||",
     "IS", "NOT", "NULL", "EXISTS", "%", " ", "?", "-", '"']
)  # fmt: skip


@given(st.lists(_WORDS, max_size=14), st.booleans())
def test_any_text_is_a_pattern_or_is_not(words, spaced):
    text = (" " if spaced else "").join(words)
    for pattern in (text, f"{{{text}}}"):
        try:
            found = matcher(pattern)
        except PatternError:
            continue
        assert found('{"a": [1]}') in {True, False}


@pytest.mark.parametrize("pattern", ["[a, b]", "%x+%", '"open'])
def test_other_patterns_are_refused(pattern):
    with pytest.raises(PatternError):
        matcher(pattern)


# groups of one's own


def test_a_group_of_ones_own_keeps_its_events(caller, service, tmp_path):
    now = int(time.time() * 1000)
    caller.create_log_group(logGroupName="mine", tags={"a": "1"})
    caller.create_log_stream(logGroupName="mine", logStreamName="s")
    events = [{"timestamp": now + n // 2, "message": f"m{n}"} for n in range(6)]
    answer = caller.put_log_events(logGroupName="mine", logStreamName="s", logEvents=events[:4])
    assert "rejectedLogEventsInfo" not in answer
    caller.put_log_events(logGroupName="mine", logStreamName="s", logEvents=events[4:])
    with served("logs", logs.service(settings(tmp_path))) as another:
        where = {"logGroupIdentifier": "mine", "logStreamName": "s"}
        head = another.get_log_events(**where, limit=4, startFromHead=True)
        assert messages(head) == ["m0", "m1", "m2", "m3"]
        rest = another.get_log_events(**where, nextToken=head["nextForwardToken"])
        assert messages(rest) == ["m4", "m5"]
        assert messages(another.get_log_events(**where, limit=2)) == ["m4", "m5"]
        again = another.get_log_events(**where, nextToken=rest["nextForwardToken"])
        assert again["nextForwardToken"] == rest["nextForwardToken"]
        assert messages(another.filter_log_events(logGroupName="mine", startTime=now + 1)) == [
            "m2", "m3", "m4", "m5",
        ]  # fmt: skip
        (stream,) = another.describe_log_streams(logGroupName="mine")["logStreams"]
        assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (now, now + 2)


def test_names_are_taken_once(caller, tmp_path):
    caller.create_log_group(logGroupName="mine")
    refused(caller.create_log_group, "ResourceAlreadyExistsException",
            "The specified log group already exists", logGroupName="mine")  # fmt: skip
    caller.create_log_stream(logGroupName="mine", logStreamName="s")
    refused(caller.create_log_stream, "ResourceAlreadyExistsException",
            "The specified log stream already exists",
            logGroupName="mine", logStreamName="s")  # fmt: skip
    refused(caller.create_log_stream, "ResourceNotFoundException",
            "The specified log group does not exist.",
            logGroupName="other", logStreamName="s")  # fmt: skip
    write(tmp_path, ["x"])
    refused(caller.create_log_group, "ResourceAlreadyExistsException", "", logGroupName=TRAINING)


def test_events_that_cannot_be_kept_are_named(caller):
    now = int(time.time() * 1000)
    caller.create_log_group(logGroupName="mine")
    caller.create_log_stream(logGroupName="mine", logStreamName="s")
    where = {"logGroupName": "mine", "logStreamName": "s"}

    def put(*times):
        events = [{"timestamp": at, "message": "x"} for at in times]
        return caller.put_log_events(**where, logEvents=events)

    day = 86_400_000
    assert put(now - 15 * day, now - 15 * day)["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 2
    }
    answer = put(now, now + 3 * 3_600_000)
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert len(caller.get_log_events(**where)["events"]) == 1
    for times, text in (((now, now - 1), "chronological"), ((now - 2 * day, now), "24 hours")):
        with pytest.raises(ClientError, match=text):
            put(*times)


def test_retention_and_tags(caller, tmp_path):
    write(tmp_path, ["x"])
    caller.put_retention_policy(logGroupName=TRAINING, retentionInDays=7)
    (group,) = caller.describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 7
    caller.delete_retention_policy(logGroupName=TRAINING)
    (group,) = caller.describe_log_groups()["logGroups"]
    assert "retentionInDays" not in group
    refused(caller.put_retention_policy, "InvalidParameterException", "enum value set",
            logGroupName=TRAINING, retentionInDays=2)  # fmt: skip
    arn = group["logGroupArn"]
    caller.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    caller.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert caller.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    assert caller.list_tags_log_group(logGroupName=TRAINING)["tags"] == {"b": "2"}


def test_old_events_go_when_their_time_is_over(caller):
    now = int(time.time() * 1000)
    caller.create_log_group(logGroupName="mine")
    caller.create_log_stream(logGroupName="mine", logStreamName="s")
    caller.put_retention_policy(logGroupName="mine", retentionInDays=1)
    where = {"logGroupName": "mine", "logStreamName": "s"}
    for at, text in ((now - 3 * 86_400_000, "old"), (now, "new")):
        caller.put_log_events(**where, logEvents=[{"timestamp": at, "message": text}])
    assert messages(caller.get_log_events(**where)) == ["new"]


def test_what_is_deleted_is_gone_and_a_jobs_file_stays(caller, tmp_path):
    now = int(time.time() * 1000)
    caller.create_log_group(logGroupName="mine")
    caller.create_log_stream(logGroupName="mine", logStreamName="s")
    events = [{"timestamp": now, "message": "x"}]
    caller.put_log_events(logGroupName="mine", logStreamName="s", logEvents=events)
    caller.delete_log_stream(logGroupName="mine", logStreamName="s")
    caller.create_log_stream(logGroupName="mine", logStreamName="s")
    assert caller.get_log_events(logGroupName="mine", logStreamName="s")["events"] == []
    caller.delete_log_group(logGroupName="mine")
    refused(caller.delete_log_group, "ResourceNotFoundException", "", logGroupName="mine")
    path = write(tmp_path, ["x"])
    caller.delete_log_group(logGroupName=TRAINING)
    assert caller.describe_log_groups()["logGroups"] == []
    assert path.exists()
    write(tmp_path, ["y"], job="later", at=time.time() + 5)
    (stream,) = caller.describe_log_streams(logGroupName=TRAINING)["logStreams"]
    name = stream["logStreamName"]
    assert name.startswith("later/")
    refused(caller.put_log_events, "InvalidParameterException", "SageMaker alone",
            logGroupName=TRAINING, logStreamName=name, logEvents=events)  # fmt: skip
    caller.delete_log_stream(logGroupName=TRAINING, logStreamName=name)
    refused(caller.delete_log_stream, "ResourceNotFoundException", "",
            logGroupName=TRAINING, logStreamName=name)  # fmt: skip


# anything that may come

OPERATIONS = [
    "CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups", "PutRetentionPolicy",
    "DeleteRetentionPolicy", "CreateLogStream", "DeleteLogStream", "DescribeLogStreams",
    "GetLogEvents", "PutLogEvents", "TagLogGroup", "TagResource", "UntagLogGroup",
    "UntagResource", "ListTagsLogGroup", "ListTagsForResource", "FilterLogEvents",
]  # fmt: skip


@how(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents("logs", OPERATIONS))
def test_no_request_is_a_fault_of_ours(service, tmp_path, one):
    write(tmp_path, ["x"]) if not (tmp_path / "jobs").exists() else None
    service(json_request("Logs_20140328", "CreateLogGroup", {"logGroupName": "a"}))
    service(json_request("Logs_20140328", "CreateLogStream",
                         {"logGroupName": "a", "logStreamName": "a"}))  # fmt: skip
    assert service(json_request("Logs_20140328", *one)).status < 500


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"\xff", b'{"logGroupName": "\\uD800"}', b"[" * 9999]
)
def test_no_body_is_a_fault_of_ours(service, body):
    answer = service(request(body=body, X_Amz_Target="Logs_20140328.CreateLogGroup"))
    assert answer.status == 400


@pytest.mark.parametrize("name", ["..", "../../etc", "/etc", ".", "a/../../b"])
def test_no_name_leads_out_of_the_data_folder(service, tmp_path, name):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "algo-1.log").write_text(f"{stamp(EPOCH)} secret\n")
    for group in (TRAINING, f"/aws/sagemaker/Endpoints/{name}"):
        document = {"logGroupName": group, "logStreamNamePrefix": f"{name}/"}
        answer = service(json_request("Logs_20140328", "FilterLogEvents", document))
        assert json.loads(answer.body)["__type"] in {
            "ResourceNotFoundException", "InvalidParameterException"
        }  # fmt: skip


def test_half_a_surrogate_pair_is_no_text(service):
    service(json_request("Logs_20140328", "CreateLogGroup", {"logGroupName": "a"}))
    for name, status in (("\ud800", 400), ("\U0001f600", 200)):
        document = {"logGroupName": "a", "logStreamName": name}
        assert service(json_request("Logs_20140328", "CreateLogStream", document)).status == status
