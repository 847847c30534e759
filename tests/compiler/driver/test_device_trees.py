"""dtc as the tool calls it: trees, and the lines that nodes and properties come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.driver.device_trees import compile_tree, source_places
from compiler.driver.errors import ToolError

SOURCE = """/dts-v1/;
/include/ "part.dtsi"
/ {
    top = <1>,
          <2>;
    label: node@1 {
        text = "a;b", "c {";
        flag;
        inner { bytes = [01 02]; };
    };
};
"""
PART = """/ {
    included { x = <&label>; };
};
"""


def test_every_node_and_property_has_its_line(tmp_path: Path) -> None:
    source = tmp_path / "all.dts"
    source.write_text(SOURCE)
    (tmp_path / "part.dtsi").write_text(PART)
    places = source_places(source)
    expected = {
        ("/", "top"): "all.dts:4",
        ("/node@1", ""): "all.dts:6",
        ("/node@1", "text"): "all.dts:7",
        ("/node@1", "flag"): "all.dts:8",
        ("/node@1/inner", ""): "all.dts:9",
        ("/node@1/inner", "bytes"): "all.dts:9",
        ("/included", ""): "part.dtsi:2",
        ("/included", "x"): "part.dtsi:2",
    }
    assert {key: Path(places[key]).name for key in expected} == expected
    assert compile_tree(source)[:4] == b"\xd0\x0d\xfe\xed"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("/dts-v1/;\n/ {\n  a = <1>\n  b;\n};\n", "dtc does not accept it: syntax error", 4),
        ("/dts-v1/;\n/ { n { };\n  n { };\n};\n", "dtc does not accept it: /n: Duplicate node name", 3),
        ("\0binary", "dtc does not accept it: syntax error", 1),
        ('/dts-v1/;\n/include/ "nothing"\n', 'dtc does not accept it: FATAL ERROR: Couldn\'t open "nothing"', 0),
    ],
)
def test_what_dtc_refuses_has_a_place(text: str, message: str, line: int, tmp_path: Path) -> None:
    source = tmp_path / "bad.dts"
    source.write_text(text)
    with pytest.raises(ToolError) as caught:
        compile_tree(source)
    assert caught.value.code == "B206"
    assert caught.value.what.startswith(message)
    assert caught.value.where == (f"{source}:{line}" if line else str(source))
