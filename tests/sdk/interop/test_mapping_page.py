"""docs/mapping.md: each name that it says an SDK or sagedock has is there, and none is left out."""

import json
import sys
from pathlib import Path

import pytest
from mapping_page import COLUMNS, column, request_members
from sdk_kit import HERE, ROOT, finished

from sagedock.requests import service_model

ALL_OF = {
    "SDK v2": ["Estimator"],
    "SDK v3": ["ModelTrainer", "Compute", "Networking", "SourceCode"],
    "sagedock": ["Estimator", "TrainingInput", "ScriptProcessor", "ProcessingInput",
                 "ProcessingOutput", "NetworkConfig", "Model", "Transformer"],
}  # fmt: skip
LEFT_OUT = {
    "SDK v2": [],
    "SDK v3": ["config_mgr", "selected_instance_type", "selected_instance_count", "args"],
    "sagedock": [],
}
"""Settings that are none of a job's: results of a choice, and what goes with another argument."""


def checked(title: str, python: Path, clean, folder: Path) -> list[str]:
    found = column(title)
    document = {"places": found.places, "names": found.names, "all_of": ALL_OF[title],
                "left_out": LEFT_OUT[title]}  # fmt: skip
    file = folder / "names.json"
    file.write_text(json.dumps(document))
    environment = {**clean(), "PYTHONPATH": str(ROOT / "src"), "AWS_DEFAULT_REGION": "us-east-1"}
    program = HERE / "interop" / "check_names.py"
    lines = finished([python, program, file], environment, 120).stdout.splitlines()
    assert f"checked {len(found.names)}" in lines
    return [line for line in lines if line.startswith(("missing", "unmapped"))]


@pytest.mark.parametrize(("title", "name"), [("SDK v2", "v2"), ("SDK v3", "v3")])
def test_the_sdks_have_what_the_page_says(title, name, environments, clean, tmp_path):
    assert checked(title, environments[name] / "python", clean, tmp_path) == []


def test_sagedock_has_what_the_page_says(clean, tmp_path):
    assert checked("sagedock", Path(sys.executable), clean, tmp_path) == []


def test_each_column_names_much():
    for title in COLUMNS:
        assert len(column(title).names) > 80


@pytest.mark.parametrize(("operation", "path"), sorted(set(request_members())))
def test_requests_have_the_members_that_the_page_names(operation, path):
    shape = service_model().operation_model(operation).input_shape
    first, *rest = path.split(".")
    assert first in shape.members
    shape = shape.members[first]
    for name in rest:
        if shape.type_name == "map":
            return
        assert name in shape.members
        shape = shape.members[name]
