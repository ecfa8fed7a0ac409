"""`sagedock clean` without an engine: what it can't look at it does not remove."""


def test_without_an_engine_nothing_is_done(sagedock, jobs):
    inputs = jobs / "jobs" / "training" / "churn-train" / "inputs"
    inputs.mkdir()
    done = sagedock("clean")
    assert done.returncode == 6
    assert inputs.is_dir()
