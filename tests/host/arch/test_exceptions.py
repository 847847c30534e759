"""Exceptions of guests that are no calls: which are emulated, which the guest gets itself, which end it."""

from __future__ import annotations

import itertools

import pytest

from compiler.language.register_table import REGISTERS, encoding_of
from hypervisor.core.partition import PartitionKind
from hypervisor.core.vcpu import VcpuState
from tests.host.firmware.machine import GUEST, PRIMARY, SERVICE, Machine

E2H, ATA = 1 << 34, 1 << 56
UNKNOWN, ILLEGAL, SYSTEM_REGISTER, FETCH, DATA = 0x00, 0x0E, 0x18, 0x20, 0x24
IL = 1 << 25
EL0, EL1T, EL1H, AARCH32_USER = 0, 4, 5, 0x10
PC, VECTORS, ADDRESS = 0x4120_1004, 0x4130_0000, 0x900_0042
MASKED = 0x3C0
SPAN, DSSBS = 1 << 23, 1 << 44
PAN, SSBS, TCO, NZCV, DIT, UAO, SS, BTYPE = 1 << 22, 1 << 12, 1 << 25, 0xF << 28, 1 << 24, 1 << 23, 1 << 21, 3 << 10
IL_STATE = 1 << 20


def machine(partition: int, *, host: bool = True, state: int = EL1H, control: int = SPAN) -> Machine:
    """A machine whose partition runs at PC."""
    made = Machine()
    made.run(made.vcpu(partition))
    suffix = "_EL12" if host else "_EL1"
    made.registers["HCR_EL2"] = E2H if host else 0
    made.registers["SPSR_EL2"], made.registers["ELR_EL2"] = state, PC
    made.registers["FAR_EL2"] = ADDRESS
    made.registers[f"VBAR{suffix}"], made.registers[f"SCTLR{suffix}"] = VECTORS, control
    for number in range(31):
        made.vcpu(partition).context.x[number] = 0x1000 + number
    return made


def access(name: str, register: int, *, read: bool) -> int:
    """ESR_EL2 of a trapped MRS or MSR."""
    code = encoding_of(name)
    numbers = code.op0 << 20 | code.op2 << 17 | code.op1 << 14 | code.crn << 10 | register << 5 | code.crm << 1
    return SYSTEM_REGISTER << 26 | IL | numbers | read


def injected(made: Machine, *, host: bool = True) -> tuple[int, ...]:
    """ESR, ELR and SPSR of EL1, and where the guest goes on."""
    suffix = "_EL12" if host else "_EL1"
    names = [f"{name}{suffix}" for name in ("ESR", "ELR", "SPSR")]
    return tuple(made.registers[name] for name in [*names, "ELR_EL2", "SPSR_EL2"])


EVERY_FIELD = 0x1111_1111_1111_1111
"""A register with something in each field."""
HIDDEN = {
    "ID_AA64PFR0_EL1": [36, 40, 44, 52],
    "ID_AA64PFR1_EL1": [16, 20, 28, 36, 44, 48, 52, 56, 60],
    "ID_AA64DFR0_EL1": [4, 16, 24, 32, 40, 44, 48, 52, 56, 60],
    "ID_AA64ISAR0_EL1": [24],
    "ID_AA64ISAR1_EL1": [60],
    "ID_AA64ISAR2_EL1": [16, 32, 36, 40, 44, 56, 60],
    "ID_AA64MMFR0_EL1": [56, 60],
    "ID_AA64MMFR1_EL1": [16, 32, 40, 52, 56],
    "ID_AA64MMFR2_EL1": [24, 56],
}
"""Fields by their lowest bit that no guest sees."""
NOT_SWITCHED = {
    "ID_AA64PFR0_EL1": [24, 28, 32],
    "ID_AA64PFR1_EL1": [8, 12, 24, 32, 40],
    "ID_AA64DFR0_EL1": [8],
    "ID_AA64ZFR0_EL1": list(range(0, 64, 4)),
    "ID_AA64SMFR0_EL1": list(range(0, 64, 4)),
    "ID_DFR0_EL1": [24],
}
"""And those that only the primary sees: GIC, RAS, SVE; MTE, SME, context numbers; counters."""
SHOWN = [name for name in REGISTERS if name.startswith(("ID_", "MVFR"))]
UNUSED = {
    "ID_AFR0_EL1",
    "ID_AA64PFR2_EL1",
    "ID_AA64FPFR0_EL1",
    "ID_AA64DFR1_EL1",
    "ID_AA64DFR2_EL1",
    "ID_AA64AFR0_EL1",
    "ID_AA64AFR1_EL1",
    "ID_AA64ISAR3_EL1",
    "ID_AA64MMFR3_EL1",
    "ID_AA64MMFR4_EL1",
}
ABSENT = [
    "PMCR_EL0",
    "PMCCNTR_EL0",
    "MDSCR_EL1",
    "DBGBVR0_EL1",
    "OSLAR_EL1",
    "CNTP_CTL_EL0",
    "LORC_EL1",
    "TRFCR_EL1",
    "ICC_SGI1R_EL1",
    "GCR_EL1",
    "SCXTNUM_EL1",
    "AMCR_EL0",
    "S3_1_C11_C0_2",
    "S3_0_C15_C0_0",
    "S2_1_C0_C0_0",
]


class TestIdentification:
    @pytest.mark.parametrize("partition", [PRIMARY, GUEST])
    @pytest.mark.parametrize("name", SHOWN)
    def test_a_guest_sees_the_features_that_it_has(self, partition: int, name: str) -> None:
        made = machine(partition)
        made.registers[name] = EVERY_FIELD
        hidden = HIDDEN.get(name, []) + (NOT_SWITCHED.get(name, []) if partition == GUEST else [])
        expected = 0 if name in UNUSED else sum(1 << low for low in range(0, 64, 4) if low not in hidden)
        made.fault(access(name, 20, read=True))
        assert made.vcpu(partition).context.x[20] == expected
        assert made.registers["ELR_EL2"] == PC + 4

    @pytest.mark.parametrize("partition", [PRIMARY, GUEST])
    @pytest.mark.parametrize(("medium", "operation"), list(itertools.product(range(1, 8), range(8))))
    def test_every_encoding_of_the_group_answers(self, partition: int, medium: int, operation: int) -> None:
        made = machine(partition)
        made.fault(access(f"S3_0_C0_C{medium}_{operation}", 3, read=True))
        assert made.vcpu(partition).context.x[3] == 0
        assert made.registers["ELR_EL2"] == PC + 4

    @pytest.mark.parametrize(("shown", "seen"), [(0, 0), (1, 1), (2, 1), (3, 1)])
    def test_a_secondary_has_no_context_numbers(self, shown: int, seen: int) -> None:
        for partition, expected in ((PRIMARY, shown), (GUEST, seen)):
            made = machine(partition)
            made.registers["ID_AA64PFR0_EL1"] = shown << 56
            made.fault(access("ID_AA64PFR0_EL1", 0, read=True))
            assert made.vcpu(partition).context.x[0] == expected << 56

    @pytest.mark.parametrize("register", range(32))
    def test_the_register_named_gets_the_value_and_no_other(self, register: int) -> None:
        made = machine(PRIMARY)
        made.registers["ID_AA64ISAR0_EL1"] = 0x22
        result = made.fault(access("ID_AA64ISAR0_EL1", register, read=True))
        expected = [0x22 if number == register else 0x1000 + number for number in range(31)]
        assert list(made.vcpu(PRIMARY).context.x) == expected
        assert list(result) == expected[:8]


class TestOtherRegisters:
    def test_actlr_reads_as_zero_and_ignores_writes(self) -> None:
        made = machine(GUEST)
        made.fault(access("ACTLR_EL1", 5, read=False))
        made.fault(access("ACTLR_EL1", 6, read=True))
        assert (made.vcpu(GUEST).context.x[5], made.vcpu(GUEST).context.x[6]) == (0x1005, 0)
        assert made.registers["ELR_EL2"] == PC + 8

    @pytest.mark.parametrize("partition", [PRIMARY, GUEST])
    @pytest.mark.parametrize("read", [False, True])
    @pytest.mark.parametrize("name", ABSENT)
    def test_what_a_guest_has_not_got_is_undefined(self, partition: int, name: str, read: bool) -> None:
        made = machine(partition)
        before = list(made.vcpu(partition).context.x)
        assert list(made.fault(access(name, 7, read=read))) == before[:8]
        assert injected(made) == (IL, PC, EL1H, VECTORS + 0x200, MASKED | EL1H)
        assert list(made.vcpu(partition).context.x) == before

    def test_writes_of_identification_registers_are_undefined(self) -> None:
        made = machine(PRIMARY)
        made.fault(access("ID_AA64PFR0_EL1", 7, read=False))
        assert injected(made)[3] == VECTORS + 0x200


class TestInjection:
    @pytest.mark.parametrize("host", [False, True])
    @pytest.mark.parametrize(
        ("state", "vector"), [(EL1T, 0x000), (EL1H, 0x200), (EL0, 0x400), (AARCH32_USER, 0x600), (0x30, 0x600)]
    )
    def test_the_vector_is_that_of_where_the_guest_was(self, host: bool, state: int, vector: int) -> None:
        made = machine(GUEST, host=host, state=state)
        made.fault(ILLEGAL << 26 | IL)
        assert injected(made, host=host) == (IL, PC, state, VECTORS + vector, MASKED | EL1H)

    @pytest.mark.parametrize(
        ("old", "control", "configuration", "new"),
        [
            (0, SPAN, 0, 0),
            (0, 0, 0, PAN),
            (PAN, SPAN, 0, PAN),
            (NZCV | DIT, SPAN, 0, NZCV | DIT),
            (UAO | SS | BTYPE | IL_STATE | SSBS | TCO, SPAN, 0, 0),
            (0, SPAN | DSSBS, 0, SSBS),
            (0, SPAN, ATA, TCO),
        ],
    )
    def test_processor_state(self, old: int, control: int, configuration: int, new: int) -> None:
        made = machine(GUEST, state=old | EL1H, control=control)
        made.registers["HCR_EL2"] = E2H | configuration
        made.fault(ILLEGAL << 26 | IL)
        assert injected(made)[2:] == (old | EL1H, VECTORS + 0x200, new | MASKED | EL1H)

    @pytest.mark.parametrize("host", [False, True])
    @pytest.mark.parametrize(
        ("kind", "iss", "state", "syndrome"),
        [
            (DATA, 0x06, EL1H, 0x25 << 26 | IL | 0x10),
            (DATA, 0x47, EL0, 0x24 << 26 | IL | 0x50),
            (DATA, 0x0F | 1 << 24 | 5 << 16, EL1H, 0x25 << 26 | IL | 0x10),
            (DATA, 0x86, EL0, 0x24 << 26 | IL | 0x16),
            (FETCH, 0x07, EL1T, 0x21 << 26 | IL | 0x10),
            (FETCH, 0x85, EL0, 0x20 << 26 | IL | 0x15),
        ],
    )
    def test_the_primary_gets_an_external_abort(
        self, host: bool, kind: int, iss: int, state: int, syndrome: int
    ) -> None:
        made = machine(PRIMARY, host=host, state=state)
        made.fault(kind << 26 | IL | iss)
        assert injected(made, host=host)[:3] == (syndrome, PC, state)
        assert made.registers["FAR_EL12" if host else "FAR_EL1"] == ADDRESS
        assert made.vcpu(PRIMARY).state == VcpuState.RUNNING


class TestChangedTables:
    """While a CPU changes a block of stage 2 it is away for a moment, and others may meet the empty entry."""

    MEMORY, SIZE = 0x4100_0000, 0x20_0000

    def faulted(self, partition: int, syndrome: int, address: int) -> Machine:
        made = machine(partition)
        made.map_memory(partition, self.MEMORY, self.SIZE)
        made.registers["HPFAR_EL2"] = address >> 12 << 4
        made.fault(syndrome)
        return made

    @pytest.mark.parametrize("partition", [PRIMARY, GUEST])
    @pytest.mark.parametrize("kind", [FETCH, DATA])
    @pytest.mark.parametrize("status", [0x04, 0x05, 0x06, 0x07])
    def test_an_access_to_memory_that_is_mapped_again_is_repeated(self, partition: int, kind: int, status: int) -> None:
        made = self.faulted(partition, kind << 26 | IL | status, self.MEMORY + self.SIZE - 0x1000)
        assert (made.registers["ELR_EL2"], made.registers["SPSR_EL2"]) == (PC, EL1H)
        assert made.vcpu(partition).state == VcpuState.RUNNING

    @pytest.mark.parametrize(
        ("status", "address"), [(0x06, MEMORY + SIZE), (0x06, MEMORY - 1), (0x0E, MEMORY), (0x06, 1 << 40)]
    )
    def test_nothing_else_is_repeated(self, status: int, address: int) -> None:
        made = self.faulted(PRIMARY, DATA << 26 | IL | status, address)
        assert made.registers["ELR_EL2"] == VECTORS + 0x200
        assert self.faulted(GUEST, DATA << 26 | IL | status, address).current.kind == PartitionKind.PRIMARY


class TestEnd:
    @pytest.mark.parametrize("kind", [FETCH, DATA])
    def test_a_secondary_without_memory_ends(self, kind: int) -> None:
        made = machine(GUEST)
        result = made.fault(kind << 26 | IL | 0x06)
        assert made.current.address_ == made.vcpu(PRIMARY).address_
        assert made.vcpu(GUEST).state_when_saved == VcpuState.ABORTED
        assert result[0] == 0x8400_0060

    @pytest.mark.parametrize("kind", [UNKNOWN, ILLEGAL, SYSTEM_REGISTER, FETCH, DATA, 0x22, 0x26, 0x2F, 0x3C])
    def test_a_partition_at_el0_ends_with_any_fault(self, kind: int) -> None:
        made = machine(SERVICE, state=EL0)
        made.fault(kind << 26 | IL)
        assert made.vcpu(SERVICE).state_when_saved == VcpuState.ABORTED

    @pytest.mark.parametrize("cause", [0x40, 0x41])
    def test_the_primary_goes_on_after_what_is_not_its_own(self, cause: int) -> None:
        made = machine(PRIMARY)
        assert made.session.call("handle_exception", cause)[0] == 0x1000
        assert made.vcpu(PRIMARY).state == VcpuState.RUNNING

    @pytest.mark.parametrize("kind", range(0x40))
    def test_no_exception_stops_the_primary_or_a_secondary(self, kind: int) -> None:
        for partition in (PRIMARY, GUEST):
            machine(partition).fault(kind << 26 | IL)
