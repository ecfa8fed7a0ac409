"""Corrections of sagemaker-training 5.1.4, made to the installed package when an image is built.

Each is an exact replacement, so that a build with another version of the toolkit stops instead of
correcting something else. What the supervisor can cover from outside it covers (B7.1, B7.2 for
`train`); these are for users' scripts that import the toolkit, and for a script's start, which
would else wait for boto3 to be imported (B7.8).

    python -m sagedock.runtime.toolkit_fixes [FOLDER]     FOLDER: the installed sagemaker_training
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

VERSION = "5.1.4"
NOTE = "# Changed by sagedock: see sagedock/runtime/toolkit_fixes.py\n"


@dataclass(frozen=True, kw_only=True)
class Fix:
    """Replaces `old` by `new` in `file`; `why` names the fault (row of the contract)."""

    file: str
    why: str
    old: str
    new: str


FIXES = (
    Fix(
        file="trainer.py",
        why="B7.2: an OSError without errno ended a failed job with exit code 0",
        old="""    try:
        valid_exit_code = int(exit_code)
    except ValueError:
        valid_exit_code = DEFAULT_FAILURE_CODE
""",
        new="""    try:
        valid_exit_code = int(exit_code) or DEFAULT_FAILURE_CODE
    except (TypeError, ValueError):
        valid_exit_code = DEFAULT_FAILURE_CODE
""",
    ),
    Fix(
        file="functions.py",
        why="B7.3: inspect.ArgSpec is gone since Python 3.11",
        old="""    return inspect.ArgSpec(
        full_arg_spec.args, full_arg_spec.varargs, full_arg_spec.varkw, full_arg_spec.defaults
    )
""",
        new="""    return ArgSpec(
        full_arg_spec.args, full_arg_spec.varargs, full_arg_spec.varkw, full_arg_spec.defaults
    )
""",
    ),
    Fix(
        file="functions.py",
        why="B7.3: the type that went with it",
        old="""from sagemaker_training import mapping

""",
        new="""from sagemaker_training import mapping

ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")

""",
    ),
    Fix(
        file="functions.py",
        why="B7.3: its import",
        old="import inspect\n",
        new="import collections\nimport inspect\n",
    ),
    Fix(
        file="encoders.py",
        why="B7.4: one row of text/csv lost its dimension; one column stays a vector, as before",
        old="""        array = np.array([row for row in reader]).squeeze()
""",
        new="""        array = np.array([row for row in reader])
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
""",
    ),
    Fix(
        file="environment.py",
        why="B7.5: the name lies under another key of resourceconfig.json",
        old="""        return self.resource_config["current_instance_group"]
""",
        new="""        return self.resource_config.get("current_group_name", "homogeneousCluster")
""",
    ),
    Fix(
        file="environment.py",
        why="B7.8: boto3 (0.2 s) was imported to learn a region that is nearly always given",
        old="""        sagemaker_region = sagemaker_hyperparameters.get(
            params.REGION_NAME_PARAM, boto3.session.Session().region_name
        )
""",
        new="""        sagemaker_region = (
            sagemaker_hyperparameters.get(params.REGION_NAME_PARAM)
            or os.environ.get("AWS_DEFAULT_REGION")
            or os.environ.get("AWS_REGION")
            or _region_of_session()
        )
""",
    ),
    Fix(
        file="environment.py",
        why="B7.8: where the import went",
        old="""class Environment(mapping.MappingMixin):""",
        new="""def _region_of_session():
    import boto3

    return boto3.session.Session().region_name


class Environment(mapping.MappingMixin):""",
    ),
    Fix(
        file="environment.py",
        why="B7.8: the import itself",
        old="import boto3\n\nfrom sagemaker_training",
        new="from sagemaker_training",
    ),
)


def corrected(file: str, text: str) -> str:
    """`text` of the toolkit's `file` with its faults corrected; corrected text stays as it is.

    Raises ValueError where a passage isn't there exactly once.
    """
    if text.startswith(NOTE):
        return text
    for fix in FIXES:
        if fix.file == file:
            if text.count(fix.old) != 1:
                raise ValueError(
                    f"sagemaker_training/{file} isn't that of {VERSION}: no single passage for "
                    f"the fix of {fix.why}"
                )
            text = text.replace(fix.old, fix.new)
    return NOTE + text


def apply(folder: Path) -> list[str]:
    """Corrects the files of the installed toolkit in `folder`; their names."""
    files = sorted({fix.file for fix in FIXES})
    texts = {file: corrected(file, (folder / file).read_text(encoding="utf-8")) for file in files}
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return files


def main(argv: Sequence[str]) -> int:
    """Called by the training image's build, before byte-compiling."""
    folder = Path(argv[0]) if argv else _installed()
    print(f"sagemaker-training {VERSION} in {folder}: corrected {', '.join(apply(folder))}")
    return 0


def _installed() -> Path:
    spec = find_spec("sagemaker_training")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("sagemaker-training isn't installed here")
    return Path(spec.origin).parent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
