"""docker/ensure-base.sh: there already, pulled, or made; nothing left behind either way."""

import os
import signal
import tarfile
import time

import pytest

NO_SUCH = 'echo "Error: No such image" >&2; exit 1'
TREE = """
cd "$4"
mkdir -p etc/apt/apt.conf.d etc/dpkg/dpkg.cfg.d usr/sbin bin tmp var/tmp var/log var/lib/dpkg
mkdir -p usr/share/{doc/bash,man/man1,locale/de} var/lib/apt/lists var/cache/{apt,debconf,ldconfig}
echo "deb http://mirror.invalid/debian bookworm main" >etc/apt/sources.list
echo "nameserver 10.1.2.3" >etc/resolv.conf
echo my-laptop >etc/hostname
for file in usr/share/{doc/bash/copyright,doc/bash/README,man/man1/bash.1,locale/locale.alias} \
  usr/share/locale/de/x var/lib/apt/lists/list var/log/dpkg.log bin/bash; do
  echo text >"$file"
done
"""


@pytest.fixture
def engine(machine):
    """An engine without the image, which can't pull; root; what it imports is kept."""
    machine.is_root()
    image = machine.folder / "image.tar"
    machine.has(
        "docker",
        f'case "$1 $2" in "image inspect") [ -s "{image}" ] && exit 0; {NO_SUCH} ;;\n'
        f'"pull -q") exit 1 ;; "version --format") echo amd64 ;;\n'
        f'"import -c") cat >"{image}" ;; esac',
    )
    machine.variables["SAGEDOCK_DEBIAN_KEYRING"] = str(machine.folder)
    machine.has("dpkg", "echo amd64")
    machine.has("chroot", "true")
    machine.has("umount", "exit 1")
    return image


def test_an_image_that_is_there_is_left_alone(machine):
    machine.has("docker", "echo sha256:1")
    done = machine.run("ensure-base.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(machine.calls("docker")) == 1


def test_an_image_that_can_be_pulled_is_pulled(machine, tmp_path):
    there = tmp_path / "there"
    machine.has(
        "docker",
        f'case $1 in image) [ -e "{there}" ] || exit 1 ;; pull) touch "{there}" ;; esac',
    )
    machine.has("debootstrap", "exit 1")
    assert machine.run("ensure-base.sh").returncode == 0
    assert machine.calls("debootstrap") == []


def test_without_a_client(machine):
    done = machine.run("ensure-base.sh")
    assert done.returncode == 1
    assert "docker/ensure-engine.sh" in done.stderr


@pytest.mark.parametrize(
    ("system", "words"), [("Linux", "needs root"), ("Darwin", "only Linux can make it")]
)
def test_where_it_can_not_be_made_the_next_step_is_told(machine, system, words):
    machine.has("uname", f"echo {system}")
    machine.has("docker", NO_SUCH)
    done = machine.run("ensure-base.sh")
    assert done.returncode == 1
    assert words in done.stderr
    assert "docker pull debian:bookworm-slim" in done.stderr


def test_another_image_than_debians_is_not_made(machine):
    machine.is_root()
    machine.has("docker", NO_SUCH)
    done = machine.run("ensure-base.sh", "example/other:1")
    assert done.returncode == 1
    assert "docker pull example/other:1" in done.stderr


@pytest.mark.usefixtures("engine")
def test_without_debootstrap_and_apt(machine):
    done = machine.run("ensure-base.sh")
    assert done.returncode == 1
    assert "this is missing: debootstrap" in done.stderr


def test_debians_keys_are_needed_too(machine, engine):
    machine.has("debootstrap", TREE)
    machine.has("apt-get", "true")
    keyring = str(machine.folder / "no-keys")
    done = machine.run("ensure-base.sh", SAGEDOCK_DEBIAN_KEYRING=keyring)
    assert done.returncode == 0, done.stderr
    assert machine.calls("apt-get")[-1].endswith(" debian-archive-keyring")
    assert f"--keyring={keyring} bookworm" in machine.calls("debootstrap")[0]
    assert engine.exists()


@pytest.mark.usefixtures("engine")
def test_an_engine_of_another_kind_of_machine(machine):
    machine.has("debootstrap", TREE)
    machine.has("dpkg", "echo arm64")
    done = machine.run("ensure-base.sh")
    assert done.returncode == 1
    assert "the engine runs on amd64, this machine is arm64" in done.stderr
    assert machine.calls("debootstrap") == []


def test_the_image_is_slim_and_knows_nothing_of_this_machine(machine, engine):
    machine.has("debootstrap", TREE)
    done = machine.run("ensure-base.sh")
    assert done.returncode == 0, done.stderr
    assert machine.left_behind() == []
    with tarfile.open(engine) as image:
        files = {m.name.removeprefix("./"): image.extractfile(m) for m in image if m.isfile()}
        texts = {name: file.read().decode() for name, file in files.items()}
    assert "usr/share/doc/bash/copyright" in texts
    assert "usr/share/locale/locale.alias" in texts
    gone = ("usr/share/doc/bash/README", "usr/share/man/man1/bash.1", "usr/share/locale/de/x")
    assert not [
        name for name in (*gone, "var/lib/apt/lists/list", "var/log/dpkg.log") if name in texts
    ]
    assert texts["etc/resolv.conf"] == texts["etc/hostname"] == texts["etc/machine-id"] == ""
    assert "path-exclude /usr/share/man/*" in texts["etc/dpkg/dpkg.cfg.d/docker"]
    assert "archives" in texts["etc/apt/apt.conf.d/docker-clean"]
    assert "bookworm-security" in texts["etc/apt/sources.list"]
    imported = machine.calls("docker")[-1]
    assert 'CMD ["bash"]' in imported
    assert imported.endswith("debian:bookworm-slim")


@pytest.mark.usefixtures("engine")
def test_a_mirror_can_be_named(machine):
    machine.has("debootstrap", TREE)
    machine.run("ensure-base.sh", SAGEDOCK_DEBIAN_MIRROR="http://near.invalid/debian")
    assert machine.calls("debootstrap")[0].endswith(" http://near.invalid/debian")


@pytest.mark.usefixtures("engine")
def test_a_failure_shows_why_and_leaves_nothing(machine):
    machine.has("debootstrap", 'mkdir -p "$4/usr"; echo "E: Couldn\'t download packages"; exit 1')
    done = machine.run("ensure-base.sh")
    assert done.returncode == 1
    assert "Couldn't download packages" in done.stderr
    assert "SAGEDOCK_DEBIAN_MIRROR" in done.stderr
    assert machine.left_behind() == []


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_leaves_nothing(machine, sent, code):
    machine.has("debootstrap", 'mkdir -p "$4/usr/share"; sleep 30')
    process = machine.start("ensure-base.sh")
    for _ in range(200):
        if any(machine.temporary.glob("sagedock-base.*/root/usr/share")):
            break
        time.sleep(0.05)
    os.killpg(process.pid, sent)
    process.communicate(timeout=20)
    assert process.returncode == code
    assert machine.left_behind() == []


def test_two_at_once_make_one(machine, engine):
    machine.has("debootstrap", TREE)
    both = [machine.start("ensure-base.sh") for _ in range(2)]
    assert [(p.communicate(timeout=60), p.returncode)[1] for p in both] == [0, 0]
    assert len(machine.calls("debootstrap")) == 1
    assert engine.stat().st_size > 0
