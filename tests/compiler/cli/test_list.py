"""`list`: platforms, images, benches."""

from compiler.driver.images import all_images
from compiler.driver.paths import ROOT
from compiler.driver.platforms import platform_names
from tests.compiler.cli.conftest import Tool


def test_everything_there_is(tool: Tool) -> None:
    words = set(tool("list").stdout.split())
    assert {
        *platform_names(ROOT),
        *(image.name for image in all_images()),
        "build",
        "0x40000000",
        "0x80000000",
    } <= words
