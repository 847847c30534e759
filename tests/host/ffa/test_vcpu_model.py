"""Random calls, interrupts, sleeps and faults on several CPUs against a model of the states of all vCPUs.

The model says after each step who runs where, in which state every vCPU is, and what whoever runs next finds in its
registers. Each request carries a number of its own, which has to come back to whoever waits for that response.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from hypervisor.arch.aarch64.timers import TimerControl
from hypervisor.core.vcpu import VcpuState
from hypervisor.ffa.errors import FfaError
from hypervisor.ffa.functions import Function
from hypervisor.ffa.msg_wait import SLEEP_INDEFINITELY
from hypervisor.ffa.sleep import SLEEPING_RESULT
from tests.host.ffa.machine import GUEST, GUEST_MP, MASK_32, OTHER, PRIMARY, SERVICE, VCPU_COUNTS, Machine, target

CPU_COUNT = 4
STEP_COUNT = 3000
FIRST_FAULT = 2500
"""Before this step nothing faults, so that most of the run has all partitions."""
FREQUENCY = 50_000_000
NANOSECONDS_PER_TICK = 20
WFI = 0x01 << 26 | 1 << 25
DATA_ABORT = 0x24 << 26 | 0x06
REQUEST, RESPONSE, REQUEST_2, RESPONSE_2, RUN, WAIT, YIELD, INTERRUPT, ERROR = (
    function.value
    for function in (
        Function.DIRECT_REQUEST,
        Function.DIRECT_RESPONSE,
        Function.DIRECT_REQUEST_2,
        Function.DIRECT_RESPONSE_2,
        Function.RUN,
        Function.MSG_WAIT,
        Function.YIELD,
        Function.INTERRUPT,
        Function.ERROR,
    )
)
SECONDARIES = (GUEST, GUEST_MP, SERVICE, OTHER)
TAKES_REQUEST_2 = (GUEST_MP, SERVICE)
SENDS_REQUEST_2 = (PRIMARY, GUEST_MP)
Name = tuple[int, int]
"""Partition and vCPU."""
Registers = tuple[int, ...]


@dataclass
class ModelVcpu:
    """What one vCPU is about."""

    state: VcpuState = VcpuState.WAITING
    requester: Name | None = None
    number: int = 0
    """That of the request it serves."""
    is_second: bool = False
    deadline: int | None = None
    found: Registers = ()
    """x0 to x4 when it goes on where it was."""


@dataclass
class Model:
    """All vCPUs, and who runs on each CPU."""

    vcpus: dict[Name, ModelVcpu]
    running: list[Name]
    now: int = 1000
    aborted: set[int] = field(default_factory=set[int])

    def give(self, cpu: int, state: VcpuState, successor: Name) -> None:
        """The vCPU that runs on a CPU leaves it to another."""
        self.vcpus[self.running[cpu]].state = state
        self.vcpus[successor].state = VcpuState.RUNNING
        self.running[cpu] = successor

    def request(self, cpu: int, receiver: int, number: int, is_second: bool) -> Registers:
        sender = self.running[cpu]
        name = (receiver, 0 if VCPU_COUNTS[receiver] == 1 else cpu)
        vcpu = self.vcpus[name]
        if is_second and (receiver not in TAKES_REQUEST_2 or sender[0] not in SENDS_REQUEST_2):
            return failed(FfaError.DENIED)
        if receiver in self.aborted:
            return failed(FfaError.ABORTED)
        if vcpu.state is not VcpuState.WAITING:
            return failed(FfaError.BUSY)
        vcpu.requester, vcpu.number, vcpu.is_second = sender, number, is_second
        self.give(cpu, VcpuState.BLOCKED, name)
        return message(REQUEST_2 if is_second else REQUEST, sender[0], receiver, number)

    def respond(self, cpu: int, is_second: bool) -> Registers:
        name = self.running[cpu]
        vcpu = self.vcpus[name]
        if vcpu.requester is None or vcpu.is_second != is_second:
            return failed(FfaError.DENIED)
        requester, vcpu.requester = vcpu.requester, None
        if requester[0] in self.aborted:
            self.vcpus[requester].state = VcpuState.ABORTED
            return self.unwind(cpu, VcpuState.WAITING, requester)
        self.give(cpu, VcpuState.WAITING, requester)
        return message(RESPONSE_2 if is_second else RESPONSE, name[0], requester[0], vcpu.number)

    def run(self, cpu: int, name: Name) -> Registers:
        vcpu = self.vcpus[name]
        state = vcpu.state
        if state in (VcpuState.RUNNING, VcpuState.BLOCKED):
            return failed(FfaError.BUSY)
        if name[0] in self.aborted:
            return failed(FfaError.ABORTED)
        if state is VcpuState.SLEEPING and vcpu.deadline is not None:
            if self.now < vcpu.deadline:
                return (SLEEPING_RESULT, target(*name), (vcpu.deadline - self.now) * NANOSECONDS_PER_TICK, 0, 0)
            vcpu.deadline = None
        end = name
        while (requester := self.vcpus[end].requester) is not None:
            if requester[0] == PRIMARY:
                self.vcpus[end].requester = (PRIMARY, cpu)
                break
            end = requester
        self.give(cpu, VcpuState.BLOCKED, name)
        return (RUN, name[0] + 1, 0, 0, 0) if state is VcpuState.WAITING else vcpu.found

    def leave(self, cpu: int, state: VcpuState, function: int, found: Registers, x2: int = 0) -> Registers:
        """The CPU goes back to the primary; `found` is what the vCPU that ran goes on with."""
        name = self.running[cpu]
        self.vcpus[name].found = found
        self.give(cpu, state, (PRIMARY, cpu))
        return (function, target(*name), x2, 0, 0)

    def unwind(self, cpu: int, state: VcpuState, victim: Name) -> Registers:
        """Who waits for a vCPU that is gone learns of it."""
        requester, self.vcpus[victim].requester = self.vcpus[victim].requester, None
        while requester is not None and requester[0] in self.aborted:
            victim = requester
            self.vcpus[victim].state = VcpuState.ABORTED
            requester, self.vcpus[victim].requester = self.vcpus[victim].requester, None
        self.give(cpu, state, requester or (PRIMARY, cpu))
        return (ERROR, target(*victim), FfaError.ABORTED.value & MASK_32, 0, 0)


def failed(code: FfaError) -> Registers:
    return (ERROR, 0, code.value & MASK_32, 0, 0)


def message(function: int, sender: int, receiver: int, number: int) -> Registers:
    """A message whose payload is its number."""
    return (function, (sender + 1) << 16 | receiver + 1, 0, 0, number)


class Run:
    """One random run."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.result: Registers = ()
        self.machine = Machine()
        self.machine.session.registers["CNTFRQ_EL0"] = FREQUENCY
        names = [(partition, number) for partition, count in enumerate(VCPU_COUNTS) for number in range(count)]
        self.model = Model({name: ModelVcpu() for name in names}, [(PRIMARY, cpu) for cpu in range(CPU_COUNT)])
        for number in range(VCPU_COUNTS[PRIMARY]):
            self.model.vcpus[PRIMARY, number].state = VcpuState.RUNNING
        self.number = 0

    def step(self, may_fault: bool) -> None:
        """Something happens on one CPU."""
        machine, model, chance = self.machine, self.model, self.chance
        machine.cpu = cpu = chance.randrange(CPU_COUNT)
        model.now += chance.randrange(3)
        machine.session.registers["CNTPCT_EL0"] = model.now
        name = model.running[cpu]
        expected = self.primary_step(cpu) if name[0] == PRIMARY else self.secondary_step(cpu, name, may_fault)
        assert self.result[:5] == expected
        self.compare()

    def primary_step(self, cpu: int) -> Registers:
        if self.chance.random() < 0.4:
            return self.ask(cpu)
        partition = self.chance.choice(SECONDARIES)
        name = (partition, self.chance.randrange(VCPU_COUNTS[partition]))
        self.result = self.machine.call(RUN, target(*name))
        return self.model.run(cpu, name)

    def ask(self, cpu: int) -> Registers:
        sender = self.model.running[cpu][0]
        receiver = self.chance.choice([index for index in SECONDARIES if index != sender])
        is_second = self.chance.random() < 0.3
        self.number += 1
        endpoints = (sender + 1) << 16 | receiver + 1
        self.result = self.machine.call(REQUEST_2 if is_second else REQUEST, endpoints, 0, 0, self.number)
        return self.model.request(cpu, receiver, self.number, is_second)

    def secondary_step(self, cpu: int, name: Name, may_fault: bool) -> Registers:
        machine, model = self.machine, self.model
        vcpu = model.vcpus[name]
        is_aborted = name[0] in model.aborted
        dice = self.chance.random()
        here = tuple(machine.registers[cpu][:5])
        if dice < 0.02 and may_fault:
            self.result = machine.fault(DATA_ABORT)
            model.aborted.add(name[0])
            return model.unwind(cpu, VcpuState.ABORTED, name)
        if dice < 0.15:
            self.result = machine.interrupt()
            if not is_aborted:
                return model.leave(cpu, VcpuState.PREEMPTED, INTERRUPT, here)
        elif dice < 0.25 and name[0] in (GUEST, GUEST_MP) and not is_aborted:
            return self.sleep(cpu, name, here)
        elif dice < 0.35:
            self.result = machine.call(YIELD, 0, 7, 0)
            if not is_aborted:
                return model.leave(cpu, VcpuState.YIELDED, YIELD, (Function.SUCCESS.value, 0, 0, 0, 0), 7)
        elif dice < 0.5:
            self.result = machine.call(WAIT)
            if not is_aborted:
                if vcpu.requester is not None:
                    return failed(FfaError.DENIED)
                return model.leave(cpu, VcpuState.WAITING, WAIT, (), SLEEP_INDEFINITELY)
        elif dice < 0.7 and not is_aborted:
            return self.ask(cpu)
        else:
            is_second = vcpu.is_second if self.chance.random() < 0.9 else not vcpu.is_second
            receiver = vcpu.requester[0] if vcpu.requester is not None else PRIMARY
            endpoints = (name[0] + 1) << 16 | receiver + 1
            self.result = machine.call(RESPONSE_2 if is_second else RESPONSE, endpoints, 0, 0, vcpu.number)
            if not is_aborted:
                return model.respond(cpu, is_second)
        return model.unwind(cpu, VcpuState.ABORTED, name)

    def sleep(self, cpu: int, name: Name, here: Registers) -> Registers:
        model = self.model
        ticks = self.chance.randrange(1, 200)
        model.vcpus[name].deadline = model.now + ticks
        el1 = self.machine.vcpu(*name).el1
        el1.cntv_ctl = TimerControl.ENABLE
        el1.cntv_cval = model.now + ticks
        self.result = self.machine.fault(WFI)
        return model.leave(cpu, VcpuState.SLEEPING, SLEEPING_RESULT, here, ticks * NANOSECONDS_PER_TICK)

    def compare(self) -> None:
        """Every vCPU is where the model has it, and none is in two places."""
        machine, model = self.machine, self.model
        for name, vcpu in model.vcpus.items():
            real = machine.vcpu(*name)
            assert real.state is vcpu.state, name
            requester = None if real.requester is None else real.requester.value
            assert (requester is None) == (vcpu.requester is None), name
            if requester is not None and vcpu.requester is not None:
                assert requester.address_ == machine.vcpu(*vcpu.requester).address_, name
        for cpu, name in enumerate(model.running):
            machine.cpu = cpu
            assert machine.current.address_ == machine.vcpu(*name).address_
        assert len(set(model.running)) == CPU_COUNT


@pytest.mark.parametrize("seed", range(4))
def test_no_vcpu_is_lost_or_runs_twice_and_responses_come_back(seed: int) -> None:
    run = Run(seed)
    for step in range(STEP_COUNT):
        run.step(may_fault=step >= FIRST_FAULT)
