"""What is known to go wrong with images; layers as `docker save` writes them; secrets in them."""

import gzip
import io
import json
import tarfile

import pytest

from sagedock.engine.docker import ImageInfo
from sagedock.errors import BuildError
from sagedock.images import checks, push_layers, push_secrets
from sagedock.images.checks import Facts, Level, capabilities, findings, wanted
from sagedock.images.push_checks import Seen, told
from sagedock.images.push_layers import Entry, merged, read, resolve

PATH = {"PATH": "/usr/local/bin:/usr/bin", "PYTHONUNBUFFERED": "1"}
KEY = b"-----BEGIN OPENSSH PRIVATE KEY-----\n"


def tar(files):
    """A layer: path to content; a tuple is content and mode, a text is a link, None a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, found in files.items():
            entry = tarfile.TarInfo(path)
            content, entry.mode = found if isinstance(found, tuple) else (found, 0o644)
            if content is None:
                entry.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content if isinstance(content, bytes) else b""))
    return buffer.getvalue()


def saved(*layers):
    """What `docker save` writes, in pieces; a layer is packed already, or made of files."""
    packed = [one if isinstance(one, bytes) else tar(one) for one in layers]
    files = {f"{number}/layer.tar": data for number, data in enumerate(packed)}
    names = list(files)
    if len(packed) > 1 and packed[0] == packed[-1]:  # the same layer twice is written once
        files[names[-1]] = f"../{names[0]}"
    files |= {"0/VERSION": b"1.0", "blobs/sha256/aa": b"{}"}
    files["manifest.json"] = json.dumps([{"Layers": names}]).encode()
    whole = tar(files)
    return [whole[at : at + 1000] for at in range(0, len(whole), 1000)]


def facts(*layers, history=(), **more):
    settings = {"id": "sha256:0", "architecture": "amd64", "size": 1, "entrypoint": (),
                "command": (), "user": "", "labels": {}, "environment": PATH, **more}  # fmt: skip
    return Facts.of(ImageInfo(**settings), history, read(saved(*layers), wanted) if layers else [])


def found(*layers, **more):
    return [f"{one.level} {one.rows}" for one in findings(facts(*layers, **more))]


PROGRAM = (b"#!/bin/sh\nexec true\n", 0o755)
SHELL = {"bin": "usr/bin", "usr/bin/sh": "dash", "usr/bin/dash": (b"x", 0o755)}
GOOD = {**SHELL, "usr/local/bin/train": PROGRAM}


def test_layers_are_read_in_their_order_and_merged():
    first = {"a/b": b"1", "a/c": b"2", "d/e": b"3", "l": "a", "m": "/l/b"}
    second = {"a/.wh.b": b"", "d/.wh..wh..opq": b"", "d/f": b"4"}
    layers = read(saved(first, gzip.compress(tar(second))), wanted)
    assert [len(layer.entries) for layer in layers] == [5, 1]
    tree = merged(layers)
    assert set(tree) == {"a/c", "d/f", "l", "m"}
    assert resolve(tree, "/l/c")[0] == "/a/c"
    assert resolve(tree, "/m") is None
    circle = Entry(mode=0, size=0, is_file=False, is_folder=False, link="x")
    assert resolve({"x": circle}, "x") is None


def test_a_layer_that_is_there_twice_or_empty_or_packed_by_zstd():
    twice = read(saved({"a": b"1"}, {"b": b"1"}, {"a": b"1"}), wanted)
    assert [set(layer.entries) for layer in twice] == [{"a"}, {"b"}, {"a"}]
    empty, odd = read(saved({}, b"\x28\xb5\x2f\xfd" + bytes(600)), wanted)
    assert (empty.readable, odd.readable) == (True, False)
    assert "warning A1.11" in found(GOOD, b"\x28\xb5\x2f\xfd" + bytes(600))


def test_a_good_image_has_nothing_to_tell():
    assert found(GOOD) == []
    assert capabilities(facts(GOOD)) == {"train": "/usr/local/bin/train"}


def test_what_can_be_started_is_told():
    both = {**SHELL, "usr/bin/train": PROGRAM, "usr/bin/serve": PROGRAM}
    assert capabilities(facts(both)) == {"train": "/usr/bin/train", "serve": "/usr/bin/serve"}
    by_entry = capabilities(facts(SHELL, entrypoint=("python", "x.py")))
    assert by_entry == {"train": "ENTRYPOINT", "serve": "ENTRYPOINT"}
    label = {"com.amazonaws.sagemaker.capabilities.multi-models": "true"}
    assert capabilities(facts(GOOD, labels=label))["multi-models"] == "LABEL"
    linked = {**SHELL, "usr/bin/train": "/opt/train", "opt/train": PROGRAM}
    assert capabilities(facts(linked)) == {"train": "/usr/bin/train"}


@pytest.mark.parametrize(
    ("files", "more", "row"),
    [
        (SHELL, {}, "warning A1.1,D1.1"),
        ({**SHELL, "usr/bin/train": b"#!/bin/sh\n"}, {}, "warning A1.1"),
        ({**SHELL, "usr/bin/train": (b"#!/bin/sh\r\n", 0o755)}, {}, "error A1.1"),
        ({**SHELL, "usr/bin/serve": (b"#!/bin/nosh\n", 0o755)}, {}, "error D1.1"),
        ({**SHELL, "opt/program/train": PROGRAM}, {}, "warning A1.1"),
        (GOOD, {"entrypoint": ("/bin/sh", "-c", "x")}, "warning A1.1,A1.5,D1.2"),
        (GOOD, {"entrypoint": ("/bin/bash", "x")}, "note A1.5,D1.2"),
        (GOOD, {"entrypoint": ("/usr/bin/tini",)}, "warning A1.6,D1.5"),
        (GOOD, {"user": "app"}, "warning A1.9,D1.3"),
        (GOOD, {"architecture": "arm64"}, "warning A1.10,D1.8"),
        (GOOD, {"volumes": ("/opt/ml/model",)}, "warning A1.7"),
        (GOOD, {"volumes": ("/opt",)}, "warning A1.7"),
        ({**GOOD, "opt/ml/model/m": b"1"}, {}, "warning A1.7"),
        ({**GOOD, "opt/ml/code/train.py": b"1"}, {}, "note B5.4"),
        (GOOD, {"has_healthcheck": True}, "note D2.3"),
        ({**SHELL, "usr/bin/serve": PROGRAM}, {"ports": ("5000/tcp",)}, "note D3.1"),
        ({**GOOD, "usr/bin/python3": PROGRAM}, {"environment": {}}, "note A4.4"),
        (GOOD, {"size": 11 << 30}, "warning D6.1"),
        ({**GOOD, "usr/lib/libcuda.so.1": b"1"}, {}, "warning A1.13"),
        (GOOD, {"environment": {**PATH, "CUDA_VERSION": "12.6.1"}}, "note D1.7"),
        (GOOD, {"environment": {**PATH, "AWS_SECRET_ACCESS_KEY": "x"}}, "error secrets"),
        (GOOD, {"history": ["RUN |1 PIP_PASSWORD=abcdef /bin/sh -c x"]}, "warning secrets"),
        (GOOD, {"history": ["RUN |1 HF_TOKEN=abcdef /bin/sh -c x"]}, "error secrets"),
    ],
)
def test_what_is_known_to_go_wrong(files, more, row):
    assert found(files, **more) == [row]


@pytest.mark.parametrize(
    ("files", "more"),
    [
        (GOOD, {"entrypoint": ("/usr/bin/tini", "--", "x")}),
        (GOOD, {"ports": ("8080/tcp", "9000/tcp")}),
        (GOOD, {"ports": ("5000/tcp",)}),  # it serves nothing
        ({**GOOD, "usr/lib/stubs/libcuda.so": b"1"}, {}),
        (GOOD, {"environment": {**PATH, "CUDA_VERSION": "12.2.0"}}),
        (GOOD, {"environment": {**PATH, "AWS_SECRET_ACCESS_KEY": ""}}),
        (GOOD, {"history": ["ARG PIP_PASSWORD", "RUN pip install https://${USER}:${PASS}@h/"]}),
        ({**GOOD, "opt/ml": None}, {}),
    ],
)
def test_what_is_as_it_should_be(files, more):
    assert found(files, **more) == []


def test_a_layer_may_not_be_larger_than_ecr_takes():
    layer = push_layers.Layer(entries={}, whiteouts=(), size=(52_000 << 20) + 1)
    big = Facts.of(facts(GOOD).image, (), [layer])
    assert "error I5" in [f"{one.level} {one.rows}" for one in findings(big)]


@pytest.mark.parametrize(
    ("path", "content", "level"),
    [
        ("root/.aws/credentials", b"[default]\naws_secret_access_key = abcdefghijkl\n", "error"),
        ("root/.ssh/id_ed25519", KEY, "error"),
        ("usr/share/tests/id_rsa", KEY, "warning"),
        ("root/.netrc", b"machine h login me password abc", "error"),
        ("root/.docker/config.json", b'{"auths":{"h":{"auth":"YWJjZA=="}}}', "error"),
        ("etc/pip.conf", b"[global]\nindex-url = https://me:secret@host/simple\n", "error"),
        ("root/.aws/credentials", b"[default]\n", None),
        ("etc/pip.conf", b"[global]\nindex-url = https://host/simple\n", None),
        ("root/.ssh/id_rsa.pub", b"ssh-rsa AAAA", None),
    ],
)
def test_files_that_hold_secrets_also_where_they_are_gone_later(path, content, level):
    folder, _, name = path.rpartition("/")
    gone = {f"{folder}/.wh.{name}": b""}
    assert found({**GOOD, path: content}) == ([f"{level} secrets"] if level else [])
    later = findings(facts({**GOOD, path: content}, gone))
    assert [one.level for one in later] == ([level] if level else [])
    assert all("still in layer 1" in one.text for one in later)


@pytest.mark.parametrize(
    "text",
    ["x AKIAABCDEFGHIJKLMNOP y", "ghp_" + "a" * 36, "https://me:pass@host/x", KEY.decode()],
)
def test_secrets_are_known_by_their_form_and_never_repeated(text):
    for seen in (push_secrets.in_environment({"X": text}), push_secrets.in_history([text])):
        ((what, certain),) = seen
        assert certain
        assert what not in text


def test_errors_stop_a_push_and_are_told():
    finding = checks.Finding(rows="A1.1", level=Level.ERROR, text="it is broken")
    note = checks.Finding(rows="B1", level=Level.NOTE, text="a word")
    lines = []
    told("i", Seen(capabilities={"train": "/t", "multi-models": "LABEL"}, findings=(note,)),
         lines.append)  # fmt: skip
    assert lines == ["i can: train (/t), multi-models", "note: a word (B1)"]
    with pytest.raises(BuildError, match=r"i is not pushed: it is broken \(A1.1\)") as error:
        told("i", Seen(capabilities={}, findings=(finding, note)), lines.append)
    assert "--no-checks" in error.value.hint
    assert lines[2] == "i can: run what a request names"
