"""`sagedock doctor` as people call it, on a machine without an engine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("sagedock"))


def findings(done):
    """Check to finding of a call with --json."""
    document = json.loads(done.stdout)
    assert document["ok"] == (done.returncode == 0)
    return {item["check"]: item for item in document["findings"]}


def test_every_failure_has_its_remedy_and_the_exit_code_says_so(sagedock):
    done = sagedock("doctor")
    assert done.returncode == 1
    assert "failure  engine " in done.stdout
    assert " -> Start Docker" in done.stdout
    assert "checks: " in done.stderr
    found = findings(sagedock("doctor", "--json"))
    assert all(item["remedy"] for item in found.values() if item["level"] != "ok")


def test_a_broken_configuration_is_a_finding(sagedock, work):
    (work / ".git").mkdir()
    file = work / "sagedock.toml"
    file.write_text("regoin = 'x'")
    found = findings(sagedock("doctor", "--json"))["configuration"]
    assert found["level"] == "failure"
    assert f"{file}: regoin is unknown" in found["found"]
    file.write_text("[train]\nimge = 'x'")
    found = findings(sagedock("doctor", "--json"))["configuration"]
    assert "train.imge is unknown" in found["found"]
    file.write_text("[doctor]\nrole = 3")
    found = findings(sagedock("doctor", "--json"))["configuration"]
    assert "doctor.role is 3: expected a text" in found["found"]
    file.write_text("region = 'eu-west-1'")
    (work / "pyproject.toml").write_text("[tool.sagedock]\n")
    found = findings(sagedock("doctor", "--json"))["configuration"]
    assert found["level"] == "warning"


def test_a_broken_bundle_of_certificates_is_a_finding(sagedock, work):
    bundle = work / "bundle.pem"
    bundle.write_text("nothing of the kind")
    for name in ("SAGEDOCK_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        done = sagedock("doctor", env={name: str(bundle)})
        assert f"{bundle} ({name}): no certificates in it" in done.stdout
    gone = sagedock("doctor", env={"SAGEDOCK_CA_BUNDLE": str(work / "gone.pem")})
    assert "(SAGEDOCK_CA_BUNDLE): No such file" in gone.stdout


def test_a_proxy_that_is_not_there_is_a_finding(sagedock):
    proxy = {"HTTPS_PROXY": "http://me:hunter2@127.0.0.1:1", "NO_PROXY": ""}
    done = sagedock("doctor", env=proxy)
    assert "HTTPS_PROXY=http://********@127.0.0.1:1: it takes no connections" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_options_of_the_account_need_aws(sagedock):
    done = sagedock("doctor", "--bucket", "x")
    assert (done.returncode, "--bucket needs --aws" in done.stderr) == (2, True)


@pytest.mark.timeout(120)
def test_an_account_as_it_is_on_this_machine(data, work):
    (work / ".git").mkdir()
    (work / "sagedock.toml").write_text(
        "region = 'eu-west-1'\nrole = 'Jobs'\nbucket = 'nothing-here'\n"
        "[train]\ninstance-type = 'ml.m5.xlarge'\n"
    )
    done = subprocess.run(
        [PROGRAM, "--data", data, "run", "--", PROGRAM, "doctor", "--aws", "--json"],
        cwd=work, env={**os.environ, "DOCKER_HOST": "unix:///nonexistent.sock"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = findings(done)
    expected = {
        "credentials": "ok", "region": "ok", "clock": "ok", "role's trust": "ok",
        "role's permissions": "ok", "bucket": "failure", "ECR": "ok", "quotas": "warning",
    }  # fmt: skip
    assert {name: found[name]["level"] for name in expected} == expected
    assert "aws s3 mb s3://nothing-here --region eu-west-1" in found["bucket"]["remedy"]
