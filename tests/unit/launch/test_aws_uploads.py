"""Local inputs on their way to S3: what is sent, what is not, and what happens on the way."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from sagedock.aws.s3 import PART, Copying
from sagedock.errors import AwsError, InputError, StoreError, UsageError
from sagedock.launch.aws.trees import INPUTS, Earlier, plan, read_tree
from sagedock.store.uri import S3Uri

BUCKET = "sagemaker-eu-west-1-123456789012"
PUT = r"^PUT /" + BUCKET + "/" + INPUTS


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "my data"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "a.csv").write_text("1,2\n")
    (root / "empty").touch()
    (root / "deep" / "ü & %41+b?.csv").write_text("3,4\n")
    (root / "deep" / "er" / "c").write_bytes(b"\x00\xff" * 1000)
    return root


def bring(session, *sources):
    """As a job that names these inputs."""
    uris = [session.input_uri(source) for source in sources]
    session.bring({"inputs": [{"S3Uri": uri} for uri in uris]}, ())
    return uris


def objects(session, uri):
    place = S3Uri.parse(uri)
    return {item.removeprefix(uri): session.read(item) for item in session.list_uris(place)}


# what a tree is


def test_a_folder_is_there_name_by_name_and_byte_by_byte(far, folder):
    (uri,) = bring(far, folder)
    assert uri.startswith(f"s3://{BUCKET}/{INPUTS}/")
    assert uri.endswith("/")
    assert objects(far, uri) == {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_one_file_keeps_its_name(far, folder):
    (uri,) = bring(far, folder / "a.csv")
    assert uri.endswith("/a.csv")
    assert far.read(uri) == b"1,2\n"


def test_links_are_followed(far, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "d").write_text("d")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "same").symlink_to(folder / "a.csv")
    (uri,) = bring(far, folder)
    found = objects(far, uri)
    assert (found["linked/d"], found["same"]) == (b"d", b"1,2\n")


def break_link(folder):
    (folder / "broken").symlink_to("/nowhere/at/all")


def circle(folder):
    (folder / "deep" / "round").symlink_to(folder)


def pipe(folder):
    os.mkfifo(folder / "pipe")


def bad_name(folder):
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.csv")).touch()


def long_name(folder):
    place = folder
    for _ in range(5):
        place = place / ("x" * 240)
        place.mkdir()
    (place / "file").touch()


def nothing(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (break_link, "is a link to /nowhere/at/all, where nothing is"),
        (circle, "it has no end"),
        (pipe, "is no regular file"),
        (bad_name, "has a name that S3 can't hold"),
        (long_name, "1 to 1024"),
        (nothing, "holds no files: S3 has no empty folders"),
    ],
)
def test_what_can_not_be_uploaded_is_told_before_anything_is(far, folder, proxy, spoil, words):
    spoil(folder)
    with pytest.raises(InputError, match=words):
        far.input_uri(folder)
    assert proxy.asked("^PUT") == 0


def test_what_is_not_there_is_told(far):
    with pytest.raises(InputError, match="'/nowhere': no such file or folder"):
        far.input_uri("/nowhere")


def test_making_a_request_changes_nothing(far, folder, proxy):
    far.input_uri(folder)
    far.output_uri(None)
    assert far.role_arn("arn:aws:iam::123456789012:role/R").endswith("/R")
    assert not [head for head in proxy.seen if not head.startswith(("GET", "HEAD", "POST / "))]
    assert proxy.asked(BUCKET) == 0


# what is sent


def test_the_second_upload_sends_nothing(far, session_of, folder, proxy, heard):
    (first,) = bring(far, folder)
    sent = proxy.asked(PUT)
    assert sent == 4
    (again,) = bring(session_of(), folder)
    assert again == first
    assert proxy.asked(PUT) == sent
    assert heard.notes[-1].startswith("Unchanged: ")


def test_of_a_changed_folder_only_what_has_changed_is_sent(far, session_of, folder, proxy, heard):
    (first,) = bring(far, folder)
    before = proxy.asked(PUT)
    (folder / "a.csv").write_text("5,6\n")
    (folder / "deep" / "er" / "c").rename(folder / "moved")
    (second,) = bring(session_of(), folder)
    assert second != first
    copies = proxy.asked("(?i)x-amz-copy-source")
    assert (proxy.asked(PUT) - before, copies) == (4, 3)
    assert objects(far, second)["moved"] == b"\x00\xff" * 1000
    assert objects(far, first)["a.csv"] == b"1,2\n"  # what an earlier job reads stays
    assert "1 file, 4 bytes; 3 unchanged" in heard.notes[-2]


def test_an_upload_that_broke_off_goes_on_with_what_is_missing(far, session_of, folder, proxy):
    uri = far.input_uri(folder)
    place = S3Uri.parse(uri)
    far.default_bucket()
    far.put(place.join("a.csv"), b"1,2\n")
    before = proxy.asked(PUT)
    bring(session_of(), folder)
    assert proxy.asked(PUT) - before == 3


def test_an_object_of_another_size_is_not_taken_for_the_right_one(far, folder):
    place = S3Uri.parse(far.input_uri(folder))
    far.default_bucket()
    far.put(place.join("a.csv"), b"1")
    (uri,) = bring(far, folder)
    assert far.read(f"{uri}a.csv") == b"1,2\n"


def test_a_large_file_goes_in_parts(far, tmp_path, proxy, heard):
    data = os.urandom(1 << 20) * 20
    (tmp_path / "large").write_bytes(data)
    (uri,) = bring(far, tmp_path / "large")
    assert far.read(uri) == data
    assert proxy.asked("partNumber=") == -(-len(data) // PART)
    assert heard.notes[-1].startswith(f"Uploaded to {uri} in ")


def test_a_file_that_changes_on_the_way_is_told(far, folder):
    uri = far.input_uri(folder)
    (folder / "a.csv").write_text("9,9\n")
    with pytest.raises(InputError, match="has changed while it was being uploaded"):
        far.bring({"S3Uri": uri}, ())
    assert f"{uri}a.csv" not in far.list_uris(S3Uri.parse(uri))


def test_a_large_file_that_changes_on_the_way_is_not_left_there(far, tmp_path):
    file = tmp_path / "large"
    file.write_bytes(b"a" * (PART + 1))
    uri = far.input_uri(file)
    file.write_bytes(b"b" * (PART + 1))
    with pytest.raises(InputError, match="has changed while it was being uploaded"):
        far.bring({"S3Uri": uri}, ())
    assert far.list_uris(S3Uri.parse(uri)) == []


def test_what_no_request_names_is_not_sent(far, folder, proxy):
    far.input_uri(folder)
    far.bring({"S3Uri": f"s3://{BUCKET}/other"}, ())
    assert proxy.asked(PUT) == 0


# trouble on the way


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503, "body": b"<Error><Code>SlowDown</Code></Error>"},
        {"cut_up": 2},
        {"cut_down": 5},
    ],
)
def test_what_passes_is_tried_again(far, folder, proxy, fault):
    proxy.rule(PUT, times=2, **fault)
    (uri,) = bring(far, folder)
    assert len(objects(far, uri)) == 4


def test_a_part_that_is_cut_is_sent_again(far, tmp_path, proxy):
    data = os.urandom(3 * PART)
    (tmp_path / "large").write_bytes(data)
    proxy.rule("partNumber=2", times=1, cut_up=PART // 2)
    (uri,) = bring(far, tmp_path / "large")
    assert far.read(uri) == data


def test_an_interrupt_ends_a_large_file_at_once_and_leaves_no_parts(far, tmp_path, proxy):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(40 * PART)
    proxy.rule("partNumber=", times=1000, pause=0.5)

    def interrupt() -> None:
        while not proxy.asked("partNumber="):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        bring(far, tmp_path / "large")
    assert proxy.asked("partNumber=") < 40
    assert proxy.asked("DELETE .*uploadId=") == 1
    uri = far.input_uri(tmp_path / "large")
    assert far.list_uris(S3Uri.parse(uri)) == []


def test_without_permission_the_rest_is_not_tried(far, tmp_path, proxy):
    for number in range(400):
        (tmp_path / f"{number}").write_text(str(number))
    denied = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    proxy.rule(PUT, times=400, status=403, body=denied)
    with pytest.raises(AwsError, match="AccessDenied") as caught:
        bring(far, tmp_path)
    assert "s3:PutObject" in caught.value.hint
    assert proxy.asked(PUT) < 150


# buckets


def test_the_default_bucket_is_the_sdks_and_made_where_it_is_missing(far, proxy, heard):
    assert far.default_bucket() == BUCKET
    assert heard.notes == [f"Made the bucket {BUCKET}"]
    assert far.default_bucket() == BUCKET
    assert proxy.asked(f"^HEAD /{BUCKET}") >= 1
    assert proxy.asked("(?i)x-amz-expected-bucket-owner: 123456789012") >= 1
    assert proxy.asked(f"^PUT /{BUCKET} ") == 1


def test_a_bucket_of_another_account_is_refused(far, proxy):
    proxy.rule(f"^HEAD /{BUCKET}", status=403)
    with pytest.raises(StoreError, match="belongs to another account than 123456789012"):
        far.default_bucket()


def test_a_bucket_of_ones_own_choice(session_of, folder):
    session = session_of(default_bucket="my-bucket")
    assert bring(session, folder)[0].startswith("s3://my-bucket/")
    with pytest.raises(StoreError, match="is not a bucket name"):
        session_of(default_bucket="No_Bucket")


def test_results_can_not_go_to_a_bucket_that_is_not_there(far):
    with pytest.raises(StoreError, match="There is no bucket 'nowhere-at-all'") as caught:
        far.bring({"S3OutputPath": "s3://nowhere-at-all/x"}, ())
    assert "aws s3 mb s3://nowhere-at-all --region eu-west-1" in caught.value.hint


def test_a_bucket_in_another_region_is_told(far, proxy):
    proxy.rule("^HEAD /far-away", status=200, headers={"x-amz-bucket-region": "us-west-2"})
    with pytest.raises(StoreError, match="is in us-west-2, the job in eu-west-1"):
        far.bring({"S3Uri": "s3://far-away/x"}, ())


def test_a_bucket_that_only_the_role_may_look_at_is_no_error(far, proxy):
    proxy.rule("^HEAD /secret", status=403)
    far.bring({"S3Uri": "s3://secret/x"}, ())


def test_outputs_on_this_machine_are_refused(far):
    with pytest.raises(UsageError, match="is on this machine: AWS writes to S3 only"):
        far.output_uri("out")


# data, by SDK v2's names


def test_upload_and_download_are_inverse(far, folder, tmp_path):
    uri = far.upload_data(folder, key_prefix="there/it/is")
    assert uri == f"s3://{BUCKET}/there/it/is"
    written = far.download_data(tmp_path / "back", BUCKET, "there/it/is")
    assert len(written) == 4
    assert (tmp_path / "back" / "deep" / "er" / "c").read_bytes() == b"\x00\xff" * 1000
    assert far.upload_data(folder / "a.csv", key_prefix="p") == f"s3://{BUCKET}/p/a.csv"


# the plan, purely


def test_the_plan_copies_what_lies_elsewhere_and_believes_no_listing_of_another_size(folder):
    tree = read_tree(folder)
    digests = {item.key.removeprefix(tree.prefix): item.sha256 for item in tree.files}
    earlier = Earlier.parse(json.dumps({"prefix": "old/", "files": digests}).encode())
    still = {f"old/{name}": 4 for name in digests}
    made = plan(tree, {}, earlier, still)
    copied = sorted(item.source for item in made if isinstance(item, Copying))
    assert copied == ["old/a.csv", "old/deep/ü & %41+b?.csv"]
    assert len(made) == 4
    assert plan(tree, {item.key: item.size for item in tree.files}, None, {}) == []


@pytest.mark.parametrize("data", [None, b"", b"[]", b"{", b'{"prefix": 1}', b'"text"'])
def test_a_record_that_is_none_is_no_reason_to_fail(data):
    assert Earlier.parse(data) is None


def test_trees_of_the_same_content_have_the_same_keys_wherever_they_lie(folder, tmp_path):
    folder.rename(tmp_path / "moved")
    first = read_tree(tmp_path / "moved")
    (tmp_path / "moved").rename(folder)
    assert read_tree(folder).prefix == first.prefix
    (folder / "empty").rename(folder / "other name")
    assert read_tree(folder).prefix != first.prefix
