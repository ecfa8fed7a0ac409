"""H1's rules: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import pytest

from sagedock.errors import TrainingError
from sagedock.runtime.algorithm import hyperparameters
from sagedock.runtime.algorithm.hyperparameter_table import ALIASES, OBJECTIVES, TABLE

BASE = {"num_round": "10"}


def read(**values: str):
    return hyperparameters.read({**BASE, **values})


def refusal(**values: str) -> str:
    with pytest.raises(TrainingError) as caught:
        read(**values)
    return str(caught.value)


def test_churn_hyperparameters_of_the_old_notebook():
    settings = read(
        max_depth="5",
        subsample="0.8",
        num_round="600",
        eta="0.2",
        gamma="4",
        min_child_weight="6",
        silent="0",
        objective="binary:logistic",
    )
    assert settings.num_round == 600
    assert settings.params == {
        "max_depth": 5,
        "subsample": 0.8,
        "eta": 0.2,
        "gamma": 4.0,
        "min_child_weight": 6.0,
        "objective": "binary:logistic",
    }
    assert len(settings.warnings) == 1
    assert "silent" in settings.warnings[0]


def test_quoted_values_are_taken_without_quotes_and_told():
    settings = hyperparameters.read({"num_round": '"7"', "objective": '"binary:logistic"'})
    assert settings.num_round == 7
    assert settings.objective == "binary:logistic"
    assert "num_round, objective" in settings.warnings[0]


def test_json_numbers_are_read_like_text():
    assert hyperparameters.read({"num_round": 7, "eta": 0.5}).params["eta"] == 0.5


def test_names_of_toolkits_and_tuner_pass():
    settings = read(
        sagemaker_region="x",
        sagemaker_job_name='"y"',
        _tuning_objective_metric="validation:auc",
        objective="binary:logistic",
    )
    assert set(settings.params) == {"objective"}
    assert settings.watched == "auc"
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("num_round", "0", "'num_round' is '0': expected a whole number from 1."),
        ("num_round", "1.5", "expected a whole number from 1"),
        ("eta", "1.5", "'eta' is '1.5': expected a number in [0, 1]."),
        ("eta", "x", "'eta' is 'x': expected a number in [0, 1]."),
        ("eta", "nan", "expected a number in [0, 1]"),
        ("gamma", "-1", "expected a number from 0"),
        ("gamma", "inf", "expected a number from 0"),
        ("max_depth", "-1", "expected a whole number from 0"),
        ("subsample", "0", "expected a number in (0, 1]"),
        ("subsample", "1.01", "expected a number in (0, 1]"),
        ("scale_pos_weight", "0", "expected a number above 0"),
        ("seed", "2147483647", "expected a whole number in (-2147483648, 2147483647)"),
        ("sketch_eps", "1", "expected a number in (0, 1)"),
        ("tweedie_variance_power", "2", "expected a number in (1, 2)"),
        ("verbosity", "4", "expected a whole number in [0, 3]"),
        ("csv_weights", "2", "expected a whole number in [0, 1]"),
        ("objective", "binary:logitic", "Did you mean 'binary:logistic'?"),
        ("booster", "tree", "expected one of gbtree, gblinear, dart"),
        ("tree_method", "gpu_hist", "there is no GPU in this image.\nUse tree_method=hist."),
        ("predictor", "gpu_predictor", "there is no GPU"),
        ("objective", "aft_loss_distribution", "Use objective=survival:aft"),
        ("max_bin", "1", "at least 2 bins"),
        ("monotone_constraints", "(1,2)", "a tuple of -1, 0 and 1"),
        ("monotone_constraints", "(1,0)", "it needs tree_method to be one of exact, hist"),
        ("interaction_constraints", "[1,2]", "a list of lists of whole numbers from 1"),
        ("interaction_constraints", "[[0,1]]", "a list of lists of whole numbers from 1"),
        ("interaction_constraints", "[[1,2]]", "one of exact, hist, approx"),
        ("updater", "grow_colmaker,grow_histmaker", "at most one of grow_colmaker"),
        ("updater", "shotgun", "'shotgun' is not an updater of trees"),
        ("updater", "grow_skmaker", "XGBoost 3 no longer has 'grow_skmaker'"),
        ("eval_metric", "eror", "Did you mean 'error'?"),
        ("eval_metric", "auc", "for objectives binary:*, rank:*"),
        ("eval_metric", "aft-nloglik", "for objectives survival:aft"),
        ("eval_metric", "rmse@1", "only error, ndcg, map take a number after '@'"),
        ("eval_metric", "error@x", "expected a number after 'error@'"),
        ("eval_metric", "accuracy", "for objectives binary:*, multi:*"),
        ("_tuning_objective_metric", "train:auc", "expected 'validation:' and a metric"),
        ("_tuning_objective_metric", "validation:x", "expected 'validation:' and a metric"),
        ("_kfold", "5", "does not support it yet"),
        ("_num_cv_round", "2", "does not support it yet"),
        ("save_model_on_termination", "true", "does not support it yet"),
        ("use_dask_gpu_training", "true", "does not support it yet"),
        ("num_class", "3", "is for multi:softmax and multi:softprob"),
        ("silent", "2", "expected 0 or 1"),
    ],
)
def test_refused(name: str, text: str, expected: str):
    message = refusal(**{name: text})
    assert expected in message
    assert name in message


def test_num_round_is_required():
    with pytest.raises(TrainingError, match="Required hyperparameter 'num_round' is missing"):
        hyperparameters.read({})


@pytest.mark.parametrize(
    ("name", "meant"), [("num_rounds", "num_round"), ("max_dept", "max_depth"), ("et", "eta")]
)
def test_unknown_names_get_a_suggestion(name: str, meant: str):
    assert refusal(**{name: "1"}) == (
        f"Unknown hyperparameter '{name}' (value '1').\nDid you mean '{meant}'?"
    )


def test_unknown_name_like_no_other_gets_the_list():
    assert "Known: _kfold, _num_cv_round" in refusal(zzzzzzzzzz="1")


def test_aliases_are_translated_and_refused_twice():
    assert read(learning_rate="0.3", reg_lambda="2").params == {
        "eta": 0.3,
        "lambda": 2.0,
        "objective": "reg:squarederror",
    }
    assert "given twice" in refusal(eta="0.1", learning_rate="0.1")
    assert set(ALIASES.values()) <= set(TABLE)


def test_multi_needs_num_class():
    assert "'num_class' is missing: objective=multi:softmax" in refusal(objective="multi:softmax")
    assert read(objective="multi:softprob", num_class="3").num_class == 3


def test_base_score_of_logistic_objectives_is_a_probability():
    assert "expects a number in (0, 1)" in refusal(objective="binary:logistic", base_score="1")
    assert read(objective="reg:squarederror", base_score="7").params["base_score"] == 7.0


def test_linear_and_update_updaters():
    assert read(booster="gblinear", updater="shotgun").params["updater"] == "shotgun"
    assert "exactly one of shotgun" in refusal(booster="gblinear", updater="shotgun,coord_descent")
    assert read(process_type="update", updater="refresh,prune").params["updater"] == "refresh,prune"
    assert "only refresh and prune" in refusal(process_type="update", updater="grow_colmaker")


def test_constraints_pass_with_their_tree_method():
    settings = read(
        tree_method="hist", monotone_constraints="( 1, 0,-1)", interaction_constraints="[[1,2],[3]]"
    )
    assert settings.params["monotone_constraints"] == "(1,0,-1)"
    assert settings.params["interaction_constraints"] == "[[1, 2], [3]]"


def test_idle_values_of_later_features_pass():
    settings = read(save_model_on_termination="false", use_dask_gpu_training="false")
    assert set(settings.params) == {"objective"}


def test_reg_linear_is_mapped_and_told():
    settings = read(objective="reg:linear")
    assert settings.params["objective"] == "reg:squarederror"
    assert "renamed" in settings.warnings[0]


def test_what_xgboost_lost_is_accepted_told_and_not_passed_on():
    settings = read(predictor="cpu_predictor", sketch_eps="0.1", dsplit="row")
    assert set(settings.params) == {"objective"}
    assert "dsplit, predictor, sketch_eps: no effect" in settings.warnings[0]


def test_silent_becomes_verbosity():
    assert read(silent="1").params["verbosity"] == 0
    assert read(silent="1", verbosity="2").params["verbosity"] == 2
    assert "verbosity" not in read(silent="0").params


def test_default_metric_of_binary_logistic_is_error_and_others_are_left_to_xgboost():
    settings = read(objective="binary:logistic")
    assert settings.metrics == ("error",)
    assert settings.watched == "error"
    assert read().metrics is None
    assert read().watched is None


def test_tuning_metric_comes_last_so_that_its_regular_expression_finds_a_number():
    settings = read(objective="binary:logistic", _tuning_objective_metric="validation:logloss")
    assert settings.metrics == ("error", "logloss")
    assert settings.watched == "logloss"


def test_named_metrics_replace_the_default_and_the_last_is_watched():
    settings = read(objective="binary:logistic", eval_metric="auc, error@0.4,auc")
    assert settings.metrics == ("auc", "error@0.4")
    assert settings.watched == "error@0.4"


def test_tuning_metric_is_evaluated_and_watched():
    settings = read(
        objective="binary:logistic", eval_metric="error", _tuning_objective_metric="validation:f1"
    )
    assert settings.metrics == ("error", "f1")
    assert settings.watched == "f1"


@pytest.mark.parametrize("objective", sorted(set(OBJECTIVES) - {"aft_loss_distribution"}))
def test_every_objective_is_accepted(objective: str):
    extra = {"num_class": "3"} if objective.startswith("multi:") else {}
    assert read(objective=objective, **extra).num_round == 10
