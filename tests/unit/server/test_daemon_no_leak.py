"""Nothing that a program says to AWS leaves this machine: the real command, real programs, and a
company's proxy that notes all that reaches it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from proxy_kit import Net, RealProxy, listening
from test_proxy_tunnels import web

SAGEDOCK = Path(sys.executable).with_name("sagedock")

PROGRAM = """
import json, socket, sys
asked, real = [], socket.getaddrinfo
def resolved(host, *more, **others):
    asked.append(str(host))
    return real(host, *more, **others)
socket.getaddrinfo = resolved

import botocore.session, requests, urllib.request
session = botocore.session.get_session()
found = {
    "sts": session.create_client("sts").get_caller_identity()["Account"],
    "spelled out": session.create_client(
        "sts", endpoint_url="https://sts.us-east-1.amazonaws.com").get_caller_identity()["Account"],
    "profile": botocore.session.Session(profile="prod").create_client("sts")
        .get_caller_identity()["Account"],
    "requests": requests.get("https://nobody.s3.us-east-1.amazonaws.com/x").status_code,
    "plain": requests.get("http://nobody.s3.amazonaws.com/x").status_code,
    "china": requests.get("https://s3.cn-north-1.amazonaws.com.cn/x/y").status_code,
    "other": requests.get("http://deb.org/").status_code,
}
try:
    found["urllib"] = urllib.request.urlopen("https://s3.amazonaws.com/nobody/x").status
except urllib.error.HTTPError as error:
    found["urllib"] = error.code
try:
    requests.get("http://169.254.169.254/latest/meta-data/iam/security-credentials/").raise_for_status()
except requests.HTTPError as error:
    found["metadata"] = error.response.status_code
print(json.dumps({"found": found, "asked": sorted(set(asked))}))
"""


@pytest.mark.parametrize("offline", [[], ["--offline"]])
def test_nothing_of_aws_leaves_this_machine(tmp_path, offline):
    home = tmp_path / "home"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIAREAL\naws_secret_access_key = real\n"
        "[prod]\naws_access_key_id = AKIAREAL\naws_secret_access_key = real\n"
    )
    (tmp_path / "program.py").write_text(PROGRAM)
    with listening(web) as site:
        real = RealProxy(Net(deb_org=site))
        with listening(real) as company:
            proxy = f"http://me:word@127.0.0.1:{company}"
            here = {key: text for key, text in os.environ.items() if "proxy" not in key.lower()}
            environment = {
                **here, "HOME": str(home), "SAGEDOCK_DATA": str(tmp_path / "data"),
                "DOCKER_HOST": "unix:///nonexistent.sock",
                "HTTPS_PROXY": proxy, "http_proxy": proxy,
                "NO_PROXY": "corp,.amazonaws.com,com,169.254.169.254", "AWS_PROFILE": "prod",
                "AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real",
                "AWS_SESSION_TOKEN": "real", "AWS_ENDPOINT_URL_STS": "https://sts.amazonaws.com",
            }  # fmt: skip
            done = subprocess.run(
                [SAGEDOCK, "run", *offline, "--", sys.executable, str(tmp_path / "program.py")],
                env=environment, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    ours = "000000000000"
    assert told["found"] == {
        "sts": ours, "spelled out": ours, "profile": ours, "requests": 404, "plain": 404,
        "china": 404, "urllib": 404, "metadata": 403, "other": 403 if offline else 200,
    }  # fmt: skip
    assert told["asked"] == ["127.0.0.1"]
    lines = [] if offline else [b"GET http://deb.org/ HTTP/1.1"]
    assert real.lines == lines
    assert all(b"Proxy-Authorization: Basic bWU6d29yZA==" in raw for raw in real.raw)
