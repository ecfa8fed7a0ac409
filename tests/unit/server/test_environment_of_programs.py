"""What programs are told: nothing real stays in, and all of it can be put back."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ProfileNotFound

from sagedock.errors import UsageError
from sagedock.local.outer import SAVED, before, original, saved
from sagedock.local.settings import LocalSettings
from sagedock.server.running.environment import (
    BUNDLES,
    applied,
    default_bucket,
    no_proxy,
    program_environment,
    sdk_config,
)
from sagedock.server.running.shells import commands
from sagedock.server.running.state import State

STATE = State(pid=1, started="x", port=4566, proxy_port=8123, access_key="AKIAX" * 4,
              secret_key="secret", region="eu-west-1", account="000000000000")  # fmt: skip


@pytest.fixture
def home(tmp_path) -> Path:
    folder = tmp_path / "home" / ".aws"
    folder.mkdir(parents=True)
    (folder / "config").write_text(
        "[default]\nregion=us-west-2\n[profile prod]\nrole_arn = arn:real\nsource_profile = base\n"
        "[ profile  two words ]\n[sso-session s]\n# [profile no]\n[profile ci@corp]\nx=[y]\n"
    )
    (folder / "credentials").write_text("[base]\naws_access_key_id = AKIAREAL\n")
    return tmp_path / "home"


def changes(outside: dict[str, str], tmp_path: Path, home: Path, state: State = STATE):
    return program_environment(state, tmp_path / "data", outside, home=home)


def test_where_programs_go(tmp_path, home):
    found = changes({}, tmp_path, home)
    assert {name: found[name] for name in found if name.startswith("AWS_")
            and not name.endswith(("_FILE", "BUNDLE"))} == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ACCESS_KEY_ID": "AKIAX" * 4,
        "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        assert found[name] == "http://127.0.0.1:8123"
    assert found["NO_PROXY"] == found["no_proxy"] == "127.0.0.1,localhost,::1"


REAL = {
    "AWS_PROFILE": "prod", "AWS_DEFAULT_PROFILE": "prod", "AWS_SESSION_TOKEN": "t",
    "AWS_SECURITY_TOKEN": "t", "AWS_ROLE_ARN": "arn", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/", "AWS_ENDPOINT_URL_S3": "https://x",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true", "BOTO_CONFIG": "/b",
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": "s3://real/c.yaml", "AWS_NEVER_HEARD_OF": "x",
    "AWS_BEARER_TOKEN_BEDROCK": "x",
}  # fmt: skip


def test_nothing_real_stays(tmp_path, home):
    real = {
        **REAL,
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "a real secret",
        "AWS_SESSION_TOKEN": "prod-only",
    }
    inside = applied(changes(real, tmp_path, home), real)
    assert not REAL.keys() & inside.keys()
    text = str(inside) + str(saved(inside))
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        text += Path(inside[name]).read_text()
    for secret in ("AKIAREAL", "a real secret", "arn:real", "prod-only"):
        assert secret not in text


def test_what_is_no_secret_stays(tmp_path, home):
    kept = {"AWS_PAGER": "", "AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "2", "PATH": "/bin",
            "AWS_CLI_AUTO_PROMPT": "on", "HOME": "/h"}  # fmt: skip
    inside = applied(changes(kept, tmp_path, home), kept)
    assert {name: inside[name] for name in kept} == kept


def test_boto_finds_our_key_only(tmp_path, home):
    """Asked in a process of its own, with every real source in place."""
    outside = {**os.environ, **REAL, "HOME": str(home)}
    inside = applied(changes(outside, tmp_path, home), outside)
    program = (
        "import botocore.session as b\n"
        "for profile in (None, 'default', 'prod', 'base', 'ci@corp'):\n"
        "    s = b.Session(profile=profile); c = s.get_credentials()\n"
        "    print(c.access_key, c.secret_key, c.token, s.get_config_variable('region'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=inside, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [f"{'AKIAX' * 4} secret None eu-west-1"] * 5


def test_a_profile_that_is_not_there_is_not_there(tmp_path, home):
    found = changes({}, tmp_path, home)
    session = botocore.session.Session(profile="other")
    session.set_config_variable("config_file", found["AWS_CONFIG_FILE"])
    session.set_config_variable("credentials_file", found["AWS_SHARED_CREDENTIALS_FILE"])
    with pytest.raises(ProfileNotFound):
        session.get_scoped_config()


# proxies


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("corp.example, 10.0.0.0/8", "corp.example,10.0.0.0/8,"),
        (".amazonaws.com,corp", "corp,"),
        ("s3.amazonaws.com,.aws,*.api.aws,aws", ""),
        ("*", ""), ("com,.com,COM.", ""), ("cn eu", ""), ("*.COM,example.com", "example.com,"),
        ("169.254.169.254,169.254.0.0/16,10.1.1.1", "10.1.1.1,"),
        ("sts.amazonaws.com:443", ""), ("notamazonaws.com", "notamazonaws.com,"),
        ("localhost", "localhost,"), ("host:8080,[fd00::]/8", "host:8080,[fd00::]/8,"),
    ],
)  # fmt: skip
def test_exceptions_are_kept_but_for_aws(given, kept):
    rest = [name for name in ("127.0.0.1", "localhost", "::1") if f"{name}," not in kept]
    assert no_proxy({"NO_PROXY": given}) == kept + ",".join(rest)


def test_both_spellings_of_exceptions_count():
    assert no_proxy({"NO_PROXY": "a", "no_proxy": "b,a"}) == "b,a,127.0.0.1,localhost,::1"


# certificates


def pem_texts(data: bytes) -> list[bytes]:
    return re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", data, re.S)


def test_the_bundle_is_the_hosts_and_ours(tmp_path, home):
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    found = changes({"REQUESTS_CA_BUNDLE": str(system)}, tmp_path, home)
    (name,) = {found[variable] for variable in BUNDLES}
    ours = (tmp_path / "data" / "server" / "ca.pem").read_bytes()
    known = pem_texts(Path(name).read_bytes())
    assert known == [*dict.fromkeys(pem_texts(system.read_bytes())), *pem_texts(ours)]


def test_a_bundle_that_is_not_there(tmp_path, home):
    with pytest.raises(UsageError, match="AWS_CA_BUNDLE is '/no/such'"):
        changes({"AWS_CA_BUNDLE": "/no/such"}, tmp_path, home)


def test_another_shell_has_files_of_its_own(tmp_path, home):
    one = changes({}, tmp_path, home)
    two = changes({"AWS_CONFIG_FILE": "/dev/null"}, tmp_path, home)
    assert one["AWS_CONFIG_FILE"] != two["AWS_CONFIG_FILE"]
    assert Path(one["AWS_CONFIG_FILE"]).exists()
    assert changes({}, tmp_path, home) == one
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data" / "server").iterdir()
            if not path.name.startswith(".")} == {0o600}  # fmt: skip


# back again


OUTSIDE = {"AWS_PROFILE": "prod", "HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "corp",
           "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", "PATH": "/bin"}  # fmt: skip


def test_all_of_it_can_be_put_back(tmp_path, home):
    def changes(environment, tmp_path, home, state=STATE):
        folder = tmp_path / "data"
        return program_environment(state, folder, environment, home=home, restorable=True)

    inside = applied(changes(OUTSIDE, tmp_path, home), OUTSIDE)
    assert before(inside) == OUTSIDE
    assert saved(inside)["AWS_ENDPOINT_URL"] is None
    again = applied(changes(inside, tmp_path, home, replace(STATE, port=9)), inside)
    assert again["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert before(again) == OUTSIDE


def test_programs_of_ours_know_the_machines_own_settings(tmp_path, home):
    """Containers can't use a proxy at loopback; region and data folder are those of inside."""
    inside = applied(changes(OUTSIDE, tmp_path, home), OUTSIDE)
    found = LocalSettings.from_environment(inside)
    assert found.container_environment["HTTPS_PROXY"] == "http://proxy:3128"
    assert found.ca_bundle == Path(OUTSIDE["SSL_CERT_FILE"]).resolve()
    assert (found.region, found.data) == ("eu-west-1", tmp_path / "data")


@pytest.mark.parametrize("text", ["", "%%", "bm8=", "W10=", "e30"])
def test_what_is_no_saved_environment_changes_nothing(text):
    assert original({SAVED: text, "A": "b"}) == {"A": "b"}


# the SDKs' configuration


def test_the_sdks_configuration_is_of_its_schema():
    assert default_bucket(STATE) == "sagemaker-eu-west-1-000000000000"
    assert sdk_config(STATE).splitlines() == [
        "SchemaVersion: '1.0'", "SageMaker:", "  PythonSDK:", "    Modules:",
        "      TelemetryOptOut: true", "      Session:",
        "        DefaultS3Bucket: sagemaker-eu-west-1-000000000000",
    ]  # fmt: skip


# shells


@pytest.mark.parametrize("value", ["plain", "it's", 'a "b" $c `d` \\e', "two\nlines", "", "ü ✓"])
def test_a_shell_gets_what_was_meant(value):
    script = "\n".join(commands({"NAME": value, "GONE": None}, "sh"))
    done = subprocess.run(
        ["/bin/sh", "-euc", f'{script}\nprintf "%s|%s" "$NAME" "${{GONE-none}}"'],
        env={"GONE": "x", "PATH": "/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{value}|none"


def test_words_of_other_shells():
    told = {"A": "it's\\", "B": None}
    assert list(commands(told, "fish")) == ["set -gx A 'it\\'s\\\\';", "set -e B;"]
    assert list(commands(told, "powershell")) == [
        "$Env:A = 'it''s\\';", "Remove-Item -ErrorAction SilentlyContinue Env:B;"
    ]  # fmt: skip
