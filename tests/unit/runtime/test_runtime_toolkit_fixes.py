"""The corrections know exactly what they correct; what they do is tested in the image."""

from __future__ import annotations

import pytest

from sagedock.runtime.toolkit_fixes import FIXES, NOTE, apply, corrected


def original(file: str) -> str:
    """A file that has each passage of `file` once, in the order in which fixes look for them."""
    return "\n".join(fix.old for fix in reversed(FIXES) if fix.file == file)


@pytest.mark.parametrize("file", sorted({fix.file for fix in FIXES}))
def test_each_passage_is_replaced_once_and_only_once(file):
    text = corrected(file, original(file))
    assert text.startswith(NOTE)
    assert all(fix.new in text for fix in FIXES if fix.file == file and fix.old not in fix.new)
    assert corrected(file, text) == text


def test_another_version_stops_the_build(tmp_path):
    for file in {fix.file for fix in FIXES}:
        (tmp_path / file).write_text("something else\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"isn't that of 5\.1\.4"):
        apply(tmp_path)
    assert {path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {"something else\n"}
