"""Every rule of the contract that the serving image alone can show has a test in a container that
names it. What is left out needs the service: limits of requests (D1.6, D2.5), its downloads (D3.4),
machines with a GPU (D1.7, D5.10), registries (D5.14), labels for what isn't served (D3.15)."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "docker"
ROWS = """
D1.1 D1.2 D1.3 D1.4 D1.5 D1.9
D2.3 D2.4 D2.6
D3.1 D3.2 D3.3 D3.5 D3.6 D3.7 D3.8 D3.9 D3.10 D3.11 D3.12 D3.13 D3.14 D3.16 D3.17
D4.1
D5.1 D5.2 D5.3 D5.4 D5.5 D5.6 D5.7 D5.8 D5.9 D5.11 D5.12 D5.13
D6.1 D6.2 D6.3 D6.4
E3 E4 E5 E6 E7 E8 E9
H5.2 H5.3 H5.5 H5.6 H5.7 H5.8 H5.9
"""


@pytest.mark.parametrize("row", ROWS.split())
def test_a_test_in_a_container_names_the_row(row):
    named = re.compile(rf"(?<![\w.]){re.escape(row)}(?![\w.]*\d)")
    files = [path for path in FOLDER.glob("test_serving_*.py") if named.search(path.read_text())]
    assert files
