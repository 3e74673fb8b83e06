"""Rows of face values as tables in files: CSV and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from face_expr_ros.bags import BagError
from face_expr_ros.core.atomic_files import atomic_path, atomic_text_file

Row = dict[str, Any]  # column -> value
WriteRow = Callable[[Row], None]
BATCH = 1000  # rows of one row group of a Parquet file


@contextmanager
def csv_table(path: Path) -> Iterator[WriteRow]:
    """A function that writes a row; the first row defines the columns.

    Raises:
        BagError: a later row has other columns.
    """
    with atomic_text_file(path, newline="") as file:
        writer: csv.DictWriter[str] | None = None

        def write(row: Row) -> None:
            nonlocal writer
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            _check_columns(row, list(writer.fieldnames))
            writer.writerow(row)

        yield write


@contextmanager
def parquet_table(path: Path) -> Iterator[WriteRow]:
    """The same for a Parquet file, whose column types are those of the first rows.

    Raises:
        BagError: as `csv_table`, or pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise BagError(f"--parquet requires pyarrow ({error}): pip install pyarrow") from error
    with atomic_path(path) as draft, _parquet_rows(draft) as write:
        yield write


@contextmanager
def _parquet_rows(path: Path) -> Iterator[WriteRow]:
    import pyarrow
    from pyarrow import parquet

    writer: Any = None
    rows: list[Row] = []

    def flush() -> None:
        nonlocal writer
        batch = pyarrow.Table.from_pylist(rows, schema=writer.schema if writer else None)
        writer = writer or parquet.ParquetWriter(str(path), batch.schema)
        writer.write_table(batch)
        rows.clear()

    def write(row: Row) -> None:
        if rows or writer:
            _check_columns(row, list(rows[0]) if rows else writer.schema.names)
        rows.append(row)
        if len(rows) >= BATCH:
            flush()

    try:
        yield write
        if rows or writer is None:  # a table without rows is still a valid file
            flush()
    finally:
        if writer is not None:
            writer.close()


def _check_columns(row: Row, columns: list[str]) -> None:
    if row.keys() != set(columns):
        odd = ", ".join(sorted(row.keys() ^ set(columns)))
        raise BagError(f"expected the same blendshapes for all faces, got faces with and without {odd}")
