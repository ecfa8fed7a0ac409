"""What is meant for AWS is answered on this machine: by TLS, by plain HTTP, for any client."""

import socket
import ssl

import botocore.session
import pytest
import requests
from botocore.config import Config
from proxy_kit import (
    Net,
    RealProxy,
    Remembering,
    all_of,
    ask,
    listening,
    proxying,
    trusting,
    tunnelled,
)

from sagedock.server.messages import Response, file_part
from sagedock.server.proxy.upstream import Address, Upstream

HOSTS = ["sts.us-east-1.amazonaws.com", "STS.AMAZONAWS.COM", "sts.cn-north-1.amazonaws.com.cn",
         "sagemaker.us-east-1.api.aws", "sts.eusc-de-east-1.amazonaws.eu",
         "a.b.c.s3.us-west-2.amazonaws.com", "s3.amazonaws.com."]  # fmt: skip


@pytest.fixture
def net() -> Net:
    return Net()


@pytest.fixture
def service() -> Remembering:
    return Remembering()


def get(connection: socket.socket, host: str, path: str = "/x") -> bytes:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    return all_of(connection)


@pytest.mark.parametrize("host", HOSTS)
def test_aws_by_tls_is_answered_here(tmp_path, service, net, host):
    with proxying(service, tmp_path, dial=net) as port:
        tunnel = tunnelled(port, host)
        inner = trusting(tmp_path).wrap_socket(tunnel, server_hostname=host.rstrip("."))
        assert b"https" in get(inner, host.rstrip("."))
    assert service.seen == [("https", "GET", host.rstrip("."), "/x", b"")]
    assert net.asked == []


def test_aws_by_plain_http_is_answered_here(tmp_path, service, net):
    with proxying(service, tmp_path, dial=net) as port:
        head = "PUT http://b.s3.amazonaws.com/k?x=1 HTTP/1.1\r\nHost: b.s3.amazonaws.com\r\n"
        answer = all_of(ask(port, f"{head}Content-Length: 4\r\n\r\nbody"))
        assert answer.endswith(b"http b.s3.amazonaws.com /k 4")
        assert b"Connection: close" in answer
    assert service.seen == [("http", "PUT", "b.s3.amazonaws.com", "/k", b"body")]
    assert net.asked == []


def test_a_tunnel_to_aws_may_speak_plain_http(tmp_path, service, net):
    with proxying(service, tmp_path, dial=net) as port:
        tunnel = tunnelled(port, "s3.amazonaws.com", 80)
        assert b"http s3.amazonaws.com /x" in get(tunnel, "s3.amazonaws.com")
    assert net.asked == []


def test_a_large_file_comes_through_tls(tmp_path, net):
    data = bytes(range(256)) * 40_000
    (tmp_path / "file").write_bytes(data)

    def service(request, /):
        return Response(body=file_part(tmp_path / "file", 10, len(data) - 10))

    with proxying(service, tmp_path, dial=net) as port:
        tunnel = tunnelled(port, "s3.amazonaws.com")
        inner = trusting(tmp_path).wrap_socket(tunnel, server_hostname="s3.amazonaws.com")
        assert get(inner, "s3.amazonaws.com").partition(b"\r\n\r\n")[2] == data[10:]


def test_one_connection_carries_many_requests(tmp_path, service, net):
    host = "logs.us-east-1.amazonaws.com"
    with proxying(service, tmp_path, dial=net) as port:
        proxies = {"https": f"http://127.0.0.1:{port}"}
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(tmp_path / "ca.pem")
            trusting(tmp_path)  # the certificate's file has to be there before
            for number in range(20):
                answer = session.post(
                    f"https://{host}/{number}", data=b"z" * 70000, proxies=proxies
                )
                assert answer.text == f"https {host} /{number} 70000"
    assert net.asked == []


def test_the_name_that_tls_asks_for_counts(tmp_path, service, net):
    """A client that reuses a tunnel's address for another name of AWS."""
    with proxying(service, tmp_path, dial=net) as port:
        tunnel = tunnelled(port, "sts.amazonaws.com")
        context = trusting(tmp_path)
        inner = context.wrap_socket(tunnel, server_hostname="iam.amazonaws.com")
        assert b" 200 " in get(inner, "iam.amazonaws.com")


def test_a_client_that_does_not_trust_us_is_not_talked_to(tmp_path, service, net):
    with proxying(service, tmp_path, dial=net) as port:
        tunnel = tunnelled(port, "sts.amazonaws.com")
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(tunnel, server_hostname="sts.amazonaws.com")
    assert service.seen == []


def client(name: str, port: int, bundle, **options):
    config = Config(
        proxies={"https": f"http://127.0.0.1:{port}", "http": f"http://127.0.0.1:{port}"},
        retries={"total_max_attempts": 1}, **options,
    )  # fmt: skip
    return botocore.session.Session().create_client(
        name, "us-east-1", aws_access_key_id="AKIAX", aws_secret_access_key="x",
        verify=str(bundle), config=config,
    )  # fmt: skip


STS = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)


class Sts(Remembering):
    def __call__(self, request, /):
        super().__call__(request)
        return Response(headers={"Content-Type": "text/xml"}, body=STS.encode())


@pytest.mark.parametrize("variants", [{}, {"use_dualstack_endpoint": True},
                                      {"use_fips_endpoint": True}])  # fmt: skip
def test_botocore_at_awss_own_addresses(tmp_path, net, variants):
    """As both SDKs do it in `default_bucket()`: no endpoint is given."""
    service = Sts()
    trusting(tmp_path)
    with proxying(service, tmp_path, dial=net) as port:
        sts = client("sts", port, tmp_path / "ca.pem", **variants)
        assert sts.get_caller_identity()["Account"] == "000000000000"
    ((scheme, method, host, _, body),) = service.seen
    assert (scheme, method) == ("https", "POST")
    assert host.startswith("sts")
    assert body.startswith(b"Action=GetCallerIdentity")
    assert net.asked == []


@pytest.mark.parametrize("offline", [False, True])
def test_no_name_of_aws_ever_leaves(tmp_path, service, offline):
    """A company's proxy behind ours sees none of it, and no resolver is asked."""
    outer = Net()
    real = RealProxy(outer)
    with listening(real) as company:
        net = Net(proxy_company=company)
        outside = Upstream(tls=Address(host="proxy.company", port=8080),
                           plain=Address(host="proxy.company", port=8080))  # fmt: skip
        with proxying(service, tmp_path, dial=net, outside=outside, offline=offline) as port:
            for host in HOSTS:
                context = trusting(tmp_path)
                inner = context.wrap_socket(tunnelled(port, host), server_hostname=host.rstrip("."))
                get(inner, host.rstrip("."))
                head = f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"
                assert b" 200 " in all_of(ask(port, head))
    assert (net.asked, outer.asked, real.raw) == ([], [], [])
    assert len(service.seen) == 2 * len(HOSTS)


@pytest.mark.parametrize("host", ["169.254.169.254", "169.254.170.2", "[fd00:ec2::254]"])
def test_nobody_gets_a_machines_real_credentials(tmp_path, service, net, host):
    with proxying(service, tmp_path, dial=net) as port:
        for text in (f"GET http://{host}/latest/ HTTP/1.1", f"CONNECT {host}:80 HTTP/1.1"):
            assert b" 403 " in all_of(ask(port, f"{text}\r\nHost: {host}\r\n\r\n"))
    assert net.asked == []
