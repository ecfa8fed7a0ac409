"""Models without code: forests bit for bit, joined rows, and what is found in a folder."""

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sagedock.contract.paths import MLPaths
from sagedock.runtime.serve import discovery, settings, sklearn_model, xgboost_model
from sagedock.runtime.serve.builtin import Builtin
from sagedock.runtime.serve.one_tree import MOST_NODES, OneTree
from sagedock.runtime.serve.problems import ModelLoadError, Refusal
from sagedock.runtime.serve.sklearn_model import Estimator, Forest

X, Y = make_classification(300, 12, n_informative=6, n_classes=3, random_state=0)
XR, YR = make_regression(300, 12, random_state=0)
WORDS = np.array(["no", "maybe", "yes"])[Y]


def read(folder, **environ):
    return settings.read(environ, MLPaths(str(folder)), cpus=1)


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
@pytest.mark.parametrize("labels", [Y, WORDS, Y % 2])
@pytest.mark.parametrize("rows", [1, 7, 64, 65, 300])
def test_classifying_forests_bit_for_bit(kind, labels, rows):
    model = kind(23, random_state=0).fit(X, labels)
    forest, table = Estimator(model), X[:rows].astype(np.float32)
    assert Forest.fits(model)
    np.testing.assert_array_equal(forest.predict(table), model.predict(table))
    np.testing.assert_array_equal(forest.probabilities(table), model.predict_proba(table))


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_regressing_forests_bit_for_bit(kind, rows):
    model = kind(23, random_state=0).fit(XR, YR)
    table = XR[:rows].astype(np.float32)
    assert Forest.fits(model)
    np.testing.assert_array_equal(Estimator(model).predict(table), model.predict(table))


@pytest.mark.parametrize("trees", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("depth", [None, 1])
def test_trees_as_one_bit_for_bit(trees, depth):
    model = RandomForestRegressor(trees, max_depth=depth, random_state=0).fit(XR, YR)
    one = Estimator(model)
    for at in range(50):
        row = XR[at : at + 1].astype(np.float32)
        np.testing.assert_array_equal(one.predict(row), model.predict(row))


def test_trees_that_are_one_leaf():
    model = RandomForestClassifier(5, random_state=0).fit(X, np.zeros(len(X)))
    np.testing.assert_array_equal(Estimator(model).predict(X[:3].astype(np.float32)), np.zeros(3))


def test_large_forests_are_not_copied():
    class Large:
        node_count = MOST_NODES

    assert not OneTree.fits([Large(), Large()])


def test_other_models_go_their_own_way():
    class Mine(RandomForestClassifier):
        pass

    two = RandomForestRegressor(3).fit(XR, np.stack([YR, YR], 1))
    for model in (
        Mine(3).fit(X, Y), two, GradientBoostingClassifier(n_estimators=3).fit(X, Y),
        make_pipeline(StandardScaler(), LinearRegression()).fit(XR, YR),
    ):  # fmt: skip
        assert not Forest.fits(model)
        np.testing.assert_array_equal(Estimator(model).predict(X[:9]), model.predict(X[:9]))


def test_missing_values_are_the_estimators_own_matter():
    table = X.astype(np.float32)
    table[3, 2] = np.nan
    model = RandomForestClassifier(5, random_state=0).fit(table, Y)
    np.testing.assert_array_equal(Estimator(model).predict(table), model.predict(table))


@pytest.fixture
def served(tmp_path):
    (tmp_path / "model").mkdir()
    model = RandomForestClassifier(20, random_state=0, n_jobs=2).fit(X, Y)
    joblib.dump(model, tmp_path / "model/model.joblib")
    found = read(tmp_path)
    builtin = Builtin(discovery.load_model(found.model_dir, found), found)
    builtin.warm_up()
    return builtin


def row(values):
    return ",".join(map(repr, values.tolist())).encode()


def test_joined_rows_get_the_answers_they_get_alone(served):
    rows = [served.single(row(values), "text/csv") for values in X.astype(np.float32)]
    accepts = ["text/csv", "application/json"] * 150
    joined = served.many(rows, accepts)
    alone = [served.answer(r, "text/csv", a).body for r, a in zip(rows, accepts, strict=True)]
    assert joined == alone


def test_a_bad_row_fails_alone(served):
    good = row(X[0].astype(np.float32))
    bad = good.replace(good.split(b",")[1], b"1-2", 1)
    assert served.single(bad, "text/csv") is not None
    first, second, third = served.many([good, bad, good], ["text/csv"] * 3)
    assert isinstance(second, Refusal)
    assert second.facts == {"row": 1, "column": 2}
    assert first == third == served.answer(good, "text/csv", "").body


def test_selected_outputs_of_a_classifier(tmp_path, served):
    found = read(tmp_path, SAGEMAKER_INFERENCE_OUTPUT="predicted_label,probability")
    answer = Builtin(served.model, found).answer(row(X[0]), "text/csv", "text/csv")
    label, chance = answer.body.split(b",")
    assert int(label) == served.model.model.predict(X[:1])[0]
    assert float(chance) == served.model.model.predict_proba(X[:1]).max()


def test_what_is_plainly_no_booster_is_left_alone(tmp_path):
    for name, content in {
        "metrics.json": b'{"auc": 0.9}', "requirements.txt": b"numpy", "data.csv": b"1,2",
        "model.json": b'{"learner": {}}', "old": b"binf\0\0", "new.ubj": b"{L\0learner",
        ".hidden": b"binf", "empty": b"", "notes": b"text without a suffix",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    (tmp_path / "code").mkdir()
    names = [path.name for path in xgboost_model.candidates(str(tmp_path))]
    assert names == ["model.json", "new.ubj", "old"]
    (tmp_path / "xgboost-model-0").write_bytes(b"x")
    (tmp_path / "xgboost-model-1").write_bytes(b"x")
    names = [path.name for path in xgboost_model.candidates(str(tmp_path))]
    assert names == ["xgboost-model-0", "xgboost-model-1"]


def test_several_boosters_average_or_vote():
    one, two, three = np.float32([[0.5, 1], [0.25, 1], [0, 2]])
    np.testing.assert_array_equal(
        xgboost_model.joined([one, two, three], vote=False), np.float32([0.25, 4 / 3])
    )
    assert xgboost_model.joined([one, two, three], vote=True).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "it is empty"),
        ({"metrics.json": b"{}"}, "found metrics.json"),
        ({"model.joblib": b"nothing"}, "can't be loaded"),
        ({"a.joblib": b"", "b.pkl": b""}, "several models"),
    ],
)
def test_a_folder_without_a_model_says_what_is_in_it(files, words, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelLoadError, match=words):
        discovery.load_model(str(tmp_path), read(tmp_path))


def test_no_folder_and_no_estimator(tmp_path):
    with pytest.raises(ModelLoadError, match="no such folder"):
        discovery.load_model(str(tmp_path / "none"), read(tmp_path))
    joblib.dump({"a": 1}, tmp_path / "model.joblib")
    with pytest.raises(ModelLoadError, match="dict, which has no predict"):
        sklearn_model.load(tmp_path / "model.joblib")


def test_a_named_program_must_exist(tmp_path):
    assert discovery.program(read(tmp_path)) is None
    with pytest.raises(ModelLoadError, match=r"mine\.py"):
        discovery.program(read(tmp_path, SAGEMAKER_PROGRAM="mine.py"))
