"""Which image runs where a request names one of AWS's own."""

from pathlib import Path

import pytest

from sagedock.errors import UsageError
from sagedock.local.image_names import Use, here, note
from sagedock.local.settings import LocalSettings

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"


def settings(text: str = "", **more: str) -> LocalSettings:
    return LocalSettings.from_environment({"SAGEDOCK_IMAGES": text, **more}, data=Path("data"))


@pytest.mark.parametrize("image", [XGBOOST, SKLEARN, XGBOOST.replace(":1.7-1", "@sha256:00")])
@pytest.mark.parametrize("use", Use)
def test_aws_own_images_run_as_ours_and_it_is_said(image, use):
    assert here(image, use, settings()) == f"sagedock/{use}"
    (text,) = note(image, use, settings())
    assert image in text
    assert f"sagedock/{use} runs in its place" in text


@pytest.mark.parametrize(
    "image",
    [
        "sagedock/training",
        "sagemaker-xgboost:1.7-1",
        "000000000000.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/my-sagemaker-xgboost:1",
        "683313688378.dkr.ecr.us-east-1.amazonaws.com.example.org/sagemaker-xgboost:1",
    ],
)
def test_any_other_image_is_itself(image):
    assert here(image, Use.TRAINING, settings()) == image
    assert note(image, Use.TRAINING, settings()) == ()


def test_what_runs_in_their_place_can_be_chosen():
    chosen = settings("sagemaker-xgboost=my/xgb:1, sagemaker-xgboost/serving=my/server:2")
    assert here(XGBOOST, Use.TRAINING, chosen) == "my/xgb:1"
    assert here(XGBOOST, Use.SERVING, chosen) == "my/server:2"
    assert here(SKLEARN, Use.SERVING, chosen) == "sagedock/serving"
    pulled = settings("sagemaker-xgboost=")
    assert here(XGBOOST, Use.TRAINING, pulled) == XGBOOST
    assert note(XGBOOST, Use.TRAINING, pulled) == ()
    assert LocalSettings.from_json(chosen.to_json()).images == chosen.images


def test_the_callers_own_account_is_left_alone():
    own = settings(SAGEDOCK_ACCOUNT="683313688378")
    assert here(XGBOOST, Use.TRAINING, own) == XGBOOST


@pytest.mark.parametrize("text", ["my/xgb:1", "=x", "a=b,c"])
def test_a_setting_that_says_nothing_is_refused(text):
    with pytest.raises(UsageError, match="SAGEDOCK_IMAGES"):
        settings(text)
