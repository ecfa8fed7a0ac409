"""CSV to DMatrix: sagedock's loader against XGBoost's own text reader and pandas.

    docker run --rm -v "$PWD:/sagedock:ro" sagedock/training \
        python3 -P /sagedock/benchmarks/csv_loading.py [--rows 860000] [--rounds 5]

XGBoost's text reader is what the built-in container uses. Each measurement is a process of its own,
the variants take turns, and ratios are medians over the rounds: this machine's noise hits all of
them. Time is from the file to the finished matrix, without imports; memory is the process's peak.
`quantiles` is what algorithm mode chooses when memory is short.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

COLUMNS = 70
PEER = "xgboost"
VARIANTS = (PEER, "pandas", "sagedock", "sagedock-quantiles")


def write(path: Path, rows: int) -> None:
    """A file of `rows` lines: a label of 0 or 1 and 69 numbers of up to four digits."""
    import numpy as np

    source = np.random.default_rng(0)
    with path.open("w") as file:
        for start in range(0, rows, 20_000):
            count = min(20_000, rows - start)
            values = source.normal(0, 30, (count, COLUMNS)).round(1)
            values[:, 0] = source.integers(0, 2, count)
            file.writelines(",".join([f"{v:g}" for v in row]) + "\n" for row in values.tolist())


def load(variant: str, path: Path, threads: int):
    """The matrix of `path`, made the way `variant` says."""
    import numpy as np
    import pandas as pd
    import xgboost

    if variant == PEER:
        return xgboost.DMatrix(f"{path}?format=csv&label_column=0", nthread=threads)
    if variant == "pandas":
        table = pd.read_csv(path, header=None, dtype=np.float32).to_numpy()
        return xgboost.DMatrix(table[:, 1:], label=table[:, 0], nthread=threads)

    from sagedock.runtime.algorithm import csv_reader, matrices
    from sagedock.runtime.algorithm.log import Log

    table = csv_reader.read([path], weights=False, columns=None, threads=threads, log=Log())
    params = {"objective": "binary:logistic"}
    quantiles = variant.endswith("quantiles")
    return matrices.build(table, params, quantiles=quantiles, threads=threads)


def measure(variant: str, path: Path, threads: int) -> None:
    """Child process: prints seconds, CPU seconds, peak MB and a checksum."""
    import pandas  # noqa: F401
    import xgboost  # noqa: F401

    warnings.simplefilter("ignore")
    start, used = time.perf_counter(), time.process_time()
    matrix = load(variant, path, threads)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(seconds, used, peak, matrix.num_row(), matrix.num_col(), matrix.get_label().sum())


def run(variant: str, path: Path, threads: int) -> tuple[tuple[float, ...], list[str]]:
    words = subprocess.run(
        [sys.executable, "-P", __file__, "--child", variant, str(path), "--threads", str(threads)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout.splitlines()[-1].split()  # fmt: skip
    return tuple(map(float, words[:3])), words[3:]


def compare(rows: int, rounds: int, threads: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        write(path, rows)
        print(f"{path.stat().st_size / 1e6:.0f} MB, {rows} x {COLUMNS}, {threads} threads")
        results: dict[str, list[tuple[float, ...]]] = {variant: [] for variant in VARIANTS}
        checks = set()
        for _ in range(rounds):
            for variant in VARIANTS:
                figures, check = run(variant, path, threads)
                results[variant].append(figures)
                checks.add(tuple(check))
        if len(checks) != 1:
            raise SystemExit(f"the variants disagree on rows, columns or labels: {checks}")
    report(results)


def report(results: dict[str, list[tuple[float, ...]]]) -> None:
    names = ("s", "CPU s", "MB")
    heads = "".join(f"{name:>8}" for name in (*names, *(f"x {name}" for name in names)))
    print(f"{'variant':20}{heads}   (medians; x {PEER})")
    for variant, values in results.items():
        medians = [statistics.median(column) for column in zip(*values, strict=True)]
        ratios = [
            statistics.median(
                own[i] / peer[i] for own, peer in zip(values, results[PEER], strict=True)
            )
            for i in range(len(names))
        ]
        print(f"{variant:20}" + "".join(f"{number:8.2f}" for number in (*medians, *ratios)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=860_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", nargs=2, metavar=("VARIANT", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        measure(arguments.child[0], Path(arguments.child[1]), arguments.threads)
    else:
        compare(arguments.rows, arguments.rounds, arguments.threads)


if __name__ == "__main__":
    main()
