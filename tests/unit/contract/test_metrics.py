

def test_a_capture_that_runs_on_over_a_tab_ends_there():
    """A7.3: the built-in images' own regex is `(\\S+)`, and the matcher sees `#011`."""
    definition = MetricDefinition(name="train:error", regex=r".*\[[0-9]+\].*#011train-error:(\S+)")
    scanner = MetricScanner([definition])
    scanner.feed("[3]\ttrain-error:0.25\tvalidation-error:0.5", 1.0)
    assert [item.value for item in scanner.final()] == [0.25]
