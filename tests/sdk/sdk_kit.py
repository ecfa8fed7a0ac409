"""What the SDKs' tests share: the churn data as files, a program run to its end."""

import csv
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = HERE / "programs"
EXAMPLE = ROOT / "examples" / "churn"
Done = subprocess.CompletedProcess


@dataclass(frozen=True)
class Churn:
    """The churn data of the worked example, as folders of files."""

    folder: Path

    @property
    def raw(self) -> Path:
        """3,333 customers, as the public file has them."""
        return self.folder / "raw_churn.csv"

    def table(self, name: str) -> list[list[float]]:
        """A table for XGBoost: train, validation or test; the label comes first."""
        with (self.folder / "xgboost" / name / f"{name}.csv").open() as file:
            return [[float(cell) for cell in row] for row in csv.reader(file)]

    def accuracy(self, scores: list[float]) -> float:
        """Of scores for the rows of the test table."""
        pairs = zip(self.table("test"), scores, strict=True)
        right = [(score > 0.5) == (row[0] == 1) for row, score in pairs]
        return sum(right) / len(right)


def numbers(path: Path) -> list[float]:
    """A file of numbers, with white space or commas between."""
    return [float(text) for text in path.read_text().replace(",", " ").split()]


def printed(text: str, word: str) -> str:
    """The rest of the last line that begins with `word` and a space, after what SDK v2 prints for
    each of its looks at an endpoint, without a line's end."""
    lines = [line.lstrip("-!*") for line in text.splitlines()]
    found = [line for line in lines if line.startswith(f"{word} ")]
    assert found, f"no line begins with {word!r} in:\n{text[-4000:]}"
    return found[-1].removeprefix(f"{word} ").strip()


def finished(
    command: Sequence[str | Path], environment: Mapping[str, str], limit: float
) -> Done[str]:
    """Run to its end; a failure shows the end of what was printed."""
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=limit,
    )  # fmt: skip
    if done.returncode:
        words = " ".join(map(str, command))
        pytest.fail(f"{words} ended with {done.returncode}:\n{done.stdout[-6000:]}", pytrace=False)
    return done
