"""The churn example from end to end: real data, two processing jobs, two training jobs, one
transform job.

Needs a Docker engine and the images `sagedock/processing`, `sagedock/training` and
`sagedock/serving` (`make demo` brings them, then calls this). Everything goes through sagedock's
public API with the argument names of SageMaker's SDK v2, so the same lines run on AWS with another
session.
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fetch
import scoring
from report import (
    JobResult,
    Round,
    Screen,
    draw_curves,
    excerpt,
    processing_result,
    rounds,
    training_result,
)

import sagedock
from sagedock.errors import SagedockError

HERE = Path(__file__).resolve().parent
CODE = HERE / "code"
ROLE = "arn:aws:iam::111122223333:role/SageMakerRole"
INSTANCE = "ml.m5.large"

NOTEBOOK = {
    "max_depth": 5,
    "subsample": 0.8,
    "num_round": 600,
    "eta": 0.2,
    "gamma": 4,
    "min_child_weight": 6,
    "silent": 0,
    "objective": "binary:logistic",
}
"""The public notebook's hyperparameters as written there; `silent` is one XGBoost no longer has."""

NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
XGBOOST_METRICS = [
    {"Name": f"{name}:error", "Regex": rf"\[[0-9]+\].*#011{name}-error:{NUMBER}"}
    for name in ("train", "validation")
]
FOREST_METRICS = [
    {"Name": f"test:{name}", "Regex": rf"^{name}={NUMBER};"} for name in ("accuracy", "f1")
]

RUN_OF_2020 = {"train": 0.021, "validation": 0.062}
LIMITS = {"train": 0.03, "validation": 0.08}


class UnexpectedResultError(SagedockError):
    """A job ran, but what it learnt is not what this data and this job give."""


@dataclass(frozen=True, kw_only=True)
class Tour:
    """What all steps share."""

    screen: Screen
    session: Any
    out: Path
    processing_image: str
    training_image: str
    serving_image: str
    full_log: bool

    @property
    def store(self) -> str:
        """`s3://<bucket>/churn`: where this example keeps its objects."""
        return f"s3://{self.session.default_bucket()}/churn"


def fetch_data(tour: Tour) -> str:
    """Step 2: real data on disk and in the store; the URI of the file."""
    path = tour.out / "raw_churn.csv"
    raw = fetch.fetch(path)
    churned = int((raw["Churn?"] == "True.").sum())
    tour.screen.say(f"{path}: {len(raw)} customers, {raw.shape[1]} columns, {churned} have left")
    uri = tour.session.upload_data(path=str(path), key_prefix="churn/raw")
    tour.screen.say(f"uploaded to {uri}")
    return uri


def process(
    tour: Tour, script: str, raw_uri: str, outputs: list[str], arguments: list[str] | None = None
) -> dict[str, Any]:
    """Runs `code/<script>` as a processing job; each output is a folder. describe()'s answer."""
    processor = sagedock.ScriptProcessor(
        image_uri=tour.processing_image,
        command=["python3"],
        role=ROLE,
        instance_count=1,
        instance_type=INSTANCE,
        base_job_name=f"churn-{Path(script).stem.replace('_', '-')}",
        sagemaker_session=tour.session,
    )
    processor.run(
        code=str(CODE / script),
        inputs=[
            sagedock.ProcessingInput(
                source=raw_uri, destination="/opt/ml/processing/input", input_name="raw"
            )
        ],
        outputs=[
            sagedock.ProcessingOutput(source=f"/opt/ml/processing/{name}", output_name=name)
            for name in outputs
        ],
        arguments=arguments,
    )
    return processor.latest_job.describe()


def output_uris(description: dict[str, Any]) -> dict[str, str]:
    """Output name -> S3 URI."""
    outputs = description["ProcessingOutputConfig"]["Outputs"]
    return {output["OutputName"]: output["S3Output"]["S3Uri"] for output in outputs}


def preprocess(tour: Tour, raw_uri: str) -> dict[str, Any]:
    """Step 3: tables for scikit-learn, and what describe() says of the job."""
    description = process(
        tour, "preprocessing.py", raw_uri, ["train", "test"], ["--train-test-split-ratio", "0.2"]
    )
    for part in ("ProcessingInputs", "ProcessingOutputConfig"):
        tour.screen.document(f"describe()[{part!r}]:", description[part])
    return description


def csv_input(uri: str) -> sagedock.TrainingInput:
    return sagedock.TrainingInput(s3_data=uri, content_type="text/csv")


def train_xgboost(tour: Tour, channels: dict[str, str]) -> sagedock.Estimator:
    """Step 4: no script; the image is the algorithm. Its 600 log lines are shown in part."""
    estimator = sagedock.Estimator(
        image_uri=tour.training_image,
        role=ROLE,
        instance_count=1,
        instance_type=INSTANCE,
        hyperparameters=NOTEBOOK,
        output_path=tour.store,
        base_job_name="churn-xgboost",
        metric_definitions=XGBOOST_METRICS,
        sagemaker_session=tour.session,
    )
    inputs = {name: csv_input(channels[name]) for name in ("train", "validation")}
    if tour.full_log:
        estimator.fit(inputs)
        return estimator
    with tour.screen.working("training 600 rounds; the log follows in part (--full-log for all)"):
        estimator.fit(inputs, logs=False)
    tour.screen.lines(excerpt(tour.session.logs(job_name(estimator))))
    return estimator


def train_forest(tour: Tour, channels: dict[str, str]) -> sagedock.Estimator:
    """Step 5: the same class and image with a script of the user's and its requirements."""
    estimator = sagedock.Estimator(
        image_uri=tour.training_image,
        role=ROLE,
        instance_count=1,
        instance_type=INSTANCE,
        entry_point="sklearn_rf.py",
        source_dir=str(CODE / "rf"),
        hyperparameters={"n_estimators": 50},
        output_path=tour.store,
        code_location=tour.store,
        base_job_name="churn-forest",
        metric_definitions=FOREST_METRICS,
        sagemaker_session=tour.session,
    )
    estimator.fit({name: csv_input(channels[name]) for name in ("train", "test")})
    return estimator


def job_name(estimator: sagedock.Estimator) -> str:
    return estimator.latest_training_job.describe()["TrainingJobName"]


def members(tour: Tour, uri: str) -> list[str]:
    """Names of the files in a .tar.gz in the store."""
    with tarfile.open(fileobj=io.BytesIO(tour.session.read(uri)), mode="r:gz") as archive:
        return [member.name for member in archive if member.isfile()]


def processed(tour: Tour, description: dict[str, Any]) -> JobResult:
    seconds = tour.session.timings(description["ProcessingJobName"])
    return processing_result(description, seconds)


def trained(tour: Tour, estimator: sagedock.Estimator, more: tuple[str, ...] = ()) -> JobResult:
    """`more`: further objects of the job, by their path below its folder."""
    description = estimator.latest_training_job.describe()
    name = description["TrainingJobName"]
    uris = [f"{tour.store}/{name}/{path}" for path in more]
    return training_result(description, tour.session.timings(name), uris)


def compare(tour: Tour, last: Round) -> None:
    """The 2020 run beside this one; raises if this one is not near it."""
    for name, then in RUN_OF_2020.items():
        now, limit = getattr(last, name), LIMITS[name]
        tour.screen.say(f"{name}-error: {now:.4f} now, {then} in 2020 (has to stay below {limit})")
        if not now < limit:
            raise UnexpectedResultError(
                f"{name}-error is {now:.4f} after round {last.number}, expected below {limit}",
                hint="the data, the split or XGBoost has changed: compare the log with README.md",
            )


def show_results(tour: Tour, results: list[JobResult], xgboost_job: str) -> None:
    """Step 6: the table, what is in the archives, the picture, and the comparison."""
    tour.screen.table(results)
    for result in results:
        for uri in result.artifacts:
            if uri.endswith(".tar.gz"):
                tour.screen.say(f"{uri.removeprefix(tour.store)} holds {members(tour, uri)}")
    curves = rounds(tour.session.logs(xgboost_job))
    if len(curves) != NOTEBOOK["num_round"]:
        raise UnexpectedResultError(
            f"the log of {xgboost_job} has {len(curves)} rounds, expected {NOTEBOOK['num_round']}",
            hint=f"read it with: sagedock logs {xgboost_job}",
        )
    picture = tour.out / "curves.png"
    draw_curves(curves, picture, RUN_OF_2020)
    tour.screen.say(f"training curves: {picture}")
    compare(tour, curves[-1])


def score_held_out(tour: Tour, xgboost: Any, test_uri: str) -> None:
    """Step 7: the customers that no training saw, scored in batch and by a live endpoint."""
    left, features = scoring.parted(tour.session.read(f"{test_uri}/test.csv").decode())
    customers = tour.out / "held-out.csv"
    customers.write_text(features)
    scores, job = scoring.score(tour.session, tour.serving_image, xgboost.model_data, customers)
    if len(scores) != scoring.CUSTOMERS:
        raise UnexpectedResultError(
            f"{len(scores)} scores came back, expected {scoring.CUSTOMERS}",
            hint=f"read the log with: sagedock logs {job.name}",
        )
    answers, seconds = scoring.ask(tour.session, tour.serving_image, xgboost.model_data, customers)
    if answers != scores:
        raise UnexpectedResultError(
            "the endpoint's answers are not those of batch transform",
            hint=f"scores are in the output of {job.name}: sagedock describe {job.name}",
        )
    tour.screen.say(
        f"a live endpoint gave the same {len(answers)} answers, one request each, "
        f"in {seconds:.2f} s, and is deleted again"
    )
    result = scoring.confusion(left, scores)
    tour.screen.lines(result.lines())
    tour.screen.say(
        f"accuracy on {len(left)} customers that no training saw: {result.accuracy:.4f}"
    )


def run(tour: Tour) -> None:
    """Steps 1 to 7."""
    screen = tour.screen
    screen.step(1, "what this runs on")
    screen.say(f"sagedock {sagedock.__version__}, python {sys.version.split()[0]}")
    images = (tour.processing_image, tour.training_image, tour.serving_image)
    screen.say(f"images {', '.join(images)}")
    screen.step(2, "fetch the churn data")
    raw_uri = fetch_data(tour)
    screen.step(3, "processing jobs: tables for scikit-learn, then for XGBoost")
    tables = preprocess(tour, raw_uri)
    matrices = process(tour, "prepare_xgboost.py", raw_uri, ["train", "validation", "test"])
    screen.step(4, "training job: XGBoost in algorithm mode (no script)")
    xgboost = train_xgboost(tour, output_uris(matrices))
    screen.step(5, "training job: a script of one's own (random forest)")
    forest = train_forest(tour, output_uris(tables))
    screen.step(6, "results")
    results = [
        processed(tour, tables),
        processed(tour, matrices),
        trained(tour, xgboost),
        trained(tour, forest, ("output/output.tar.gz", "source/sourcedir.tar.gz")),
    ]
    show_results(tour, results, job_name(xgboost))
    screen.step(7, "XGBoost's model at work: a transform job, a live endpoint")
    score_held_out(tour, xgboost, output_uris(matrices)["test"])


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The churn example, from data to two models.")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder for data and curves")
    parser.add_argument("--processing-image", default="sagedock/processing:latest")
    parser.add_argument("--training-image", default="sagedock/training:latest")
    parser.add_argument("--serving-image", default="sagedock/serving:latest")
    parser.add_argument("--full-log", action="store_true", help="all 600 lines of XGBoost's log")
    return parser.parse_args(argv)


def guarded(work: Callable[[], None]) -> int:
    """Does `work`; an exit code, with errors as a message and the next step, not a traceback."""
    try:
        work()
    except SagedockError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def main(argv: list[str] | None = None) -> int:
    arguments = parse(argv)
    screen = Screen()

    def work() -> None:
        started = time.monotonic()
        run(Tour(screen=screen, session=sagedock.Session(), **vars(arguments)))
        screen.say(f"done in {time.monotonic() - started:.1f} s")

    return guarded(work)


if __name__ == "__main__":
    raise SystemExit(main())
