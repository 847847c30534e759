"""Turns a linked image into what boards load: flat binaries, and the line table embedded for panic reports."""

from compiler.image.line_table import (
    LINE_TABLE_SECTION,
    LineTableError,
    Location,
    build_line_table,
    find_location,
    link_with_line_table,
)
from compiler.image.raw import RawImageError, arm64_header, flat_binary

__all__ = [
    "LINE_TABLE_SECTION",
    "LineTableError",
    "Location",
    "RawImageError",
    "arm64_header",
    "build_line_table",
    "find_location",
    "flat_binary",
    "link_with_line_table",
]
