"""Failure texts, metrics, names and instance sizes: the small rules of the contract."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.contract.failure import LIMIT, clip, compose, processing_reason, training_reason
from sagedock.contract.instances import memory_bytes, shm_bytes
from sagedock.contract.metrics import MetricDefinition, MetricScanner
from sagedock.contract.names import JOB_NAME_LIMIT, Place, base_name_of_image, name_from_base

GIB = 1 << 30
JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


# failures (A5.6)


@given(text=st.text(max_size=3000), code=st.integers(0, 255))
def test_a_reason_survives_and_keeps_its_exit_code(text, code):
    reason = training_reason(text, code)
    assert len(reason) <= LIMIT
    assert reason.startswith("AlgorithmError: ")
    assert reason.endswith(f"exit code: {code}")


def test_a_short_failure_text_is_told_whole():
    assert training_reason("no column 'y'\n", 3) == "AlgorithmError: no column 'y', exit code: 3"
    assert training_reason("", 137) == "AlgorithmError: exit code: 137"


def test_a_lost_end_is_shown_as_lost():
    assert clip("abcdef", 4) == "abc…"
    assert clip("abcd", 4) == "abcd"
    assert training_reason("x" * 2000, 1).endswith("x…, exit code: 1")


def test_the_cause_comes_first():
    assert compose(" cause\n", "", "detail") == "cause\ndetail"


def test_processing_fails_in_the_platforms_own_words():
    assert processing_reason(3).endswith("exit code: 3")


# metrics (A7.2, A7.3)


def scanner(*regexes: str) -> MetricScanner:
    return MetricScanner(
        MetricDefinition(name=f"m{number}", regex=regex) for number, regex in enumerate(regexes)
    )


def final(scan: MetricScanner) -> dict[str, float]:
    return {item.name: item.value for item in scan.final()}


def test_the_built_in_regex_sees_a_tab_as_the_service_does():
    scan = scanner(r".*\[[0-9]+\].*#011validation-error:(\S+)", r"\ttrain-error:(\S+)")
    scan.feed("[0]\ttrain-error:0.21\tvalidation-error:0.062", 1.0)
    assert final(scan) == {"m0": 0.062, "m1": 0.21}


def test_the_last_value_wins_and_keeps_its_time():
    scan = scanner(r"loss=(\S+)")
    scan.feed("loss=1", 1.0)
    assert [item.value for item in scan.feed("loss=5e-1", 2.0)] == [0.5]
    assert [(item.value, item.timestamp) for item in scan.final()] == [(0.5, 2.0)]


def test_what_is_no_number_is_no_value():
    scan = scanner(r"loss=(\S+)", r"loss", r"(x)?loss=1")
    assert scan.feed("loss=low", 1.0) == []
    assert scan.feed("nothing here", 2.0) == []
    assert scan.feed("loss=1", 3.0)[0].value == 1.0
    assert final(scan) == {"m0": 1.0}


def test_only_the_first_group_counts():
    scan = scanner(r"acc=(\S+) of (\S+)")
    scan.feed("acc=0.5 of 9", 1.0)
    assert final(scan) == {"m0": 0.5}


# names (A4.1)

NOW = datetime(2026, 11, 24, 8, 7, 1, 123456, UTC)


def test_a_name_has_its_time_in_it_as_the_sdks_make_it():
    assert name_from_base("base", NOW) == "base-2026-11-24-08-07-01-123"
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert name_from_base("base", elsewhere) == "base-2026-11-24-08-07-01-123"


@given(base=st.text(max_size=100))
def test_any_base_gives_a_name_that_the_service_takes(base):
    name = name_from_base(base, NOW)
    assert JOB_NAME.fullmatch(name)
    assert len(name) <= JOB_NAME_LIMIT
    assert name.endswith("2026-11-24-08-07-01-123")


@pytest.mark.parametrize(
    ("image", "base"),
    [
        ("sagedock/training:latest", "training"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/my-repo:1.0", "my-repo"),
        ("localhost:5000/img", "img"),
        ("img@sha256:abc", "img"),
        ("", "job"),
    ],
)
def test_a_base_from_an_image(image, base):
    assert base_name_of_image(image) == base


def test_arns_are_made_as_the_service_makes_them():
    place = Place(region="eu-west-1", account="123456789012")
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/my-job"
    assert place.arn("training-job", "My-Job") == arn


# instances


@pytest.mark.parametrize(
    ("name", "gib"),
    [
        ("ml.m5.large", 8), ("ml.m5.4xlarge", 64), ("ml.c5.xlarge", 8), ("ml.r5.2xlarge", 64),
        ("ml.t3.medium", 4), ("ml.m6i.32xlarge", 512), ("ml.m5d.24xlarge", 384),
        ("ml.p3.2xlarge", None), ("ml.g4dn.xlarge", None), ("local", None), ("", None),
    ],
)  # fmt: skip
def test_memory_by_the_instance_types_name(name, gib):
    assert memory_bytes(name) == (gib and gib * GIB)


def test_shared_memory_is_half_the_instance_but_never_over_half_the_machine():
    assert shm_bytes("ml.m5.large", 64 * GIB) == 4 * GIB
    assert shm_bytes("ml.m5.24xlarge", 16 * GIB) == 8 * GIB
    assert shm_bytes("ml.p3.2xlarge", 16 * GIB) == 8 * GIB


def test_a_capture_that_runs_on_over_a_tab_ends_there():
    """A7.3: the built-in images' own regex is `(\\S+)`, and the matcher sees `#011`."""
    definition = MetricDefinition(name="train:error", regex=r".*\[[0-9]+\].*#011train-error:(\S+)")
    scanner = MetricScanner([definition])
    scanner.feed("[3]\ttrain-error:0.25\tvalidation-error:0.5", 1.0)
    assert [item.value for item in scanner.final()] == [0.25]
