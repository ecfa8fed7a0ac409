"""Entries taken out of locks: what comes along, and that nothing of their lines is lost."""

import re

import pytest

from sagedock.images import find_root
from sagedock.project.init_files import parent_packages
from sagedock.project.init_locks import closure, entries

FIRST = """\
# Made by something
joblib==1.6.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via scikit-learn
numpy==2.4.6 \\
    --hash=sha256:cc
    # via
    #   -r requirements.in
    #   scikit-learn
scikit-learn==1.9.1 \\
    --hash=sha256:dd
    # via -r base/requirements.in
"""
SECOND = """\
numpy==2.4.6 \\
    --hash=sha256:cc
    # via
    #   -c ../base/requirements.lock
    #   pandas
pandas==3.1.1 ; python_version >= "3.11" \\
    --hash=sha256:ee
six==1.17.0 --hash=sha256:ff
    # via pandas
"""


def test_each_package_with_its_lines_and_who_brought_it():
    held = entries([FIRST, SECOND])
    assert {name: entry.version for name, entry in held.items()} == {
        "joblib": "1.6.0", "numpy": "2.4.6", "scikit-learn": "1.9.1", "pandas": "3.1.1",
        "six": "1.17.0",
    }  # fmt: skip
    assert held["joblib"].text == (
        "joblib==1.6.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    )
    assert held["numpy"].users >= {"scikit-learn", "pandas"}
    assert held["pandas"].text.startswith('pandas==3.1.1 ; python_version >= "3.11" \\\n')


def names(lock: str) -> list[str]:
    return re.findall(r"^([\w-]+)==", lock, re.MULTILINE)


def test_what_is_wanted_brings_what_it_needs():
    held = entries([FIRST, SECOND])
    assert names(closure(held, ["scikit-learn"])) == ["joblib", "numpy", "scikit-learn"]
    assert names(closure(held, ["pandas"])) == ["numpy", "pandas", "six"]
    assert names(closure(held, ["six"])) == ["six"]
    with pytest.raises(KeyError):
        closure(held, ["torch"])


def test_our_own_locks_are_read_whole():
    held = parent_packages(find_root())
    texts = [path.read_text() for path in find_root().glob("containers/*/requirements.lock")]
    assert set(held) == {name for text in texts for name in names(text)}
    for entry in held.values():
        assert "--hash=sha256:" in entry.text
        assert "#" not in entry.text
