"""The model at work: the 334 customers that no training saw, in batch and one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sagedock

CUSTOMERS = 334


@dataclass(frozen=True)
class Confusion:
    """Counts of customers: `left` have left; the other word is what the model said."""

    stayed_stayed: int
    stayed_left: int
    left_stayed: int
    left_left: int

    @property
    def accuracy(self) -> float:
        right = self.stayed_stayed + self.left_left
        return right / (right + self.stayed_left + self.left_stayed)

    def lines(self) -> list[str]:
        """A table for people."""
        return [
            "                predicted to stay   predicted to leave",
            f"stayed          {self.stayed_stayed:17}   {self.stayed_left:18}",
            f"left            {self.left_stayed:17}   {self.left_left:18}",
        ]


def parted(table: str) -> tuple[list[bool], str]:
    """Labels (first column: has left), and the other columns as header-less CSV."""
    pairs = [line.split(",", 1) for line in table.splitlines()]
    return [float(label) == 1.0 for label, _ in pairs], "".join(f"{rest}\n" for _, rest in pairs)


def confusion(left: Sequence[bool], scores: Sequence[float]) -> Confusion:
    """Scores over one half mean that the customer will leave."""
    pairs = [(truth, score > 0.5) for truth, score in zip(left, scores, strict=True)]
    return Confusion(*(pairs.count(pair) for pair in
                       ((False, False), (False, True), (True, False), (True, True))))  # fmt: skip


def score(
    session: sagedock.Session, image: str, model_data: str, customers: Path
) -> tuple[list[float], Any]:
    """Each customer's score by batch transform, and the job. The model is deleted again."""
    model = sagedock.Model(image, model_data, sagemaker_session=session)
    transformer = model.transformer(
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        base_transform_job_name="churn-held-out",
    )
    try:
        transformer.transform(
            session.upload_data(path=customers, key_prefix="churn/held-out"),
            content_type="text/csv",
            split_type="Line",
        )
        text = session.read(f"{transformer.output}/{customers.name}.out").decode()
    finally:
        model.delete_model()
    return [float(line) for line in text.splitlines()], transformer.latest_transform_job


def ask(
    session: sagedock.Session, image: str, model_data: str, customers: Path
) -> tuple[list[float], float]:
    """Each customer's score by a live endpoint, one request each, and seconds for all of them.
    The endpoint and the model are deleted again."""
    model = sagedock.Model(image, model_data, sagemaker_session=session)
    predictor = model.deploy(accept="text/csv")
    try:
        begun = time.monotonic()
        answers = [predictor.predict(row) for row in customers.read_text().splitlines()]
        seconds = time.monotonic() - begun
    finally:
        predictor.delete_endpoint()
        predictor.close()
        model.delete_model()
    return [float(answer[0][0]) for answer in answers], seconds
