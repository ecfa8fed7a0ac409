"""Log lines, metrics, tree method, resources, labels' rules and the door: each by itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sagedock.contract.metrics import MetricDefinition, MetricScanner
from sagedock.contract.paths import MLPaths
from sagedock.errors import TrainingError
from sagedock.runtime.algorithm import boosting, matrices, metrics, resources, tree_method
from sagedock.runtime.algorithm.__main__ import run
from sagedock.runtime.algorithm.log import Log


def test_line_is_xgboosts_own():
    history = {"train": {"error": [0.2, 0.07]}, "validation": {"error": [0.3, 0.08]}}
    assert boosting.line(0, history) == "[0]\ttrain-error:0.07000\tvalidation-error:0.08000"
    history = {"train": {"auc": [1.0], "f1": [0.5]}}
    assert boosting.line(12, history) == "[12]\ttrain-auc:1.00000\ttrain-f1:0.50000"


def test_built_in_regular_expression_finds_its_number():
    regex = r".*\[[0-9]+\].*#011validation-error:(\S+)"
    scanner = MetricScanner([MetricDefinition(name="m", regex=regex)])
    history = {"train": {"error": [0.07]}, "validation": {"error": [0.08]}}
    (found,) = scanner.feed(boosting.line(3, history), 0.0)
    assert found.value == 0.08


def test_log_line(capsys):
    Log().info("Loaded 2333 rows")
    said = capsys.readouterr().out
    assert re.fullmatch(r"\[\d{4}-\d\d-\d\d:\d\d:\d\d:\d\d:INFO\] Loaded 2333 rows\n", said)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[08:00:00] /src/obj.cu:114: Check failed: ok: base_score must be in (0,1).\n"
            "Stack trace:\n  [bt] (0) lib.so",
            "base_score must be in (0,1).",
        ),
        ("[08:00:00] /src/tree.cc:20: Unknown tree updater x\nStack trace:\n", None),
        ("[08:25:51] WARNING: /src/c_api.cc:1509: Unknown file format", "Unknown file format"),
        ("value 1 for Parameter max_bin should be 2", "value 1 for Parameter max_bin should be 2"),
        ("[08:00:00] /src/a.cc:1: Check failed: a == b (1 vs. 2) : ", "a == b (1 vs. 2) :"),
    ],
)
def test_xgboosts_words_without_its_stack(text: str, expected: str | None):
    assert boosting.plain(text) == (expected or "Unknown tree updater x")


def test_directions():
    assert metrics.direction_is_up("ndcg@10")
    assert metrics.direction_is_up("auc")
    assert not metrics.direction_is_up("error@0.4")
    assert not metrics.MAXIMISE & metrics.MINIMISE
    assert set(metrics.CUSTOM) <= metrics.ALL


@pytest.mark.parametrize(
    ("metric", "printed"),
    [
        ("error@0.5", "error"),
        ("error@0.40", "error@0.4"),
        ("ndcg@10", "ndcg@10"),
        ("tweedie-nloglik", "tweedie-nloglik@1.3"),
        ("auc", "auc"),
    ],
)
def test_names_as_xgboost_prints_them(metric: str, printed: str):
    assert metrics.printed_name(metric, tweedie_variance_power=1.3) == printed


SQUARED = {"objective": "reg:squarederror"}


@pytest.mark.parametrize(
    ("params", "cells", "expected"),
    [
        ({}, 1000, "exact"),
        ({"tree_method": "auto"}, 1000, "exact"),
        ({"tree_method": "hist"}, 1000, None),
        ({}, tree_method.SMALL + 1, None),
        ({"max_leaves": 3}, 1000, None),
        ({"booster": "gblinear"}, 1000, None),
        ({"booster": "dart"}, 1000, "exact"),
        ({"objective": "reg:absoluteerror"}, 1000, None),
    ],
)
def test_tree_method(params: dict[str, object], cells: int, expected: str | None):
    assert tree_method.choose({**SQUARED, **params}, cells) == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, True),
        ({"tree_method": "hist"}, True),
        ({"tree_method": "exact"}, False),
        ({"booster": "dart"}, False),
        ({"updater": "prune"}, False),
    ],
)
def test_quantiles_are_for_growing_plain_trees(params: dict[str, object], expected: bool):
    assert matrices.can_use_quantiles(params) is expected


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("150000 100000", 2), ("100000 100000", 1), ("5000 100000", 1), ("max 100000", None)],
)
def test_cpu_quota(text: str, cpus: int | None):
    assert resources.parse_quota(text) == cpus


def test_cpus_follow_either_version_of_control_groups(tmp_path: Path):
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert resources.cpus(tmp_path) == 1
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    unlimited = resources.cpus(tmp_path)
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    assert resources.cpus(tmp_path) == 1 <= unlimited


def test_free_memory_is_the_smaller_of_machine_and_group(tmp_path: Path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:      1000 kB\n")
    assert resources.free_memory(tmp_path, meminfo) == 1_024_000
    (tmp_path / "memory.max").write_text("600000\n")
    (tmp_path / "memory.current").write_text("100000\n")
    assert resources.free_memory(tmp_path, meminfo) == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert resources.free_memory(tmp_path, meminfo) == 1_024_000


def _refuse(paths: MLPaths) -> int:
    raise TrainingError("label is wrong", hint="Write numbers.")


def _break(paths: MLPaths) -> int:
    raise KeyError("surprise")


def _run_out_of_memory(paths: MLPaths) -> int:
    raise MemoryError


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (_refuse, "label is wrong\nWrite numbers."),
        (_break, "KeyError: 'surprise'\nTraceback"),
        (_run_out_of_memory, "Out of memory"),
    ],
)
def test_whatever_is_raised_leaves_a_failure_file_and_exit_code_1(
    tmp_path: Path, capsys, body, start: str
):
    paths = MLPaths(str(tmp_path))
    assert run(paths, body) == 1
    assert Path(paths.failure).read_text(encoding="utf-8").startswith(start)
    assert capsys.readouterr().err


def test_success_leaves_no_failure_file(tmp_path: Path):
    paths = MLPaths(str(tmp_path))
    assert run(paths, lambda _: 0) == 0
    assert not Path(paths.failure).exists()
