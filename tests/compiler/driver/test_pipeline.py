"""The pipeline's frame around stages that record their calls: order, caching, artefacts, failures."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from compiler.driver.errors import ToolError
from compiler.driver.images import find_image
from compiler.driver.paths import ROOT
from compiler.driver.pipeline import BuildResult, build
from compiler.driver.platforms import load_platform
from compiler.driver.stages import Checked, Inspected, Linked, Profile, StackUse, Target
from compiler.driver.timing import PhaseLog
from compiler.lower import LoweredObject, TrapTable
from compiler.program.nodes import TrapKind
from compiler.program.program import Program


@dataclass
class RecordingStages:
    """Stages whose output is derived from the one input file, and which note that they were called."""

    calls: list[str] = field(default_factory=list[str])

    def check(self, target: Target) -> Checked:
        self.calls.append("check")
        text = (target.root / "hypervisor" / "main.py").read_text()
        return Checked(Program("main", sources={"hypervisor/main.py": text}), ("hypervisor/main.py",))

    def lower(self, program: Program, target: Target) -> Callable[[], LoweredObject]:
        self.calls.append("lower")
        text = program.sources["hypervisor/main.py"]
        before = {TrapKind.OVERFLOW: 3, TrapKind.BOUNDS: 4}
        lowered = LoweredObject(text.encode(), TrapTable(), checks_before=before, checks_left={TrapKind.OVERFLOW: 2})
        return lambda: lowered

    def assemble(self, program: Program) -> list[tuple[str, bytes]]:
        self.calls.append("assemble")
        return [("blocks", b"-block")]

    def link(self, objects: Sequence[tuple[str, bytes]], target: Target) -> Linked:
        self.calls.append("link")
        content = b"".join(content for _, content in objects)
        return Linked(b"ELF " + content, content, "the map")

    def guard(self, linked: Linked, program: Program, traps: TrapTable, target: Target) -> tuple[StackUse, ...]:
        self.calls.append("guard")
        return (StackUse("STACK_SIZE", 4096, 96, "_start", ("_start", "main")),)

    def inspect(self, linked: Linked, target: Target) -> Inspected:
        self.calls.append("inspect")
        return Inspected("the listing", {"code": len(linked.raw)})


ALL = ["check", "lower", "assemble", "link", "guard", "inspect"]


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "hypervisor").mkdir()
    (tmp_path / "hypervisor" / "main.py").write_text("first")
    return Target(tmp_path, find_image("hypervisor"), load_platform(ROOT, "qemu"), Profile.RELEASE)


def built(target: Target) -> tuple[BuildResult, list[str]]:
    stages = RecordingStages()
    return build(target, stages, PhaseLog()), stages.calls


def test_phases_in_order_and_what_they_leave(target: Target) -> None:
    log = PhaseLog()
    result = build(target, RecordingStages(), log)
    assert [phase.name for phase in log.phases] == ["load", "check", "generate", "link", "guard", "inspect"]
    folder = target.root / "build" / "qemu"
    assert {file.name: file.read_text() for file in folder.iterdir()} == {
        "hypervisor.elf": "ELF first-block",
        "hypervisor.bin": "first-block",
        "hypervisor.map": "the map",
        "hypervisor.lst": "the listing",
    }
    assert not result.up_to_date
    assert (result.size_bytes, result.checks_left) == ({"code": 11}, {"overflow": 2})


def test_nothing_to_do(target: Target) -> None:
    first, _ = built(target)
    second, calls = built(target)
    assert calls == []
    assert second.up_to_date
    assert (second.size_bytes, second.checks_left) == (first.size_bytes, first.checks_left)
    assert second.stacks == first.stacks != ()


def test_a_touched_file_with_the_same_content_is_no_change(target: Target) -> None:
    built(target)
    os.utime(target.root / "hypervisor" / "main.py")
    assert built(target)[1] == []


def test_a_changed_input_builds_again(target: Target) -> None:
    built(target)
    (target.root / "hypervisor" / "main.py").write_text("other")
    result, calls = built(target)
    assert calls == ALL
    assert result.artefacts["bin"].read_text() == "other-block"


def test_another_profile_builds_again(target: Target) -> None:
    built(target)
    assert built(replace(target, profile=Profile.DEBUG))[1] == ALL
    assert built(target)[1] == ALL


def test_a_damaged_artefact_builds_again(target: Target) -> None:
    result, _ = built(target)
    result.artefacts["elf"].write_bytes(b"cut off")
    result, calls = built(target)
    assert calls == ALL
    assert result.artefacts["elf"].read_text() == "ELF first-block"


def test_a_failing_stage_leaves_the_earlier_artefacts(target: Target) -> None:
    class Failing(RecordingStages):
        def link(self, objects: Sequence[tuple[str, bytes]], target: Target) -> Linked:
            raise ToolError("B999", "no")

    result, _ = built(target)
    (target.root / "hypervisor" / "main.py").write_text("other")
    with pytest.raises(ToolError, match="no"):
        build(target, Failing(), PhaseLog())
    assert result.artefacts["elf"].read_text() == "ELF first-block"
    assert built(target)[1] == ALL


def test_an_unwritable_folder_is_an_error(target: Target) -> None:
    (target.root / "build").write_text("a file where a folder has to be")
    with pytest.raises(ToolError) as caught:
        built(target)
    assert caught.value.code == "B102"


def test_only_imported_modules_and_what_is_no_module_count(target: Target) -> None:
    other, data = target.root / "hypervisor" / "other.py", target.root / "hypervisor" / "data.toml"
    other.write_text("not imported")
    data.write_text("read by modules")
    built(target)
    other.write_text("changed")
    assert built(target)[1] == []
    data.write_text("changed")
    assert built(target)[1] == ALL
    other.rename(other.with_name("renamed.py"))
    assert built(target)[1] == ALL
