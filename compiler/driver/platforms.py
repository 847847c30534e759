"""Platforms are data: reads and checks `hypervisor/platform/<name>/platform.toml`.

Every key is required, typed and range-checked here, so that the rest of the tool and the images may rely on
it; a key that is not known is an error. Addresses are physical, sizes are bytes.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from compiler.driver.errors import ToolError, did_you_mean

PLATFORMS_FOLDER = Path("hypervisor", "platform")
PAGE_SIZE_BYTES = 0x1000
DISTRIBUTOR_ALIGNMENT = 0x1_0000
ADDRESS_END = 1 << 48


@dataclass(frozen=True)
class Runner:
    """How images of a platform are started: `qemu`, or `fvp` whose model is not freely packaged."""

    kind: Literal["qemu", "fvp"]
    program: str
    cpu: str
    machine: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Platform:
    """One platform; `file` is where it was read from."""

    name: str
    description: str
    file: Path
    cpu_count_max: int
    affinity_field: int  # which MPIDR_EL1.Aff field tells CPUs apart
    dram_base: int
    dram_size_bytes: int
    image_base: int
    pl011_base: int
    console_clock_hz: int
    distributor_base: int
    redistributor_base: int
    runner: Runner


@dataclass(frozen=True)
class _Key:
    """One key of the file: its section ("" at the top), what it has to be, in words and as a check."""

    section: str
    name: str
    expected: str
    accepts: Callable[[Any], bool]

    @property
    def path(self) -> str:
        return f"{self.section}.{self.name}" if self.section else self.name


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_integer(low: int, high: int, alignment: int = 1) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        return type(value) is int and low <= value <= high and value % alignment == 0

    return accepts


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value))


_page_aligned = _is_integer(0, ADDRESS_END, PAGE_SIZE_BYTES)
_gic_frame = _is_integer(0, ADDRESS_END, DISTRIBUTOR_ALIGNMENT)
_KEYS = (
    _Key("", "name", "the name of its folder", _is_text),
    _Key("", "description", "a line of text", _is_text),
    _Key("cpu", "count_max", "an integer from 1 to 64", _is_integer(1, 64)),
    _Key("cpu", "affinity_field", "an integer from 0 to 3", _is_integer(0, 3)),
    _Key("memory", "dram_base", "a page-aligned address below 2^48", _page_aligned),
    _Key(
        "memory",
        "dram_size",
        "a size of whole pages, at least 1 MiB",
        _is_integer(1 << 20, ADDRESS_END, 4096),
    ),
    _Key("memory", "image_base", "a page-aligned address below 2^48", _page_aligned),
    _Key("console", "pl011_base", "a page-aligned address below 2^48", _page_aligned),
    _Key("console", "clock_hz", "a frequency from 1 kHz to 1 GHz", _is_integer(1_000, 1_000_000_000)),
    _Key("interrupts", "distributor_base", "a 64 KiB-aligned address below 2^48", _gic_frame),
    _Key("interrupts", "redistributor_base", "a 64 KiB-aligned address below 2^48", _gic_frame),
    _Key("errata", "repeat_tlb_invalidation", "true or false", lambda value: isinstance(value, bool)),
    _Key("run", "runner", '"qemu" or "fvp"', lambda value: value in ("qemu", "fvp")),
    _Key("run", "arguments", "a list of strings", _is_strings),
)
_RUNNER_KEYS = {
    "qemu": (
        _Key("run", "cpu", 'a CPU model of QEMU, such as "max"', _is_text),
        _Key("run", "machine", "a value of QEMU's -machine option", _is_text),
    ),
    "fvp": (_Key("run", "program", "the name of the model's program", _is_text),),
}


def platform_names(root: Path) -> list[str]:
    """Return the names of all platforms, sorted."""
    return sorted(file.parent.name for file in (root / PLATFORMS_FOLDER).glob("*/platform.toml"))


def load_platform(root: Path, name: str) -> Platform:
    """Return the named platform, or raise ToolError B201 (no such platform) or B202 (bad file)."""
    file = root / PLATFORMS_FOLDER / name / "platform.toml"
    names = platform_names(root)
    if name not in names:
        raise ToolError(
            "B201",
            f"there is no platform '{name}'{did_you_mean(name, names)}",
            fix=f"platforms are: {', '.join(names)}; each is a file {PLATFORMS_FOLDER}/NAME/platform.toml",
        )
    shown = file.relative_to(root)
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToolError("B202", f"the platform file is not valid TOML: {error}", where=shown) from None
    return _platform_from(content, shown, name)


def _platform_from(content: Mapping[str, Any], file: Path, folder: str) -> Platform:
    runner_kind = _section(content, "run", file).get("runner")
    keys = _KEYS + _RUNNER_KEYS.get(str(runner_kind), ())
    values = {key.path: _value(content, key, file) for key in keys}
    _reject_unknown_keys(content, keys, file)
    if values["name"] != folder:
        raise _bad_key(file, "name", f'"{values["name"]}"', f'"{folder}", as its folder is called')
    dram_end = values["memory.dram_base"] + values["memory.dram_size"]
    if not values["memory.dram_base"] <= values["memory.image_base"] < dram_end:
        expected = f"an address inside DRAM, {values['memory.dram_base']:#x} to {dram_end - 1:#x}"
        raise _bad_key(file, "memory.image_base", f"{values['memory.image_base']:#x}", expected)
    return Platform(
        name=values["name"],
        description=values["description"],
        file=file,
        cpu_count_max=values["cpu.count_max"],
        affinity_field=values["cpu.affinity_field"],
        dram_base=values["memory.dram_base"],
        dram_size_bytes=values["memory.dram_size"],
        image_base=values["memory.image_base"],
        pl011_base=values["console.pl011_base"],
        console_clock_hz=values["console.clock_hz"],
        distributor_base=values["interrupts.distributor_base"],
        redistributor_base=values["interrupts.redistributor_base"],
        runner=Runner(
            kind=values["run.runner"],
            program=values.get("run.program", "qemu-system-aarch64"),
            cpu=values.get("run.cpu", ""),
            machine=values.get("run.machine", ""),
            arguments=tuple(values["run.arguments"]),
        ),
    )


def _section(content: Mapping[str, Any], section: str, file: Path) -> Mapping[str, Any]:
    table = content if section == "" else content.get(section, {})
    if not isinstance(table, Mapping):
        raise _bad_key(file, section, repr(table), f"a table, written [{section}]")
    return cast("Mapping[str, Any]", table)


def _value(content: Mapping[str, Any], key: _Key, file: Path) -> Any:
    table = _section(content, key.section, file)
    if key.name not in table:
        raise _bad_key(file, key.path, "nothing", key.expected)
    value = table[key.name]
    if not key.accepts(value):
        shown = f"{value:#x}" if type(value) is int else repr(value)
        raise _bad_key(file, key.path, shown, key.expected)
    return value


def _reject_unknown_keys(content: Mapping[str, Any], keys: tuple[_Key, ...], file: Path) -> None:
    known = {key.path for key in keys}
    sections = {key.section for key in keys}
    for name, value in content.items():
        inner = cast("Mapping[str, Any]", value) if name in sections else None
        for path in [name] if inner is None else [f"{name}.{key}" for key in inner]:
            if path not in known:
                raise ToolError(
                    "B202",
                    f"unknown key {path}{did_you_mean(path, known)}",
                    where=file,
                    fix=f"the keys are: {', '.join(sorted(known))}",
                )


def _bad_key(file: Path, path: str, found: str, expected: str) -> ToolError:
    return ToolError(
        "B202",
        f"{path} is {found}; expected {expected}",
        where=file,
        fix=f"set {path} in {file} to {expected}",
    )
