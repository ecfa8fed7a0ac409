"""Makes /opt/sagedock, an environment of the base's own Python that sees the base's packages.

    install.py training|serving|both

What the base has stays in use as it is, whatever its version; the rest comes from the locks, with
hashes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path
from typing import NoReturn

HOME = Path("/opt/sagedock")
LOCKS = Path("/containers")
OURS = next(Path("/ours/lib").glob("python3*/site-packages"))
COPIED = ("sagemaker-training", "inotify-simple")
"""What comes as source: the training image has it built, and its known faults corrected."""
WANTED = {
    "training": (("training", None),),
    "serving": (("base", {"numpy"}), ("serving", None)),
}
IMPORTS = {
    "training": "sagemaker_training.environment, sagemaker_training.entry_point, boto3",
    "serving": "numpy, uvicorn.server, uvloop, httptools, orjson, simdjson",
}


def fail(what: str, hint: str) -> NoReturn:
    print(f"sagedock: error: {what} | {hint}", file=sys.stderr)
    sys.exit(1)


def normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def make_environment() -> Path:
    """The environment, without pip; its site-packages."""
    try:
        import venv
    except ImportError:
        fail("the base image's Python has no module venv.", "Debian: apt-get install python3-venv")
    nested = sys.prefix != sys.base_prefix
    venv.EnvBuilder(system_site_packages=not nested, with_pip=False, symlinks=True).create(HOME)
    site = next(HOME.glob("lib/python3*/site-packages"))
    if nested:  # an environment of an environment would see only the Python below both
        seen = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))]
        lines = [f"import site; site.addsitedir({path!r})\n" for path in seen]
        (site / "base-image.pth").write_text("".join(lines), encoding="utf-8")
    return site


def missing(which: str, present: set[str]) -> str:
    """The blocks of the locks that the base does not have."""
    kept = {}
    for folder, only in WANTED[which]:
        text = (LOCKS / folder / "requirements.lock").read_text(encoding="utf-8")
        for block in re.split(r"\n(?=\S)", text):
            match = re.match(r"([A-Za-z0-9._-]+)==", block)
            name = normal(match[1]) if match else ""
            if name and name not in present and name not in COPIED and (not only or name in only):
                kept[name] = block
    return "\n".join(kept.values()) + "\n"


def install(requirements: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".lock", encoding="utf-8") as file:
        file.write(requirements)
        file.flush()
        done = subprocess.run(
            [
                sys.executable, str(OURS / "pip" / "__main__.py"), "--python",
                str(HOME / "bin" / "python3"), "install", "--quiet", "--disable-pip-version-check",
                "--root-user-action=ignore", "--no-warn-script-location", "--no-deps",
                "--require-hashes", "--no-compile", "--only-binary", ":all:", "-r", file.name,
            ],
            check=False,
        )  # fmt: skip
    if done.returncode:
        sys.exit(done.returncode)


def copy(pattern: str, site: Path) -> None:
    for source in OURS.glob(pattern):
        target = site / source.name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def main(asked: str) -> None:
    parts = ("training", "serving") if asked == "both" else (asked,)
    present = {normal(found.name) for found in distributions()}
    site = make_environment()
    requirements = "".join(missing(part, present) for part in parts)
    if requirements.strip():
        install(requirements)
    if "training" in parts:
        for pattern in ("sagemaker_training*", "inotify_simple*"):
            copy(pattern, site)
        extension = next(OURS.glob("gethostname*.so"))
        # It uses nothing that differs between versions of Python, whatever its name says.
        same = f"cpython-{sys.version_info[0]}{sys.version_info[1]}-" in extension.name
        shutil.copy(extension, site / (extension.name if same else "gethostname.abi3.so"))
    if "pip" not in present and not (site / "pip").is_dir():
        copy("pip*", site)
    for part in parts:
        check(part)


def check(part: str) -> None:
    command = [str(HOME / "bin" / "python3"), "-I", "-B", "-c", f"import {IMPORTS[part]}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1]
        fail(
            f"with the base image's packages {part} does not work: {last}",
            "A package of the base is too old or too new: `docker run BASE python3 -m pip list`.",
        )


if __name__ == "__main__":
    os.umask(0o022)
    main(sys.argv[1])
