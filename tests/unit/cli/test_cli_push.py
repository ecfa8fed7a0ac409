"""`sagedock push` up to where an engine is needed, what a new repository is to be like, and its
bar."""

import io

import pytest
from click.testing import CliRunner

from sagedock.cli.group import cli
from sagedock.cli.progress import bytes_bar
from sagedock.cli.pushing import Asked
from sagedock.errors import UsageError
from sagedock.images.ecr import Rule, Wishes

NOTHING = dict.fromkeys(
    ("image", "tag", "repository", "account", "registry", "region", "profile", "encryption",
     "kms_key")
)  # fmt: skip
FLAGS = dict.fromkeys(
    ("building", "region_is_typed", "mutable_tags", "no_scan", "pruning", "sure", "no_checks",
     "through", "dry", "quiet", "as_json"), False,
)  # fmt: skip


def asked(**more):
    return Asked(**{**NOTHING, **FLAGS, "keep": 10, **more})


def test_what_a_new_repository_is_to_be_like():
    assert asked().wishes == Wishes()
    assert asked(mutable_tags=True, no_scan=True).wishes == Wishes(immutable=False, scan=False)
    assert asked(kms_key="k").wishes == Wishes(encryption="KMS", kms_key="k")
    assert asked(encryption="KMS").wishes == Wishes(encryption="KMS")
    assert asked(encryption="KMS_DSSE", kms_key="k").wishes.encryption == "KMS_DSSE"
    with pytest.raises(UsageError, match="--kms-key goes with"):
        asked(encryption="AES256", kms_key="k").wishes  # noqa: B018


def test_a_region_of_the_environment_gives_way_to_a_uris():
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a"
    assert asked(tag=uri, region="us-east-1").where("i").region == "eu-west-1"
    with pytest.raises(UsageError, match="of region eu-west-1, not us-east-1"):
        asked(tag=uri, region="us-east-1", region_is_typed=True).where("i")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "No image is named"),
        (["--prune"], "nobody can be asked here"),
        (["--prune", "--yes"], "No image is named"),
        (["i", "a.b/c:d", "--repository", "e"], "says all of it"),
        (["i", "--account", "1"], "is no account"),
        (["i", "--registry", "r.example.com", "--pull-through"], "is no registry of ECR"),
        (["i", "--kms-key", "k", "--encryption", "aes256"], "--kms-key goes with"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_asked(words, told):
    result = CliRunner().invoke(cli, ["push", *words])
    assert isinstance(result.exception, UsageError)
    assert told in str(result.exception)


def test_the_longest_prefix_serves():
    rule = Rule(prefix="docker-hub", upstream="registry-1.docker.io")
    assert rule.serves("docker-hub/library/python")
    assert not rule.serves("docker-hubs/x")
    assert not rule.serves("docker-hub")
    assert Rule(prefix="ROOT", upstream="u").serves("anything")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_is_shown_at_terminals_only():
    for stream, size in ((None, None), (io.StringIO(), 10)):
        with bytes_bar("pushing", stream, size) as bar:
            bar.set(1, 2)
            bar.add(1)
        assert not stream or stream.getvalue() == ""
    terminal = Terminal()
    with bytes_bar("pushing", terminal) as bar:
        bar.set(3_000_000, 6_000_000)
    assert "pushing" in terminal.getvalue()
    assert "3.0/6.0 MB" in terminal.getvalue()
