"""The wanted columns of a CSV (also .gz) or Parquet file, whole, in memory."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from schemas.errors import MappingError

MAX_FILE_BYTES = 2 * 1024**3


def read(file: Path, columns: list[str], delimiter: str = ",") -> pa.Table:
    """The columns of the file; CSV columns are text and empty cells are missing.

    Raises MappingError: no such file, too large for memory, another format, unreadable, or a column is not there.
    """
    try:
        size = file.stat().st_size
        if size > MAX_FILE_BYTES:
            raise MappingError(
                f"{file}: {size} bytes, more than the {MAX_FILE_BYTES} that are sorted in memory; split it"
            )
        if file.suffix == ".parquet":
            return _read_parquet(file, columns)
        if file.suffixes[-1:] == [".csv"] or file.suffixes[-2:] == [".csv", ".gz"]:
            return _read_csv(file, columns, delimiter)
    except OSError as error:
        raise MappingError(f"{file}: {error.strerror or error}; give a readable CSV or Parquet file") from error
    except pa.ArrowException as error:
        raise MappingError(f"{file}: {' '.join(str(error).split())}") from error
    raise MappingError(f"{file}: unknown format; give a .csv, .csv.gz or .parquet file")


def _read_parquet(file: Path, columns: list[str]) -> pa.Table:
    schema = pa_parquet.read_schema(file)
    _require(file, columns, schema.names)
    for column in columns:
        kind = schema.field(column).type
        if pa.types.is_nested(kind):
            raise MappingError(f"{file}: column {column} holds {kind}; give columns of single values")
    found = pa_parquet.read_table(file, columns=columns)
    # Text is taken as it lies there: what is no UTF-8 would be noticed in the middle.
    found.validate(full=True)
    return found


def _read_csv(file: Path, columns: list[str], delimiter: str) -> pa.Table:
    parse = pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    with pa.input_stream(str(file), compression="detect") as stream:
        table = pa_csv.read_csv(
            stream,
            parse_options=parse,
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    _require(file, columns, table.column_names)
    return table.select(columns)


def _require(file: Path, columns: list[str], present: list[str]) -> None:
    for column in columns:
        if column not in present:
            raise MappingError(f"{file}: no column {column}; it has {', '.join(present)}")
        if present.count(column) > 1:
            raise MappingError(f"{file}: {present.count(column)} columns are called {column}; rename all but one")
