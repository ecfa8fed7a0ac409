"""Settings of the machine from its environment; bad values are told by the variable's name."""

from pathlib import Path

import pytest

from sagedock.errors import UsageError
from sagedock.local.settings import CA_TARGET, LocalSettings


def settings(**environment: str) -> LocalSettings:
    return LocalSettings.from_environment({"SAGEDOCK_DATA": "/data", **environment})


def test_a_bare_machine():
    made = settings()
    assert made == LocalSettings(data=Path("/data"))
    assert made.machine_environment() == {}


def test_the_data_folder():
    assert settings(SAGEDOCK_DATA="~/x").data == Path.home() / "x"
    assert settings(SAGEDOCK_DATA="x").data == Path.cwd() / "x"
    made = LocalSettings.from_environment({"XDG_DATA_HOME": "/xdg"})
    assert made.data.name == "sagedock"
    assert LocalSettings.from_environment({}, data=Path("/given")).data == Path("/given")
    assert LocalSettings.from_environment({}).data.is_absolute()


def test_region_and_account():
    assert settings(AWS_DEFAULT_REGION="eu-west-1").region == "eu-west-1"
    assert settings(AWS_DEFAULT_REGION="eu-west-1", AWS_REGION="us-west-2").region == "us-west-2"
    assert settings(SAGEDOCK_ACCOUNT="123456789012").account == "123456789012"


@pytest.mark.parametrize(
    ("text", "size"),
    [("1024", 1024), ("64k", 64 << 10), ("512m", 512 << 20), ("512MB", 512 << 20), ("8g", 8 << 30),
     (" 1 g ", 1 << 30), ("", None)],
)  # fmt: skip
def test_sizes(text, size):
    assert settings(SAGEDOCK_SHM_SIZE=text).shm_bytes == size


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAGEDOCK_ACCOUNT", "12345"),
        ("SAGEDOCK_ACCOUNT", "12345678901x"),
        ("SAGEDOCK_SHM_SIZE", "much"),
        ("SAGEDOCK_SHM_SIZE", "-1m"),
        ("SAGEDOCK_SHM_SIZE", "1.5g"),
        ("SAGEDOCK_STOP_GRACE", "soon"),
        ("SAGEDOCK_STOP_GRACE", "-1"),
        ("SAGEDOCK_CA_BUNDLE", "/no/such/file"),
        ("SSL_CERT_FILE", "/"),
    ],
)
def test_bad_values_name_variable_and_value(name, value):
    with pytest.raises(UsageError) as caught:
        settings(**{name: value})
    assert f"{name} is {value!r}" in caught.value.message


def test_what_containers_need_to_reach_an_index(tmp_path):
    (tmp_path / "ca.crt").write_text("x")
    made = settings(
        SSL_CERT_FILE=str(tmp_path / "ca.crt"), PIP_INDEX_URL="http://i", HTTPS_PROXY="http://p",
        no_proxy="", SECRET="s",
    )  # fmt: skip
    assert made.ca_bundle == tmp_path / "ca.crt"
    assert made.container_environment == {"PIP_INDEX_URL": "http://i", "HTTPS_PROXY": "http://p"}
    environment = made.machine_environment()
    assert environment["SSL_CERT_FILE"] == environment["PIP_CERT"] == CA_TARGET
    assert str(tmp_path) not in str(environment)


def test_our_own_bundle_comes_first(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("x")
    made = settings(SSL_CERT_FILE=str(tmp_path / "a"), SAGEDOCK_CA_BUNDLE=str(tmp_path / "b"))
    assert made.ca_bundle == tmp_path / "b"


def test_settings_go_to_another_process_whole(tmp_path):
    made = LocalSettings(
        data=tmp_path, region="eu-west-1", account="123456789012", ca_bundle=tmp_path / "ca",
        container_environment={"A": "ü"}, shm_bytes=7, stop_grace=1.5,
    )  # fmt: skip
    assert LocalSettings.from_json(made.to_json()) == made
    assert LocalSettings.from_json(LocalSettings(data=tmp_path).to_json()).ca_bundle is None
