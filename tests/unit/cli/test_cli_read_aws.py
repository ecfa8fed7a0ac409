"""jobs, describe, logs, stop, endpoints with --aws, over the wire of a local AWS endpoint: the same
output as of a local data folder; and what goes wrong on the way."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli_records import CREATED, training_job, transform_job
from far_kit import local_aws, refusal, settings

from faulty_proxy import FaultyProxy
from sagedock.engine.plan import LogLine
from sagedock.local.joblog import LogWriter
from sagedock.local.records import Records

NO_ACCOUNT = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}


@pytest.fixture
def address(jobs):
    with local_aws(jobs) as found:
        yield found


@pytest.fixture
def proxy(address):
    with FaultyProxy(*address) as between:
        yield between


@pytest.fixture
def far(sagedock, proxy, tmp_path):
    """`sagedock COMMAND … --aws`, through the proxy."""

    def run(*arguments, **env):
        return sagedock(*arguments, "--aws", env=settings(tmp_path, proxy.url, **env))

    return run


def document(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# the same as here


@pytest.mark.parametrize("arguments", [(), ("--kind", "training"), ("--status", "failed"),
                                       ("--last", "2"), ("--status", "InProgress")])  # fmt: skip
def test_jobs_are_listed_as_local_ones(far, sagedock, arguments):
    near, away = sagedock("jobs", *arguments), far("jobs", *arguments)
    assert (away.returncode, away.stdout, away.stderr) == (0, near.stdout, near.stderr)
    near, away = (document(run("jobs", "--json", *arguments)) for run in (sagedock, far))
    assert away == near


def test_pages_are_followed_and_a_long_list_says_so(far, jobs, proxy):
    records = Records(jobs)
    for number in range(130):
        records.add(training_job(f"many-{number:03}", CREATED + 1000 + number))
    records.close()
    found = far("jobs", "--json")
    assert len(document(found)) == 100
    assert "The newest 100 jobs" in found.stderr
    found = far("jobs", "--json", "--last", "134")
    assert [job["Name"] for job in document(found)][:2] == ["many-129", "many-128"]
    assert (len(document(found)), found.stderr) == (134, "")
    assert proxy.asked("SageMaker.ListTrainingJobs") == 4
    assert len(far("jobs", "-n", "3").stdout.splitlines()) == 4


def test_a_description_is_the_services_answer(far, sagedock):
    for arguments in (("churn-train",), ("churn-prepare",), ("twin", "--kind", "processing")):
        near, away = (document(run("describe", "--json", *arguments)) for run in (sagedock, far))
        assert away == near


def test_a_description_for_people_has_links_and_costs(far):
    done = far("describe", "churn-train")
    assert done.returncode == 0, done.stderr
    for words in (
        "Job       churn-train (training)",
        "Status    Completed",
        "Seconds   4.5 (waiting 0.5, on instances 4.0)",
        "Metric    validation:error = 0.0625",
        "Model     s3://results/churn-train/output/model.tar.gz",
        "Console   https://us-east-1.console.aws.amazon.com/sagemaker/home?region=us-east-1"
        "#/jobs/churn-train",
        "Logs      https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
        "#logsV2:log-groups/log-group/$252Faws$252Fsagemaker$252FTrainingJobs"
        "$3FlogStreamNameFilter$3Dchurn-train$252F",
        "Cost      $0.0001 (4 s of 1 ml.m5.large; list price of 2026-08-11)",
        "HyperParameters:\n  epochs: 3\n",
    ):
        assert words in done.stdout


def test_a_price_that_is_not_known_is_said(far):
    done = far("describe", "churn-train", "--region", "eu-north-1")
    assert "Cost      unknown: no price of ml.m5.large for Training in eu-north-1 (sagedock " in (
        done.stdout
    )


def test_the_logs_of_a_job(far, sagedock):
    for arguments in ((), ("-t",), ("-n", "2"), ("-n", "0"), ("-n", "99"), ("--follow",)):
        near, away = (run("logs", "churn-train", *arguments) for run in (sagedock, far))
        assert (away.returncode, away.stderr) == (0, "")
        assert away.stdout == near.stdout
    assert far("logs", "churn-prepare").stdout == ""


def test_what_the_service_escapes_is_a_carriage_return_again(far, jobs):
    log = LogWriter(jobs / "jobs" / "training" / "twin" / "logs" / "algo-1.log")
    log.write(LogLine(stamp="2026-11-24T08:07:01.000000000Z", text="10%#015100%"))
    log.write(LogLine(stamp="2026-11-24T08:07:01.000000000Z", text="a#011b"))
    log.close()
    assert far("logs", "twin", "--kind", "training").stdout == "100%\na\tb\n"
    assert far("logs", "twin", "--kind", "training", "-n", "1").stdout == "a\tb\n"


def test_the_end_of_a_long_log_is_read_from_its_end(far, jobs, proxy):
    log = LogWriter(jobs / "jobs" / "training" / "twin" / "logs" / "algo-1.log")
    for number in range(30_000):
        second = number // 1000
        log.write(LogLine(stamp=f"2026-11-24T08:07:{second:02}.000000000Z", text=f"{number}"))
    log.close()
    lines = far("logs", "twin", "--kind", "training", "-n", "3").stdout.split()
    assert lines == ["29997", "29998", "29999"]
    assert proxy.asked("GetLogEvents") == 1
    assert len(far("logs", "twin", "--kind", "training").stdout.split()) == 30_000


def test_lines_of_several_hosts_say_whose_they_are(far, jobs):
    records = Records(jobs)
    job = training_job("wide", CREATED + 500)
    resources = {**job.request["ResourceConfig"], "InstanceCount": 2}
    records.add(replace(job, request={**job.request, "ResourceConfig": resources}))
    records.close()
    for host, second in (("algo-1", 1), ("algo-2", 0)):
        log = LogWriter(jobs / "jobs" / "training" / "wide" / "logs" / f"{host}.log")
        log.write(LogLine(stamp=f"2026-11-24T08:07:0{second}.000000000Z", text="1%\r99%"))
        log.close()
    for arguments in ((), ("-n", "2"), ("-f",)):
        assert far("logs", "wide", *arguments).stdout == "[algo-2] 99%\n[algo-1] 99%\n"


def test_times_are_utc_wherever_one_is(far, sagedock):
    near = document(sagedock("describe", "churn-train", "--json"))
    assert document(far("describe", "churn-train", "--json", TZ="Asia/Tokyo")) == near
    assert far("jobs", TZ="Asia/Tokyo").stdout == sagedock("jobs").stdout


def test_links_lead_to_the_partitions_own_console(far):
    text = far("describe", "churn-train", "--region", "cn-north-1").stdout
    assert "https://cn-north-1.console.amazonaws.cn/sagemaker/home?region=cn-north-1#/jobs/" in text


def test_stopping_what_has_ended_is_refused_in_the_services_words(far, sagedock):
    near, away = sagedock("stop", "churn-train"), far("stop", "churn-train")
    assert (away.returncode, near.returncode) == (3, 3)
    assert "the training job is in status Completed" in away.stderr


# names


def test_names_that_are_not_there_come_with_names_like_them(far):
    for command in ("describe", "logs", "stop"):
        done = far(command, "churn-trian")
        assert done.returncode == 12, done.stderr
        assert "No job is named 'churn-trian' in us-east-1 on AWS." in done.stderr
        assert "Did you mean churn-train" in done.stderr
        assert "sagedock jobs --aws" in done.stderr


def test_two_kinds_of_one_name_have_to_be_told_apart(far):
    done = far("describe", "twin")
    assert (done.returncode, "--kind training, or --kind processing" in done.stderr) == (2, True)
    done = far("describe", "churn-train", "--kind", "transform")
    assert (done.returncode, "No transform job is named" in done.stderr) == (12, True)


def test_a_transform_job(far, sagedock, jobs):
    records = Records(jobs)
    records.add(transform_job("batch"))
    records.close()
    assert document(far("describe", "batch", "--json")) == document(
        sagedock("describe", "batch", "--json")
    )
    assert "#/transform-jobs/batch" in far("describe", "batch").stdout


# who asks, and what goes wrong


def test_options_of_an_account_need_aws(sagedock):
    for arguments in (("--region", "eu-west-1"), ("--profile", "x")):
        done = sagedock("jobs", *arguments)
        assert (done.returncode, "needs --aws" in done.stderr) == (2, True)


def test_no_region_and_no_such_profile(far):
    done = far("jobs", AWS_REGION="", AWS_DEFAULT_REGION="")
    assert (done.returncode, "No region is known" in done.stderr) == (2, True)
    done = far("jobs", "--profile", "nobody")
    assert (done.returncode, "nobody" in done.stderr) == (2, True)


def test_no_credentials(far):
    done = far("jobs", **NO_ACCOUNT)
    assert (done.returncode, "Unable to locate credentials" in done.stderr) == (16, True)
    assert "AWS_PROFILE" in done.stderr


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("ExpiredTokenException", "get new ones"),
        ("AccessDeniedException", "sagedock iam"),
        ("ThrottlingException", ""),
        ("UnrecognizedClientException", ""),
    ],
)
@pytest.mark.parametrize("command", [("jobs",), ("describe", "churn-train"), ("endpoints",),
                                     ("logs", "churn-train"), ("stop", "churn-train"),
                                     ("delete-endpoint", "e")])  # fmt: skip
def test_what_the_service_refuses_is_said_in_its_words(far, proxy, command, code, hint):
    proxy.rule(r"POST ", status=400, body=refusal(code, "So it is."), times=99)
    done = far(*command)
    assert done.returncode == 16, done.stderr
    assert f"{code}: So it is." in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_who_may_read_one_kind_only_finds_its_jobs(far, proxy):
    denied = refusal("AccessDeniedException", "Not you.")
    proxy.rule(r"(Describe|List)(Processing|Transform)Job", status=400, body=denied, times=99)
    assert far("describe", "churn-train").returncode == 0
    done = far("describe", "churn-prepare")
    assert (done.returncode, "DescribeProcessingJob: AccessDenied" in done.stderr) == (16, True)
    done = far("jobs", "--json")
    assert [job["Name"] for job in document(done)] == ["twin", "churn-train"]
    assert done.stderr.splitlines() == [
        "Not listed: ListProcessingJobs: AccessDeniedException: Not you.",
        "Not listed: ListTransformJobs: AccessDeniedException: Not you.",
    ]
    assert far("jobs", "--kind", "transform").returncode == 16


def test_throttling_and_cut_connections_are_tried_again(far, proxy):
    proxy.rule(r"ListTrainingJobs", status=400, body=refusal("ThrottlingException", "Slow."))
    proxy.rule(r"ListProcessingJobs", cut_down=0)
    done = far("jobs", AWS_MAX_ATTEMPTS="3")
    assert (done.returncode, done.stdout.count("twin")) == (0, 2)
    assert proxy.asked("ListTrainingJobs") == 2


def test_nobody_there(sagedock, tmp_path):
    done = sagedock("jobs", "--aws", env=settings(tmp_path, "http://127.0.0.1:1"))
    assert (done.returncode, "Could not connect" in done.stderr) == (16, True)


def test_nothing_of_an_account_comes_into_the_local_data_folder(far, tmp_path: Path):
    for command in (("jobs",), ("describe", "churn-train"), ("logs", "churn-train")):
        assert far(*command).returncode == 0
    assert not (tmp_path / "elsewhere").exists()


# endpoints


def test_no_endpoints(far):
    done = far("endpoints")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No endpoints.\n")
    assert document(far("endpoints", "--json")) == []


def test_an_endpoint_that_is_not_there(far):
    done = far("delete-endpoint", "nobody")
    assert done.returncode == 12
    assert "No endpoint is named 'nobody' in us-east-1 on AWS." in done.stderr
    assert "sagedock endpoints --aws" in done.stderr
