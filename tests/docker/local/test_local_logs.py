"""Every line of a job's log arrives, in order, once; metrics are found in it (A7)."""

import itertools
import json
from collections.abc import Mapping

import pytest
from local_kit import Bench


@pytest.mark.parametrize("count", [5_000, 200_000])
def test_lines_at_once_and_then_the_end(bench: Bench, count: int) -> None:
    answer = bench.train(f"print('\\n'.join(map(str, range({count}))))", job_name="burst")
    expected = [str(number) for number in range(count)]
    assert answer["TrainingJobStatus"] == "Completed"
    assert bench.listener.lines == expected
    assert bench.session.logs("burst") == expected


def test_long_lines_stay_whole_beside_the_other_stream(bench: Bench) -> None:
    """The engine cuts a line into pieces of 16 KB, and the other stream's lines come between."""
    bench.train(
        """
        import os, threading
        def write(number, letter):
            for _ in range(40):
                rest = letter * 100_000 + b"\\n"
                while rest:
                    rest = rest[os.write(number, rest[:4096]):]
        pair = [threading.Thread(target=write, args=a) for a in ((1, b"o"), (2, b"e"))]
        [t.start() for t in pair]; [t.join() for t in pair]
        """
    )
    assert sorted(bench.listener.lines) == ["e" * 100_000] * 40 + ["o" * 100_000] * 40


def test_end_without_a_line_break_on_both_streams(bench: Bench) -> None:
    bench.train(
        """
        import os
        os.write(2, b"first\\nerror's end")
        os.write(1, b"second\\noutput's end")
        """,
        job_name="cut",
    )
    expected = ["error's end", "first", "output's end", "second"]
    assert sorted(bench.listener.lines) == expected
    assert sorted(bench.session.logs("cut")) == expected


def test_odd_characters(bench: Bench) -> None:
    """Only line breaks end a line, and bytes that are no UTF-8 are replaced, not fatal."""
    bench.train(
        """
        import os
        os.write(1, b"bad \\xff\\xfe utf-8\\n")
        os.write(1, b"10%\\r50%\\r100%\\n")
        os.write(1, b"dos\\r\\n")
        os.write(1, "sep \\u2028 \\x85 \\x0b \\x1c end\\n".encode())
        os.write(1, b"\\n")
        os.write(1, b"  indented\\t\\n")
        os.write(1, b"nul \\0 byte\\n")
        """,
        job_name="odd",
    )
    expected = [
        "bad \ufffd\ufffd utf-8",
        "10%\r50%\r100%",
        "dos",
        "sep \u2028 \x85 \x0b \x1c end",
        "",
        "  indented\t",
        "nul \0 byte",
    ]
    assert bench.listener.lines == expected
    assert bench.session.logs("odd") == expected
    client = bench.session.sagemaker_client
    assert [line.text for line in client.follow_logs(client.find("odd"))] == expected


def test_no_output_at_all(bench: Bench) -> None:
    assert bench.train("pass", job_name="mute")["TrainingJobStatus"] == "Completed"
    assert bench.session.logs("mute") == []


def test_training_image_keeps_the_order_of_both_streams(
    bench: Bench, images: Mapping[str, str], tmp_path
) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import os, time\nfor n in range(500): os.write(1 + n % 2, b'line %d\\n' % n)\n"
    )
    bench.estimator(image_uri=images["training"], entry_point=str(script)).fit()
    lines = [line for line in bench.listener.lines if line.startswith("line ")]
    assert lines == [f"line {number}" for number in range(500)]


def test_log_is_seen_while_the_job_runs(bench: Bench) -> None:
    """Another process' log, line by line, of a job that nobody waits for."""
    answer = bench.train(
        """
        import time
        for number in range(5):
            print(f"tick {number}", flush=True)
            time.sleep(0.3)
        """,
        wait=False,
        job_name="ticks",
    )
    assert answer["TrainingJobStatus"] == "InProgress"
    client = bench.session.sagemaker_client
    first = next(client.follow_logs(client.find("ticks")))
    assert first.text == "tick 0"
    assert bench.job("ticks")["TrainingJobStatus"] == "InProgress"
    lines = [line.text for line in client.follow_logs(client.find("ticks"))]
    assert lines == [f"tick {number}" for number in range(5)]
    assert bench.ended("ticks")["TrainingJobStatus"] == "Completed"


# Metrics

DEFINITIONS = [
    {"Name": "validation:error", "Regex": r".*\[[0-9]+\].*#011validation-error:(\S+)"},
    {"Name": "train:error", "Regex": "\ttrain-error:([0-9.e-]+)"},
    {"Name": "loss", "Regex": "loss=([0-9.+-e]+);"},
    {"Name": "never", "Regex": "never ([0-9]+)"},
    {"Name": "words", "Regex": "loss is (.*)"},
]


def test_metrics_with_tab_as_the_service_sees_it(bench: Bench) -> None:
    answer = bench.train(
        """
        print("[0]\\ttrain-error:0.5\\tvalidation-error:0.6")
        print("[1]\\ttrain-error:2.5e-1\\tvalidation-error:0.30")
        print("loss=-1.5e-05;")
        print("loss is quite small")
        """,
        metric_definitions=DEFINITIONS,
    )
    found = {item["MetricName"]: item["Value"] for item in answer["FinalMetricDataList"]}
    assert found == {"validation:error": 0.3, "train:error": 0.25, "loss": -1.5e-05}
    times = [item["Timestamp"] for item in answer["FinalMetricDataList"]]
    assert all(answer["TrainingStartTime"] <= time <= answer["TrainingEndTime"] for time in times)


def test_metrics_of_a_failed_job(bench: Bench) -> None:
    answer = bench.train(
        "print('loss=3;', flush=True); raise SystemExit(3)", metric_definitions=DEFINITIONS
    )
    assert answer["TrainingJobStatus"] == "Failed"
    assert [item["Value"] for item in answer["FinalMetricDataList"]] == [3.0]


# What describe and list say


def test_describe_has_the_services_fields(bench: Bench) -> None:
    answer = bench.train("print('x')", job_name="told", hyperparameters={"a": 1})
    assert answer["TrainingJobName"] == "told"
    assert answer["SecondaryStatus"] == "Completed"
    assert answer["HyperParameters"] == {"a": "1"}
    assert answer["OutputDataConfig"]["CompressionType"] == "GZIP"
    assert answer["EnableNetworkIsolation"] is False
    moments = [answer[name] for name in ("CreationTime", "TrainingStartTime", "TrainingEndTime")]
    assert moments == sorted(moments)
    steps = answer["SecondaryStatusTransitions"]
    assert [step["Status"] for step in steps] == [
        "Pending", "Starting", "Downloading", "Training", "Uploading", "Completed",
    ]  # fmt: skip
    assert bench.listener.statuses == [step["Status"] for step in steps[1:]]
    for one, after in itertools.pairwise(steps):
        assert one["EndTime"] == after["StartTime"]
    json.dumps(answer, default=str)
    listed = bench.session.sagemaker_client.list_training_jobs(NameContains="TOL")
    assert [row["TrainingJobName"] for row in listed["TrainingJobSummaries"]] == ["told"]


def test_a_listener_that_fails_does_not_cost_the_job(bench: Bench) -> None:
    """`print` into a closed pipe raises; the job ends as it would have, then that is raised."""

    def broken(text: str) -> None:
        raise BrokenPipeError(text)

    bench.listener.on_line = broken
    with pytest.raises(BrokenPipeError, match="0"):
        bench.train("print('\\n'.join(map(str, range(1000))))", job_name="unheard")
    job = bench.session.sagemaker_client.describe_training_job(TrainingJobName="unheard")
    assert job["TrainingJobStatus"] == "Completed"
    assert len(bench.session.logs("unheard")) == 1000
