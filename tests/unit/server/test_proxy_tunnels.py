"""What is not for AWS goes where it was meant to go: unread, through the company's proxy, or not
at all."""

import base64
import socket
import ssl
import threading
import time

import pytest
import requests
from proxy_kit import (
    Net,
    RealProxy,
    Remembering,
    all_of,
    ask,
    echo,
    listening,
    proxying,
    trusting,
    tunnelled,
)

from sagedock.server.proxy.heads import receive
from sagedock.server.proxy.proxy import CONNECTIONS
from sagedock.server.proxy.upstream import Address, Upstream


@pytest.fixture
def service() -> Remembering:
    return Remembering()


def web(connection: socket.socket) -> None:
    """Answers one request with its own head and body."""
    raw = receive(connection)
    size = next((int(line.partition(b":")[2]) for line in raw.lower().splitlines()
                 if line.startswith(b"content-length:")), 0)  # fmt: skip
    body = b""
    while len(body) < size:
        body += connection.recv(1 << 16)
    if b"chunked" in raw:
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(1 << 16)
    connection.settimeout(0.2)
    try:
        more = connection.recv(100)
    except TimeoutError:
        more = b""
    text = raw + body + b"|" + more
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))


# tunnels


@pytest.mark.parametrize("size", [1000, 3_000_000, 50_000_000])
def test_what_is_sent_comes_back_whole(tmp_path, service, size):
    data = b"x" + bytes(range(250)) * (size // 250)
    with listening(echo) as place, proxying(service, tmp_path, dial=Net(pypi_org=place)) as port:
        tunnel = tunnelled(port, "pypi.org")
        sender = threading.Thread(target=lambda: (tunnel.sendall(data),
                                                  tunnel.shutdown(socket.SHUT_WR)))  # fmt: skip
        sender.start()
        begun = time.monotonic()
        found = all_of(tunnel)
        sender.join()
    print(f"{size / 1e6 / (time.monotonic() - begun):.0f} MB/s each way")
    assert found == data


def test_a_side_that_has_sent_its_last_still_gets_its_answer(tmp_path, service):
    def last_word(connection):
        data = b""
        while part := connection.recv(100):
            data += part
        connection.sendall(b"got " + data)

    with listening(last_word) as place, proxying(service, tmp_path, dial=Net(h=place)) as port:
        tunnel = tunnelled(port, "h")
        tunnel.sendall(b"question")
        tunnel.shutdown(socket.SHUT_WR)
        assert all_of(tunnel) == b"got question"


def test_a_server_may_speak_first_and_end_first(tmp_path, service):
    def greeting(connection):
        connection.sendall(b"220 hello")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b"bye"

    with listening(greeting) as place, proxying(service, tmp_path, dial=Net(h=place)) as port:
        tunnel = tunnelled(port, "h", 25)
        assert tunnel.recv(100) == b"220 hello"
        assert tunnel.recv(100) == b""
        tunnel.sendall(b"bye")
        tunnel.close()


@pytest.mark.parametrize("speaks", [True, False])
def test_an_idle_tunnel_ends(tmp_path, service, speaks):
    net = Net()
    with listening(lambda c: time.sleep(2)) as place:
        net.places["h"] = place
        with proxying(service, tmp_path, dial=net, idle=0.3) as port:
            tunnel = tunnelled(port, "h")
            if speaks:
                tunnel.sendall(b"x")
            begun = time.monotonic()
            assert all_of(tunnel) == b""
            assert time.monotonic() - begun < 1.5


def test_an_idle_client_is_let_go(tmp_path, service):
    with proxying(service, tmp_path, dial=Net(), idle=0.2) as port:
        assert all_of(ask(port, "CONNECT pypi.org:443 HTT")) == b""


def test_two_hundred_tunnels_at_once(tmp_path, service):
    with listening(echo) as place, proxying(service, tmp_path, dial=Net(h=place)) as port:
        tunnels = [tunnelled(port, "h") for _ in range(200)]
        for number, tunnel in enumerate(tunnels):
            tunnel.sendall(b"number %d" % number)
        for number, tunnel in enumerate(tunnels):
            assert tunnel.recv(100) == b"number %d" % number
        for tunnel in tunnels:
            tunnel.close()


def test_more_than_there_is_room_for_are_turned_away_and_room_comes_back(tmp_path, service):
    assert CONNECTIONS > 200
    with proxying(service, tmp_path, dial=Net(), connections=20) as port:
        held = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(20)]
        try:
            assert b" 503 " in all_of(ask(port, ""))
        finally:
            for connection in held:
                connection.close()
        deadline = time.monotonic() + 10
        answer = b" 503 "
        while b" 503 " in answer and time.monotonic() < deadline:
            time.sleep(0.05)
            answer = all_of(ask(port, "nonsense\r\n\r\n"))
        assert b" 400 " in answer


def test_both_may_send_before_they_read(tmp_path, service):
    """More than all buffers between them hold; a proxy that did one thing after another would
    stand still."""
    size, arrived = 20_000_000, []

    def talkative(connection):
        sender = threading.Thread(target=connection.sendall, args=(b"s" * size,))
        sender.start()
        time.sleep(0.5)
        arrived.append(len(b"".join(iter(lambda: connection.recv(1 << 16), b""))))
        sender.join()

    with listening(talkative) as place, proxying(service, tmp_path, dial=Net(h=place)) as port:
        tunnel = tunnelled(port, "h", 25)
        sender = threading.Thread(target=lambda: (tunnel.sendall(b"c" * size),
                                                  tunnel.shutdown(socket.SHUT_WR)))  # fmt: skip
        sender.start()
        time.sleep(0.5)
        assert len(all_of(tunnel)) == size
        sender.join()
    assert arrived == [size]


# the name in TLS


def test_a_client_that_resolves_names_by_itself_is_answered_here_too(tmp_path, service):
    reached = []
    with listening(lambda c: reached.append(c.recv(100))) as place:
        net = Net(**{"52_1_2_3": place})
        with proxying(service, tmp_path, dial=net) as port:
            tunnel = tunnelled(port, "52.1.2.3")
            inner = trusting(tmp_path).wrap_socket(tunnel, server_hostname="sts.amazonaws.com")
            inner.sendall(b"GET /who HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\r\n")
            assert b" 200 " in inner.recv(1000)
            inner.close()
    assert reached in ([], [b""])
    assert service.hosts == ["sts.amazonaws.com"]


def test_other_names_in_tls_pass_unread(tmp_path, service):
    got = []

    def keep(connection):
        got.append(connection.recv(1 << 16))

    with listening(keep) as place, proxying(service, tmp_path, dial=Net(h=place)) as port:
        tunnel = tunnelled(port, "h")
        with pytest.raises((ssl.SSLError, OSError)):
            ssl.create_default_context().wrap_socket(
                tunnel, server_hostname="amazonaws.com.evil.io"
            )
    assert b"amazonaws.com.evil.io" in got[0]
    assert service.seen == []


# plain HTTP


def test_plain_http_is_passed_on(tmp_path, service):
    with listening(web) as place, proxying(service, tmp_path, dial=Net(deb_org=place)) as port:
        proxies = {"http": f"http://127.0.0.1:{port}"}
        with requests.Session() as session:
            session.trust_env = False
            for method, options in [
                ("GET", {}), ("POST", {"data": b"z" * 100_000}),
                ("PUT", {"data": iter([b"one", b"two" * 5000])}),
            ]:  # fmt: skip
                url = "http://deb.org/a%20b?q=1#f"
                answer = session.request(method, url, proxies=proxies, timeout=10, **options)
                assert answer.status_code == 200
                assert answer.content.startswith(f"{method} /a%20b?q=1 HTTP/1.1\r\n".encode())
                assert b"\r\nHost: deb.org\r\n" in answer.content
                assert b"Connection: close\r\n" in answer.content
                assert answer.content.endswith(b"|")
    assert service.seen == []


def test_a_second_request_on_the_same_connection_goes_nowhere(tmp_path, service):
    """It may be for AWS, so nobody else may get it."""
    with listening(web) as place, proxying(service, tmp_path, dial=Net(deb_org=place)) as port:
        first = "POST http://deb.org/ HTTP/1.1\r\nHost: deb.org\r\nContent-Length: 3\r\n\r\nabc"
        second = "GET http://s3.amazonaws.com/secret HTTP/1.1\r\nHost: s3.amazonaws.com\r\n\r\n"
        answer = all_of(ask(port, first + second))
    assert b"abc|" in answer
    assert b"secret" not in answer


def test_fields_between_neighbours_stay_there(tmp_path, service):
    head = (
        "GET http://deb.org HTTP/1.1\r\nHost: other\r\nProxy-Authorization: Basic xyz\r\n"
        "Proxy-Connection: keep-alive\r\nConnection: x-mine\r\nX-Mine: 1\r\nX-Yours: 2\r\n\r\n"
    )
    with listening(web) as place, proxying(service, tmp_path, dial=Net(deb_org=place)) as port:
        answer = all_of(ask(port, head))
    assert b"GET / HTTP/1.1\r\nHost: deb.org\r\nX-Yours: 2\r\nConnection: close\r\n\r\n|" in answer


# ways out


def through(real: int, **more) -> Upstream:
    secret = "Basic " + base64.b64encode(b"me:p@ss").decode()
    way = Address(host="proxy.company", port=real, authorization=secret)
    return Upstream(tls=way, plain=way, **more)


def test_the_companys_proxy_is_used_with_its_credentials(tmp_path, service):
    with listening(echo) as place, listening(web) as site:
        real = RealProxy(Net(pypi_org=place, deb_org=site))
        with listening(real) as company:
            net = Net(proxy_company=company)
            with proxying(service, tmp_path, dial=net, outside=through(3128)) as port:
                tunnel = tunnelled(port, "pypi.org")
                tunnel.sendall(b"hello")
                assert tunnel.recv(10) == b"hello"
                tunnel.close()
                text = "GET http://deb.org:80/x HTTP/1.1\r\nHost: deb.org\r\n\r\n"
                assert b" 200 OK" in all_of(ask(port, text))
    assert net.asked == [("proxy.company", 3128)] * 2
    assert real.lines == [b"CONNECT pypi.org:443 HTTP/1.1", b"GET http://deb.org/x HTTP/1.1"]
    assert all(b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in raw for raw in real.raw)


def test_what_needs_no_proxy_gets_none(tmp_path, service):
    with listening(echo) as place:
        net = Net(git_corp=place)
        outside = through(1, exceptions=(".corp",))
        with proxying(service, tmp_path, dial=net, outside=outside) as port:
            tunnelled(port, "git.corp").close()
            tunnelled(port, "127.0.0.1", place).close()
    assert net.asked == [("git.corp", 443), ("127.0.0.1", place)]


def test_a_refusal_of_the_companys_proxy_is_handed_on(tmp_path, service):
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"
    real = RealProxy(Net(), refuses=refusal)
    with listening(real) as company:
        net = Net(proxy_company=company)
        with proxying(service, tmp_path, dial=net, outside=through(3128)) as port:
            assert all_of(ask(port, "CONNECT pypi.org:443 HTTP/1.1\r\n\r\n")) == refusal


def test_offline_only_this_machine_is_reached(tmp_path, service):
    net = Net(h=1)
    with listening(echo) as place, proxying(service, tmp_path, dial=net, offline=True) as port:
        answer = all_of(ask(port, "CONNECT h:443 HTTP/1.1\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"--offline" in answer
        assert b" 403 " in all_of(ask(port, "GET http://h/ HTTP/1.1\r\n\r\n"))
        tunnelled(port, "127.0.0.1", place).close()
    assert net.asked == [("127.0.0.1", place)]


def test_what_cannot_be_reached_is_told(tmp_path, service):
    with proxying(service, tmp_path, dial=Net()) as port:
        for text in ("CONNECT no.where:443", "GET http://no.where/"):
            answer = all_of(ask(port, f"{text} HTTP/1.1\r\n\r\n"))
            assert b" 502 " in answer
            assert b"no.where can't be reached: " in answer


def test_the_proxy_does_not_ask_itself(tmp_path, service):
    with proxying(service, tmp_path, dial=Net()) as port:
        assert b" 508 " in all_of(ask(port, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n"))
