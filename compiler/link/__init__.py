"""The linker: relocatable objects and a linker script in, an ELF image with its map and symbols out.

Small and ours because no linker comes with pip; scripts stay valid for ld.lld, and tests compare the two.
"""

from compiler.link.dwarf_lines import DwarfError, LineRow, LineTable
from compiler.link.image import Contribution, LinkedImage, Section, Segment, Symbol
from compiler.link.linker import link
from compiler.link.problems import CODES, LinkError, LinkProblem, SourcePosition
from compiler.link.script import Script, load_script, parse_script
from compiler.link.writer import write_data_object

__all__ = [
    "CODES",
    "Contribution",
    "DwarfError",
    "LineRow",
    "LineTable",
    "LinkError",
    "LinkProblem",
    "LinkedImage",
    "Script",
    "Section",
    "Segment",
    "SourcePosition",
    "Symbol",
    "link",
    "load_script",
    "parse_script",
    "write_data_object",
]
