"""What the demo reads out of logs and answers, how it shows it, and how it ends when it fails."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sagedock.contract.metrics import MetricDefinition, MetricScanner
from sagedock.errors import InputError

LOG = [
    "[08:00:01] 2333x69 matrix from /opt/ml/input/data/train",
    *(
        f"[{n}]\ttrain-error:{0.14 - n / 10000:.5f}\tvalidation-error:{0.16 - n / 10000:.5f}"
        for n in range(600)
    ),
    "model saved",
]
TRAINING = {
    "TrainingJobName": "churn-xgboost-1",
    "TrainingJobStatus": "Completed",
    "FinalMetricDataList": [
        {"MetricName": "train:error", "Value": 0.0219, "Timestamp": 0},
        {"MetricName": "validation:error", "Value": 0.0661, "Timestamp": 0},
    ],
    "ModelArtifacts": {"S3ModelArtifacts": "s3://b/churn/churn-xgboost-1/output/model.tar.gz"},
}
PROCESSING = {
    "ProcessingJobName": "churn-preprocessing-1",
    "ProcessingJobStatus": "Completed",
    "ProcessingOutputConfig": {
        "Outputs": [
            {"OutputName": "train", "S3Output": {"S3Uri": "s3://b/p/output/train"}},
            {"OutputName": "test", "S3Output": {"S3Uri": "s3://b/p/output/test"}},
        ]
    },
}
SECONDS = {"staging": 0.1, "container": 2.345, "packaging": 0.05}


def screen(report, *, terminal, width=120):
    stream = io.StringIO()
    return report.Screen(Console(file=stream, force_terminal=terminal, width=width)), stream


def test_rounds_come_from_both_forms_of_the_line(report):
    lines = ["noise", "[0]\ttrain-error:0.13931\tvalidation-error:0.16517",
             "[1]#011train-error:1e-2#011validation-error:0.1"]  # fmt: skip
    assert report.rounds(lines) == [
        report.Round(number=0, train=0.13931, validation=0.16517),
        report.Round(number=1, train=0.01, validation=0.1),
    ]


def test_an_excerpt_keeps_all_but_most_rounds(report):
    shown = report.excerpt(LOG)
    assert shown[0] == LOG[0]
    assert shown[-1] == "model saved"
    numbers = [item.number for item in report.rounds(shown)]
    assert numbers == [0, 1, 2, 100, 200, 300, 400, 500, 599]


def test_the_metric_definitions_find_the_last_round(demo):
    scanner = MetricScanner(
        MetricDefinition(name=item["Name"], regex=item["Regex"]) for item in demo.XGBOOST_METRICS
    )
    for line in LOG:
        scanner.feed(line, 0.0)
    found = {item.name: item.value for item in scanner.final()}
    assert found == {"train:error": 0.0801, "validation:error": 0.1001}


def test_the_forests_metric_definitions(demo):
    scanner = MetricScanner(
        MetricDefinition(name=item["Name"], regex=item["Regex"]) for item in demo.FOREST_METRICS
    )
    for line in ("accuracy=0.9310;", "f1=0.7089;", "precision=0.9180;"):
        scanner.feed(line, 0.0)
    assert {item.name: item.value for item in scanner.final()} == {
        "test:accuracy": 0.931,
        "test:f1": 0.7089,
    }


def test_the_table_as_plain_lines(report):
    results = [
        report.processing_result(PROCESSING, SECONDS),
        report.training_result(TRAINING, SECONDS, ["s3://b/x"]),
    ]
    show, stream = screen(report, terminal=False)
    show.table(results)
    lines = stream.getvalue().splitlines()
    assert lines[0].split() == ["job", "status", "staging", "s", "container", "s", "packaging",
                                "s", "metrics"]  # fmt: skip
    assert lines[1].split() == ["churn-preprocessing-1", "Completed", "0.10", "2.35", "0.05", "-"]
    assert "train:error=0.0219  validation:error=0.0661" in lines[2]
    assert lines[1].index("Completed") == lines[2].index("Completed")
    assert [line.strip() for line in lines if "s3://" in line] == [
        "s3://b/p/output/train",
        "s3://b/p/output/test",
        "s3://b/churn/churn-xgboost-1/output/model.tar.gz",
        "s3://b/x",
    ]
    assert "\x1b" not in stream.getvalue()


def test_the_table_on_a_terminal(report):
    show, stream = screen(report, terminal=True)
    show.step(6, "results")
    show.table([report.training_result(TRAINING, SECONDS)])
    assert "\x1b" in stream.getvalue()
    assert "churn-xgboost-1" in stream.getvalue()


def test_a_narrow_terminal_folds_names_and_cuts_none(report):
    show, stream = screen(report, terminal=True, width=60)
    show.table([report.training_result(TRAINING, SECONDS)])
    assert "…" not in stream.getvalue()


def test_plain_lines_keep_tabs_brackets_and_length(report):
    show, stream = screen(report, terminal=False)
    long = "[0]\ttrain-error:0.1 [bold]" + "x" * 200
    show.lines([long + "\n"])
    assert stream.getvalue() == f"    {long}\n"


def test_waiting_is_announced_off_a_terminal_too(report):
    show, stream = screen(report, terminal=False)
    with show.working("training 600 rounds"):
        pass
    assert stream.getvalue() == "training 600 rounds\n"


def test_the_curves_are_a_png(report, demo, tmp_path):
    path = tmp_path / "new" / "curves.png"
    report.draw_curves(report.rounds(LOG), path, demo.RUN_OF_2020)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert path.stat().st_size > 10_000


def tour(demo, report, tmp_path):
    show, stream = screen(report, terminal=False)
    made = demo.Tour(
        screen=show, session=None, out=tmp_path, processing_image="p", training_image="t",
        serving_image="s", full_log=False,
    )  # fmt: skip
    return made, stream


def test_a_result_near_that_of_2020_is_compared(demo, report, tmp_path):
    made, stream = tour(demo, report, tmp_path)
    demo.compare(made, report.Round(number=599, train=0.0219, validation=0.0661))
    assert "train-error: 0.0219 now, 0.021 in 2020" in stream.getvalue()
    assert "validation-error: 0.0661 now, 0.062 in 2020" in stream.getvalue()


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        (0.0347, 0.06, "train-error is 0.0347 after round 599, expected below 0.03"),
        (0.02, 0.08, "validation-error is 0.0800 after round 599, expected below 0.08"),
        (0.02, float("nan"), "validation-error is nan"),
    ],
)
def test_a_result_far_from_that_of_2020_fails(demo, report, tmp_path, train, validation, message):
    made, _ = tour(demo, report, tmp_path)
    with pytest.raises(demo.UnexpectedResultError, match=message):
        demo.compare(made, report.Round(number=599, train=train, validation=validation))


def test_errors_end_with_their_own_code_and_no_traceback(demo, capsys):
    def work():
        raise InputError("the channel train is empty", hint="put a file into it")

    assert demo.guarded(work) == InputError.exit_code
    assert capsys.readouterr().err == (
        "error: the channel train is empty\nhint: put a file into it\n"
    )


def test_ctrl_c_ends_with_130(demo, capsys):
    def work():
        raise KeyboardInterrupt

    assert demo.guarded(work) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_success_is_0(demo):
    assert demo.guarded(lambda: None) == 0


def test_scores_are_held_against_the_right_customers(scoring):
    left, features = scoring.parted("1,5,6\n0,7,8\n0,9,1\n1,2,3\n")
    assert left == [True, False, False, True]
    assert features == "5,6\n7,8\n9,1\n2,3\n"
    result = scoring.confusion(left, [0.9, 0.1, 0.6, 0.2])
    assert result == scoring.Confusion(1, 1, 1, 1)
    assert result.accuracy == 0.5
