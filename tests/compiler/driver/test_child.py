"""Functions in child processes: values, exceptions and deaths come back as such, quickly."""

import importlib
import os
import signal
import sys
import time
from typing import Any

import pytest

from compiler.driver import child


def test_value_and_printed_text() -> None:
    def work(low: int, high: int) -> list[int]:
        os.write(2, b"a remark\n")
        return list(range(low, high))

    outcome = child.call(work, 1, high=4)
    assert outcome.value == [1, 2, 3]
    assert outcome.printed == "a remark\n"


def test_a_large_value_and_much_text_do_not_block() -> None:
    def work() -> bytes:
        os.write(2, b"x" * 5_000_000)
        return b"y" * 20_000_000

    outcome = child.call(work)
    assert (len(outcome.value), len(outcome.printed)) == (20_000_000, 5_000_000)


def test_an_exception_is_raised_again() -> None:
    def work() -> None:
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"):
        child.call(work)


def test_an_exception_that_cannot_travel_keeps_its_text() -> None:
    class Local(Exception):
        pass

    def work() -> None:
        raise Local("text")

    with pytest.raises(RuntimeError, match="Local: text"):
        child.call(work)


def test_an_abort_is_an_error_with_what_was_printed() -> None:
    def work() -> None:
        os.write(2, b"LLVM ERROR: no\n")
        os.abort()

    with pytest.raises(child.ChildCrashed) as caught:
        child.call(work)
    assert caught.value.reason == "killed by SIGABRT"
    assert caught.value.printed == "LLVM ERROR: no\n"
    assert str(caught.value) == "killed by SIGABRT; it printed: LLVM ERROR: no"


def test_an_exit_is_an_error() -> None:
    with pytest.raises(child.ChildCrashed, match="ended with status 5; it printed: nothing"):
        child.call(os._exit, 5)


def test_a_child_that_hangs_is_stopped() -> None:
    started = time.monotonic()
    with pytest.raises(child.ChildCrashed, match=r"stopped after 0\.1 s"):
        child.start(signal.pause).outcome(timeout_seconds=0.1)
    assert time.monotonic() - started < 5


def test_two_children_run_side_by_side() -> None:
    started = time.monotonic()
    children = [child.start(time.sleep, 0.3) for _ in range(2)]
    for one in children:
        one.outcome()
    assert time.monotonic() - started < 0.55


def test_what_the_parent_has_buffered_is_written_once(capfd: pytest.CaptureFixture[str]) -> None:
    sys.stdout.write("once ")
    child.call(os.getpid)
    sys.stdout.flush()
    assert capfd.readouterr().out == "once "


def test_no_descriptor_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    child.call(os.getpid)
    with pytest.raises(child.ChildCrashed):
        child.call(os.abort)
    assert os.listdir("/proc/self/fd") == before


def test_llvm_killing_its_process_is_an_error() -> None:
    def work() -> bytes:
        llvm: Any = importlib.import_module("llvmlite.binding")
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        source = 'target triple = "aarch64-none-elf"\nmodule asm "nop"\n'
        machine = llvm.Target.from_triple("aarch64-none-elf").create_target_machine()
        return bytes(machine.emit_object(llvm.parse_assembly(source)))

    with pytest.raises(child.ChildCrashed) as caught:
        child.call(work)
    assert caught.value.reason == "killed by SIGABRT"
    assert "LLVM ERROR" in caught.value.printed


def test_overhead_is_small() -> None:
    child.call(os.getpid)
    times: list[float] = []
    for _ in range(5):
        started = time.perf_counter()
        child.call(os.getpid)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.05
