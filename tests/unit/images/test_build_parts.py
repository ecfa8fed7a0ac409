"""The pure parts of a build: Dockerfiles, sizes, secrets, layers, weights, trees, steps."""

import io
import tarfile

import pytest

from sagedock.errors import UsageError
from sagedock.images.dockerfile import buildkit_features
from sagedock.images.folder import full_tag, version_of
from sagedock.images.onto import onto_plan
from sagedock.images.plan import Secret, Wishes, joined
from sagedock.images.report import Facts, Layer, compare, facts, megabytes, weights
from sagedock.images.steps import Step, Steps
from sagedock.images.trees import differences, tree
from sagedock.images.wishes import secret, size

# ---- Dockerfiles -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("FROM x\nRUN make\nCOPY --from=a --chown=1:1 b c\n", []),
        ("FROM x\nRUN --mount=type=secret,id=y make\n", ["RUN --mount"]),
        ("FROM x\nRUN --network=none --mount=type=cache,target=/c make\n", ["RUN --mount"]),
        ("FROM x\n# RUN --mount=type=secret\nRUN echo --mount\n", []),
        ("FROM x\nRUN make \\\n  # why\n  --mount=x\n", []),
        ("from x\nrun <<EOF\nmake\nEOF\n", ["a here-document"]),
        ("FROM x\nRUN cat <<EOF >/f\nx\nEOF\n", ["a here-document"]),
        ("FROM x\nCOPY --chown=1 --link a b\nADD --checksum=sha256:0 u v\n",
         ["COPY --link", "COPY --checksum"]),
    ],
)  # fmt: skip
def test_what_only_buildkit_knows_is_found(text, features):
    assert buildkit_features(text) == features


# ---- sizes, secrets, names ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [("450MB", 450_000_000), ("1.5 GB", 1_500_000_000), ("2g", 2 * 10**9), ("1MiB", 1 << 20),
     ("300", 300), ("12k", 12_000)],
)  # fmt: skip
def test_sizes(text, number):
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "450 XB", "0MB", "1,5GB"])
def test_what_is_no_size_is_told(text):
    with pytest.raises(UsageError, match="no size of an image"):
        size(text)


def test_a_secret_is_a_file_or_a_variable():
    assert secret("id=a,src=/f", {}) == Secret(id="a", path="/f")
    assert secret("id=a,type=env,env=B", {"B": "hidden"}) == Secret(id="a", value="hidden")
    assert secret("id=B", {"B": "hidden"}) == Secret(id="B", value="hidden")
    assert "hidden" not in repr(secret("id=B", {"B": "hidden"}))


@pytest.mark.parametrize("text", ["", "a", "src=/f", "id=a,value=hidden", "id=a,env=NOT_SET"])
def test_what_is_no_secret_is_told(text):
    with pytest.raises(UsageError):
        secret(text, {})


def test_of_two_secrets_with_one_name_the_one_asked_for_is_taken():
    machine, asked = Secret(id="pip_index", value="a"), Secret(id="pip_index", value="b")
    other = Secret(id="ca_bundle", path="/c")
    assert joined([other, machine], [asked]) == (other, asked)


def test_names_with_and_without_a_tag():
    assert full_tag("my/image") == "my/image:latest"
    assert full_tag("host:5000/my/image") == "host:5000/my/image:latest"
    assert full_tag("my/image:1.0-a") == "my/image:1.0-a"
    with pytest.raises(UsageError, match="can't be an image's name"):
        full_tag("My Image")
    assert version_of(("my/image:1.0", "my/image:latest")) == "1.0"
    assert version_of(("host:5000/my/image:latest",)) == ""


# ---- layers ------------------------------------------------------------------------------------


def row(made_by, size, comment=""):
    return {"CreatedBy": made_by, "Size": size, "Comment": comment}


HISTORY = [
    row("", 700, "debootstrap minbase"),
    row("ENV A=1", 0),
    row("WORKDIR /app", 0),
    row("RUN |1 X=1 /bin/sh -c pip install\t\ta # buildkit", 200),
    row("/bin/sh -c #(nop) COPY file:0 in /x ", 0),
    row('CMD ["train"]', 0),
]


def document(layers, size=900):
    return {"Id": "sha256:i", "Size": size, "RootFS": {"Layers": list(layers)}}


def test_each_layer_has_the_step_that_made_it():
    found = facts(document("abc"), HISTORY).layers
    assert [(layer.digest, layer.size, layer.instruction) for layer in found] == [
        ("a", 700, "imported: debootstrap minbase"),
        ("b", 200, "RUN pip install a"),
        ("c", 0, "COPY file:0 in /x"),
    ]


def test_a_folder_that_was_made_is_a_layer_in_some_builders():
    found = facts(document("abcd"), HISTORY).layers
    assert [layer.instruction for layer in found][1] == "WORKDIR /app"


def test_steps_that_made_nothing_have_no_layer_in_others():
    assert [layer.size for layer in facts(document("ab"), HISTORY).layers] == [700, 200]


def test_layers_that_can_not_be_told_apart_have_no_step():
    found = facts(document("abcdefg"), HISTORY).layers
    assert [layer.digest for layer in found] == list("abcdefg")
    assert {layer.instruction for layer in found} == {""}


def image(*layers):
    made = tuple(Layer(digest=d, size=s, instruction=f"RUN {d}") for d, s in layers)
    return Facts(id="i", size=sum(layer.size for layer in made), layers=made)


def test_a_change_names_what_is_new():
    old, new = image(("a", 100), ("b", 10)), image(("a", 100), ("c", 15), ("d", 1))
    change = compare(old, new)
    assert (change.size, change.reused, change.reused_size) == (6, 1, 100)
    assert [layer.instruction for layer in change.added] == ["RUN c", "RUN d"]
    assert [layer.instruction for layer in change.removed] == ["RUN b"]


def test_the_same_image_has_not_changed():
    same = image(("a", 100))
    assert not compare(same, same).added


# ---- files -------------------------------------------------------------------------------------


def archive(files, **more):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as opened:
        for name, held in files.items():
            entry = tarfile.TarInfo(name)
            content = held if isinstance(held, bytes) else b""
            if isinstance(held, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, held
            entry.size = len(content)
            for key, value in more.items():
                setattr(entry, key, value)
            opened.addfile(entry, io.BytesIO(content))
    made.seek(0)
    return tarfile.open(fileobj=made, mode="r|")


SITE = "opt/venv/lib/python3.11/site-packages"


def test_packages_weigh_with_what_belongs_to_them():
    with archive(
        {
            f"{SITE}/numpy/a.so": b"x" * 50,
            f"{SITE}/numpy.libs/b.so": b"x" * 20,
            f"{SITE}/numpy-2.0.dist-info/RECORD": b"x" * 5,
            f"{SITE}/six.py": b"x" * 7,
            f"{SITE}/__pycache__/six.cpython-311.pyc": b"x",
            "usr/lib/python3.11/os.py": b"x" * 9,
            "etc/passwd": b"x" * 2,
            "link": "etc",
        }
    ) as files:
        found = {weight.what: weight.size for weight in weights(files)}
    assert found == {
        "numpy (Python)": 75,
        "/usr/lib/python3.11": 9,
        "six (Python)": 8,
        "/etc": 2,
    }
    assert next(iter(found)) == "numpy (Python)"


def trees_of(*both):
    for files, more in both:
        with archive(files, **more) as opened:
            yield tree(opened)


def test_trees_are_the_same_whenever_they_were_made():
    one, other = trees_of(({"a": b"1", "l": "a"}, {"mtime": 1}), ({"a": b"1", "l": "a"}, {}))
    assert differences(one, other) == []


def test_each_difference_is_told_by_its_path():
    first = {"same": b"1", "content": b"1", "link": "a", "gone": b"", "etc/hostname": b"a"}
    second = {"same": b"1", "content": b"2", "link": "b", "new": b"", "etc/hostname": b"b"}
    one, other = trees_of((first, {}), (second, {}))
    assert [(d.path, d.what) for d in differences(one, other)] == [
        ("/content", "content"),
        ("/gone", "only in the first"),
        ("/link", "target a and b"),
        ("/new", "only in the second"),
    ]
    one, other = trees_of(({"a": b"1"}, {"mode": 0o644}), ({"a": b"1"}, {"mode": 0o755, "uid": 5}))
    assert differences(one, other)[0].what == "mode 0644 and 0755, owner 0:0 and 5:0"


def test_megabytes_are_those_of_engines():
    assert megabytes(298_400_000) == "298.4 MB"


# ---- progress ----------------------------------------------------------------------------------


def read(*lines):
    steps = Steps()
    return [step for line in lines if (step := steps.read(line))]


def test_buildkits_steps_begin_and_end():
    assert read(
        "#5 [build 2/3] RUN make",
        "#5 0.3 hello",
        "#5 [build 2/3] RUN make",
        "#6 [internal] load metadata",
        "#6 CACHED",
        "#5 DONE 12.5s",
        "#9 DONE 0.1s",
    ) == [
        Step(id="5", name="[build 2/3] RUN make"),
        Step(id="6", name="[internal] load metadata"),
        Step(id="6", name="[internal] load metadata", how="CACHED"),
        Step(id="5", name="[build 2/3] RUN make", how="DONE", seconds=12.5),
    ]


def test_the_classic_builders_steps():
    assert read("Sending build context", "Step 2/7 : RUN make", " ---> 0123") == [
        Step(id="step 2", name="[2/7] RUN make")
    ]


# ---- on any base -------------------------------------------------------------------------------


def test_an_image_on_a_base_is_planned(tmp_path):
    plan = onto_plan(
        "host.example/team/Torch:2.1", part="serving", root=tmp_path, version="1.0",
        environ={}, wishes=Wishes(build_args={"BASE": "other", "X": "1"}),
    )  # fmt: skip
    assert plan.tags == ("torch-2-1-sagedock:latest",)
    assert plan.build_args == {
        "BASE": "host.example/team/Torch:2.1",
        "OURS": "sagedock/base:1.0",
        "WITH": "serving",
        "X": "1",
    }
    assert (plan.target, plan.platform) == ("serving", "linux/amd64")
