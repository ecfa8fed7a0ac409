"""Content types, channel rules and the files of a channel (H2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagedock.contract.training import ChannelConfig, InputDataConfig
from sagedock.errors import TrainingError
from sagedock.runtime.algorithm import data_files
from sagedock.runtime.algorithm.channels import Channel, plan
from sagedock.runtime.algorithm.content_types import ContentType, Format, parse
from sagedock.runtime.algorithm.log import Log

FOLDERS = {"train": "/data/train", "validation": "/data/validation"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("csv", Format.CSV),
        ("text/csv", Format.CSV),
        ("TEXT/CSV", Format.CSV),
        ("text/csv; label_size=1", Format.CSV),
        ("text/csv;label_size=1;charset=utf8", Format.CSV),
        ("libsvm", Format.LIBSVM),
        ("text/libsvm ;charset=utf8", Format.LIBSVM),
        ("text/x-libsvm", Format.LIBSVM),
        ("parquet", Format.PARQUET),
        ("application/x-parquet", Format.PARQUET),
    ],
)
def test_content_types(text: str, expected: Format):
    assert parse("train", text) == ContentType(expected, given=True)


def test_no_content_type_means_libsvm():
    assert parse("train", None) == ContentType(Format.LIBSVM, given=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("application/json", "Channel 'train' has the content type 'application/json': expected"),
        ("text/csv; label_size=0", "label_size must be 1"),
        ("recordio-protobuf", "does not read recordio-protobuf yet"),
        ("application/x-recordio-protobuf", "does not read recordio-protobuf yet"),
    ],
)
def test_content_types_refused(text: str, expected: str):
    with pytest.raises(TrainingError) as caught:
        parse("train", text)
    assert expected in str(caught.value)


def config(**channels: ChannelConfig) -> InputDataConfig:
    return InputDataConfig(channels=channels)


CSV = ChannelConfig(content_type="text/csv")


def test_train_comes_first_and_code_is_ignored():
    channels = plan(config(validation=CSV, train=CSV, code=ChannelConfig()), FOLDERS)
    assert [channel.name for channel in channels] == ["train", "validation"]
    assert channels[0].folder == "/data/train"


def test_validation_without_content_type_takes_that_of_train():
    channels = plan(config(train=CSV, validation=ChannelConfig()), FOLDERS)
    assert channels[1].content.format is Format.CSV


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ({}, "Missing channel 'train': the job's channels are: none."),
        ({"validation": CSV}, "Missing channel 'train': the job's channels are: validation."),
        ({"train": CSV, "test": CSV}, "Extraneous channel 'test' found"),
        ({"train": ChannelConfig(input_mode="Pipe")}, "Use input mode File, or FastFile"),
        ({"train": ChannelConfig(record_wrapper="RecordIO")}, "record wrapper RecordIO"),
    ],
)
def test_channels_refused(channels: dict[str, ChannelConfig], expected: str):
    with pytest.raises(TrainingError) as caught:
        plan(config(**channels), FOLDERS)
    assert expected in str(caught.value)


@pytest.mark.parametrize("mode", ["File", "FastFile"])
def test_file_modes(mode: str):
    assert plan(config(train=ChannelConfig(input_mode=mode)), FOLDERS)


def channel(folder: Path, kind: Format = Format.CSV, *, given: bool = True) -> Channel:
    return Channel(name="train", folder=str(folder), content=ContentType(kind, given=given))


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_files_are_found_at_any_depth_and_equal_names_are_two_files(tmp_path: Path):
    write(tmp_path, a__b__c__d__e__part="1,2\n", z__part="1,2\n", b="1,2\n")
    found = data_files.find(channel(tmp_path), Log())
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a/b/c/d/e/part", "b", "z/part"]


def test_hidden_marker_and_empty_files_are_skipped_and_said_at_debug(tmp_path: Path, capsys):
    write(tmp_path, _SUCCESS="x", good="1,2\n", empty="", _temporary__part="1,2\n")
    (tmp_path / ".hidden").write_text("x")
    assert data_files.find(channel(tmp_path), Log(chatty=True)) == [tmp_path / "good"]
    said = capsys.readouterr().out
    for name in ("_SUCCESS", ".hidden", "empty", "_temporary/part"):
        assert f"Skipped {tmp_path / name}" in said
    data_files.find(channel(tmp_path), Log())
    assert capsys.readouterr().out == ""


def refusal(where: Channel) -> str:
    with pytest.raises(TrainingError) as caught:
        data_files.find(where, Log())
    return str(caught.value)


def test_missing_and_empty_folders(tmp_path: Path):
    assert "No data in channel 'train'" in refusal(channel(tmp_path / "none"))
    assert "does not exist" in refusal(channel(tmp_path / "none"))
    write(tmp_path, _SUCCESS="x")
    assert "holds no file with content" in refusal(channel(tmp_path))


def test_csv_without_content_type_is_told_to_name_it(tmp_path: Path):
    write(tmp_path, a="1,2,3\n")
    message = refusal(channel(tmp_path, Format.LIBSVM, given=False))
    assert f"{tmp_path / 'a'} looks like CSV (line 1: '1,2,3')" in message
    assert "has no content type, which means text/libsvm" in message
    assert "Set content_type='text/csv'" in message


@pytest.mark.parametrize(
    ("start", "kind", "expected"),
    [
        (b"PAR1....", Format.CSV, "is Parquet"),
        (b"\x1f\x8b\x08", Format.CSV, "is gzip"),
        (b"PK\x03\x04", Format.LIBSVM, "is zip"),
        (b"\xff\xfe1\x00", Format.CSV, "is UTF-16 text"),
        (b"\x0a\x23\xd7\xce", Format.CSV, "is recordio-protobuf"),
        (b"1,2\n", Format.PARQUET, "is not Parquet"),
    ],
)
def test_files_that_plainly_are_something_else(
    tmp_path: Path, start: bytes, kind: Format, expected: str
):
    (tmp_path / "data").write_bytes(start)
    assert expected in refusal(channel(tmp_path, kind))
