"""A server on a data folder: ports, record, lock, and what is left when it ends."""

import http.client
import json
import socket
import sys
import threading

import botocore.session
import pytest
from botocore.config import Config

from sagedock.errors import OutputError, ResourceInUseError
from sagedock.local.process import Owner
from sagedock.local.settings import LocalSettings
from sagedock.server.messages import Response
from sagedock.server.running import daemon
from sagedock.server.running.daemon import Plan, Server, answers, spawn, stop
from sagedock.server.running.ports import holder
from sagedock.server.running.state import FILE, State, credentials_of, running


class Small:
    """An application that says its name and for whom it was made."""

    def __init__(self, settings, credentials, container_endpoint):
        self.credentials, self.container_endpoint = credentials, container_endpoint
        self.closed = 0

    def __call__(self, request, /):
        return Response(body=f"{request.host}{request.path}".encode())

    def close(self):
        self.closed += 1


@pytest.fixture
def made():
    return []


@pytest.fixture
def start(tmp_path, made):
    """`start(Plan(...))` on one data folder; all are closed at the end."""
    servers = []

    def application(*given):
        made.append(Small(*given))
        return made[-1]

    def begin(**plan) -> State:
        servers.append(Server(LocalSettings(data=tmp_path), Plan(port=0, **plan), application))
        return servers[-1].start()

    begin.servers = servers
    yield begin
    for server in servers:
        server.close()


def fetched(state: State, host: str = "127.0.0.1", name: str = "localhost") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, state.port, timeout=5)
    try:
        connection.request("GET", "/x", headers={"Host": name})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_server_answers_and_is_known_until_it_is_closed(tmp_path, start, made):
    state = start()
    assert fetched(state) == (200, b"localhost/x")
    assert fetched(state, name="evil.example")[0] == 403
    assert running(tmp_path) == state
    assert state.owner == Owner.me()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert (state.access_key[:4], len(state.access_key)) == ("AKIA", 20)
    start.servers[0].close()
    assert made[0].closed == 1
    assert running(tmp_path) is None
    assert not (tmp_path / FILE).exists()
    for port in (state.port, state.proxy_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 2)


def test_the_key_is_the_data_folders_own(tmp_path, start, made):
    first = start()
    start.servers[0].close()
    second = start()
    assert (first.access_key, first.secret_key) == (second.access_key, second.secret_key)
    assert made[0].credentials == credentials_of(tmp_path)
    assert credentials_of(tmp_path / "other") != credentials_of(tmp_path)
    assert (tmp_path / "server" / "credentials.json").stat().st_mode & 0o777 == 0o600


def test_one_known_server_and_any_number_of_others(tmp_path, start):
    known = start()
    with pytest.raises(ResourceInUseError, match=f"already at {known.endpoint}"):
        start()
    others = [start(known=False) for _ in range(3)]
    assert len({state.port for state in (known, *others)}) == 4
    assert running(tmp_path) == known
    for server in start.servers[2:]:
        server.close()
    assert running(tmp_path) == known
    assert fetched(known)[0] == 200


def test_containers_come_to_the_bridge(start, made):
    state = start(bridge="127.0.0.2")
    assert state.addresses == ("127.0.0.2",)
    assert fetched(state, "127.0.0.2", "host.docker.internal")[0] == 200
    assert made[0].container_endpoint == f"http://host.docker.internal:{state.port}"


def test_a_bridge_in_another_machine_is_not_listened_at(start, made):
    """As with Docker Desktop: containers' requests come to this machine's loopback."""
    state = start(bridge="203.0.113.7")
    assert state.addresses == ()
    assert made[0].container_endpoint == f"http://host.docker.internal:{state.port}"


def test_without_an_engine_nobody_is_told_of_containers(start, made):
    assert start().addresses == ()
    assert made[0].container_endpoint is None


@pytest.mark.parametrize("host", ["127.0.0.3", "0.0.0.0"])
def test_beyond_loopback_every_request_has_to_be_signed(start, host):
    state = start(hosts=(host,), secret="a secret of some length")
    assert state.wide
    address = "127.0.0.1" if host == "0.0.0.0" else host
    assert fetched(state, address)[0] == 403
    assert fetched(state, "127.0.0.1")[0] == 403
    assert answers(state)
    client = botocore.session.Session().create_client(
        "s3", "us-east-1", endpoint_url=f"http://{address}:{state.port}",
        aws_access_key_id=state.access_key, aws_secret_access_key="a secret of some length",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    assert client.get_object(Bucket="buck", Key="k")["Body"].read().endswith(b"/buck/k")


def test_a_port_that_is_taken_leaves_nothing_behind(tmp_path, made):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Server(LocalSettings(data=tmp_path), Plan(port=port), Small)
        with pytest.raises(ResourceInUseError, match=f"Port {port} of 127.0.0.1 is taken") as told:
            server.start()
    assert f"--port {port + 1}" in told.value.hint
    assert running(tmp_path) is None
    server = Server(LocalSettings(data=tmp_path), Plan(port=port), Small)
    assert server.start().port == port
    server.close()


def test_an_application_that_cannot_be_made_leaves_nothing_behind(tmp_path):
    def broken(*_):
        raise OutputError("no disk")

    server = Server(LocalSettings(data=tmp_path), Plan(port=0), broken)
    with pytest.raises(OutputError, match="no disk"):
        server.start()
    again = Server(LocalSettings(data=tmp_path), Plan(port=0), Small)
    again.start()
    again.close()


def test_an_address_that_is_not_ours(tmp_path):
    plan = Plan(port=0, hosts=("203.0.113.7",), secret="x" * 20)
    with pytest.raises(OutputError, match=r"Nothing can listen at 203\.0\.113\.7"):
        Server(LocalSettings(data=tmp_path), plan, Small).start()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"pid": 1}', '{"addresses": 5}', "\x00", '{"addresses": []}']
)
def test_a_record_that_is_none(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert running(tmp_path) is None


def test_who_holds_a_port():
    with socket.create_server(("127.0.0.1", 0)) as mine:
        port = mine.getsockname()[1]
        assert f"(pid {Owner.me().pid})" in (holder(port) or "")
    assert holder(port) is None


def test_many_at_once(start):
    state = start()
    found = []

    def ask():
        found.extend(fetched(state)[0] for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [200] * 200


# in the background

PROGRAM = """
import signal, sys, time
from pathlib import Path
from sagedock.local.settings import LocalSettings
from sagedock.server.running.daemon import Plan, Server
from sagedock.server.messages import Response
class Small:
    def __init__(self, *_): pass
    def __call__(self, request, /): return Response(body=b"{}")
    def close(self): pass
Server(LocalSettings(data=Path(sys.argv[1])), Plan(port=0), Small).start()
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    time.sleep(1)
"""


def spawned(tmp_path, manner: str = "") -> State:
    return spawn([sys.executable, "-c", PROGRAM, str(tmp_path), manner], tmp_path, {})


def test_a_server_in_the_background_is_ended_by_pid_and_start_time(tmp_path):
    state = spawned(tmp_path)
    assert running(tmp_path) == state
    stranger = State(**{**vars(state), "started": "another time"})
    assert stop(stranger)  # it is gone already, as far as its start time says
    assert state.owner.is_alive()
    assert stop(state)
    assert not state.owner.is_alive()


def test_one_that_does_not_listen_is_killed(tmp_path):
    state = spawned(tmp_path, "deaf")
    assert stop(state, seconds=0.5) is False
    assert not state.owner.is_alive()


def test_one_that_ends_at_once_says_why(tmp_path):
    program = "import sys; sys.exit('error: it is so\\nhint: do this')"
    with pytest.raises(ResourceInUseError, match="it is so") as told:
        spawn([sys.executable, "-c", program], tmp_path, {})
    assert told.value.hint == "do this"
    with pytest.raises(ResourceInUseError, match="ended without a word"):
        spawn([sys.executable, "-c", "exit(3)"], tmp_path, {})


def test_nobody_answers_for_a_server_that_is_gone(tmp_path):
    state = spawned(tmp_path)
    assert daemon.answers(state)
    stop(state)
    assert not daemon.answers(state)
    assert json.loads((tmp_path / FILE).read_text())["pid"] == state.pid  # it was not let clean up
    assert running(tmp_path) is None
