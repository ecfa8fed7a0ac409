"""The soak of benchmarks/soak, short: the whole one is `make soak`."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[3] / "benchmarks/soak/run.py"


def test_kills_and_an_update_in_full_load_lose_nothing_else():
    """D1.4, D3.11: each answer is XGBoost's own, each bad request is told as such."""
    arguments = ["--requests", "16000", "--kill-every", "1.5"]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["kills"] >= 1
    assert 160 - report["lost to kills"] <= report["bad requests told as such"] <= 160
    right = sum(report["right answers"].values())
    assert right + report["bad requests told as such"] + report["lost to kills"] == 16_000
    assert report["right answers"]["second"] > 0
