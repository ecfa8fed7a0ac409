"""A request taken apart for an SDK: what is taken, what is refused; and where there is no SDK."""

import pytest

from sagedock import Estimator, Model, ScriptProcessor, Session, Transformer
from sagedock.errors import UsageError
from sagedock.launch.sdk.common import Members, SdkPlace, require, same_encoding

REQUEST = {
    "TrainingJobName": "job",
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    "InputDataConfig": [{"ChannelName": "train"}],
    "EnableNetworkIsolation": False,
    "Nothing": {},
}


def test_members_are_taken_by_their_paths():
    members = Members(REQUEST)
    assert members.take("ResourceConfig.InstanceType") == "ml.m5.large"
    assert members.take("ResourceConfig.InstanceType", "gone") == "gone"
    assert members.take("VpcConfig.Subnets") is None
    assert REQUEST["ResourceConfig"]["InstanceType"] == "ml.m5.large"


def test_a_table_gives_the_arguments_that_are_there():
    table = {"ResourceConfig.InstanceCount": "count", "EnableNetworkIsolation": "isolated",
             "VpcConfig.Subnets": "subnets"}  # fmt: skip
    assert Members(REQUEST).arguments(table) == {"count": 1, "isolated": False}


def test_what_is_left_is_refused_by_its_paths():
    members = Members(REQUEST)
    members.take("TrainingJobName")
    members.take("ResourceConfig.InstanceType")
    with pytest.raises(UsageError) as caught:
        members.refuse_rest("The SDK", {"InputDataConfig": "Give channels to fit.", "Vpc": "No."})
    assert caught.value.message == (
        "The SDK can't take ResourceConfig.InstanceCount, InputDataConfig[0].ChannelName, "
        "EnableNetworkIsolation of the request."
    )
    assert caught.value.hint == "Give channels to fit."


def test_empty_structures_are_nothing_that_is_left():
    members = Members({"VpcConfig": {}, "Tags": []})
    members.refuse_rest("The SDK", {})


@pytest.mark.parametrize(("wanted", "found"), [(2, "3.27.0"), (3, "2.257.7")])
def test_the_other_major_version_is_refused(wanted, found):
    with pytest.raises(UsageError) as caught:
        require(wanted, found=found)
    assert caught.value.message == (
        f"to_sdk_v{wanted}() needs SageMaker's Python SDK v{wanted}: installed is {found}."
    )
    assert f"pip install 'sagedock[sdk-v{wanted}]'" in caught.value.hint


def test_the_right_version_is_taken():
    require(2, found="2.257.7")


def test_without_an_sdk_the_extra_is_named(tmp_path):
    session = Session(data=tmp_path)
    facades = (
        Estimator("image", sagemaker_session=session),
        ScriptProcessor("image", ["python3"], sagemaker_session=session),
        Model("image", sagemaker_session=session),
        Transformer("model", sagemaker_session=session),
    )
    for facade in facades:
        for major, convert in ((2, facade.to_sdk_v2), (3, facade.to_sdk_v3)):
            with pytest.raises(UsageError) as caught:
                convert()
            assert caught.value.message == f"SageMaker's Python SDK v{major} is not installed."
            assert caught.value.hint == f"pip install 'sagedock[sdk-v{major}]'"
    session.close()


def test_hyperparameters_stay_as_given_where_both_write_them_alike():
    values = {"n": 50, "deep": True}
    assert same_encoding(values, {"n": "50", "deep": "true"}, str) == {"n": 50, "deep": "true"}


class Theirs:
    """An SDK's session, as far as a place asks it."""

    def default_bucket(self):
        return "sagemaker-us-east-1-1"


def test_names_stay_as_given_and_nothing_local_can_be_named(tmp_path):
    session = Session(data=tmp_path)
    place = SdkPlace(session, Theirs())
    assert place.output_uri(None) == "s3://sagemaker-us-east-1-1"
    assert place.output_uri("s3://b/models/") == "s3://b/models"
    assert place.input_uri("s3://unknown/data") == "s3://unknown/data"
    assert (place.role_arn("MyRole"), place.role_arn(None)) == ("MyRole", "")
    assert place.instance_type("local") == "ml.m5.large"
    for call in (place.output_uri, place.input_uri):
        with pytest.raises(UsageError, match="the SDK takes an s3:// URI here"):
            call(tmp_path)
    session.close()
