"""Which way out: the usual variables, and all forms of exceptions from them."""

import pytest
from botocore.loaders import create_loader
from botocore.regions import EndpointResolver

from sagedock.errors import UsageError
from sagedock.server.proxy import aws_hosts
from sagedock.server.proxy.upstream import Address, Upstream, is_exception


@pytest.mark.parametrize(
    ("environment", "tls", "plain"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://p:3128"}, Address(host="p", port=3128), None),
        ({"https_proxy": "p:1", "HTTPS_PROXY": "q:2"}, Address(host="p", port=1), None),
        ({"HTTP_PROXY": "http://p"}, None, Address(host="p", port=80)),
        ({"ALL_PROXY": "http://p:1/"}, Address(host="p", port=1), Address(host="p", port=1)),
        ({"https_proxy": "http://u:p%40@p:1"},
         Address(host="p", port=1, authorization="Basic dTpwQA=="), None),
        ({"https_proxy": "http://[::1]:1"}, Address(host="::1", port=1), None),
    ],
)  # fmt: skip
def test_proxies_of_the_environment(environment, tls, plain):
    found = Upstream.from_environment(environment)
    assert (found.tls, found.plain) == (tls, plain)


@pytest.mark.parametrize("text", ["socks5://me:secret@p:1", "https://p:1", "http://p:x", "http://"])
def test_other_kinds_of_proxies_are_refused_aloud(text):
    with pytest.raises(UsageError, match="expected http://HOST:PORT") as told:
        Upstream.from_environment({"HTTPS_PROXY": text})
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("entry", "host", "port", "covered"),
    [
        ("example.com", "example.com", 443, True), ("example.com", "a.example.com", 443, True),
        (".example.com", "a.example.com", 443, True), (".example.com", "example.com", 443, True),
        ("*.example.com", "A.EXAMPLE.COM.", 443, True), ("example.com", "notexample.com", 1, False),
        ("example.com:443", "example.com", 443, True), ("a.b:443", "a.b", 80, False),
        ("*", "anything", 1, True), ("10.0.0.0/8", "10.1.2.3", 1, True), (".", "a.b", 1, False),
        ("10.0.0.0/8", "11.1.2.3", 1, False), ("10.1.2.3", "10.1.2.3", 1, True),
        ("fd00::/8", "fd00::1", 1, True), ("[fd00::1]:80", "fd00::1", 80, True),
        ("10.0.0.0/8", "host", 1, False), ("x/y", "10.0.0.1", 1, False), ("", "a", 1, False),
    ],
)  # fmt: skip
def test_exceptions(entry, host, port, covered):
    assert is_exception(entry, host, port) is covered


def test_this_machine_is_never_reached_through_a_proxy():
    way = Address(host="p", port=1)
    found = Upstream(tls=way, plain=way, exceptions=("corp",))
    for host in ("localhost", "127.0.0.1", "::1", "git.corp"):
        assert found.proxy_for(host, 443, tls=True) is None
    assert found.proxy_for("pypi.org", 443, tls=True) == way


def test_every_endpoint_that_botocore_knows_is_one_of_awss():
    """All services in all regions of all partitions: their names are ours to answer."""
    resolver = EndpointResolver(create_loader().load_data("endpoints"))
    strangers, count = [], 0
    for partition in create_loader().load_data("endpoints")["partitions"]:
        for service in partition["services"]:
            for region in partition["regions"]:
                found = resolver.construct_endpoint(
                    service, region, partition_name=partition["partition"]
                )
                count += 1
                if found and not aws_hosts.is_aws(found["hostname"]):
                    strangers.append(found["hostname"])
    assert count > 5000
    assert sorted(set(strangers)) == []


def test_the_suffixes_of_every_partition_are_awss():
    for partition in create_loader().load_data("partitions")["partitions"]:
        for name in ("dnsSuffix", "dualStackDnsSuffix"):
            assert aws_hosts.is_aws(f"sts.r.{partition['outputs'][name]}"), partition["outputs"][
                name
            ]
