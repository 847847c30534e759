"""Services and their clients against each other: right answers pass, and each way to get one wrong is noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compiler.host import TrapError
from hypervisor.guests import answer, direct_client
from runtime.partition.discovery import PartitionInfo
from runtime.partition.functions import Call
from runtime.partition.message import LongMessage
from tests.host.guests.hypervisor import Guest, Registers, error

OWN_ID = 1
SERVICE_ID = 5
RECEIVES_BOTH = 1 | 1 << 9
SERVICE = Guest([answer.prepare_response, answer.checksum], lambda _registers: error(-1))
REQUESTS = [Call.DIRECT_REQUEST, Call.DIRECT_REQUEST_64, Call.DIRECT_REQUEST_2]
RESPONSE_OF = {
    Call.DIRECT_REQUEST.value: Call.DIRECT_RESPONSE.value,
    Call.DIRECT_REQUEST_64.value: Call.DIRECT_RESPONSE_64.value,
    Call.DIRECT_REQUEST_2.value: Call.DIRECT_RESPONSE_2.value,
}


def serve(registers: Registers, service_id: int = SERVICE_ID) -> Registers:
    """What the service answers."""
    message = SERVICE.session.new(LongMessage)
    for index, value in enumerate(registers):
        message.x[index] = value
    SERVICE.call(answer.prepare_response, message, service_id)
    return list(message.x)


def client(hypervisor: Callable[[Registers], Registers]) -> Guest:
    return Guest([direct_client.exchange, direct_client.exchange_one], hypervisor)


@pytest.mark.parametrize("function", REQUESTS)
def test_a_service_answers_to_the_sender(function: Call) -> None:
    guest = client(serve)
    assert guest.call(direct_client.exchange_one, function, OWN_ID, SERVICE_ID, 7 << 32 | 9) == 0
    (request,) = guest.calls
    assert request[:2] == [function.value, OWN_ID << 16 | SERVICE_ID]
    assert serve(request)[:2] == [RESPONSE_OF[function.value], SERVICE_ID << 16 | OWN_ID]


def test_every_kind_is_sent_that_the_partition_takes() -> None:
    for properties, functions in ((1, REQUESTS[:2]), (RECEIVES_BOTH, REQUESTS)):
        guest = client(serve)
        partition = guest.session.new(PartitionInfo, id=SERVICE_ID, vcpu_count=1, properties=properties)
        guest.call(direct_client.exchange, OWN_ID, partition, 0, 0)
        assert sorted(call[0] for call in guest.calls) == sorted(function.value for function in functions)


def test_a_busy_partition_is_asked_again() -> None:
    answers = [error(-4), error(-4), None]

    def hypervisor(registers: Registers) -> Registers:
        return answers.pop(0) or serve(registers)

    guest = client(hypervisor)
    assert guest.call(direct_client.exchange_one, Call.DIRECT_REQUEST_64, OWN_ID, SERVICE_ID, 1) == 2
    assert guest.calls[0] == guest.calls[1] == guest.calls[2]


@pytest.mark.parametrize(
    ("function", "register"),
    [(function, register) for function in REQUESTS[:2] for register in (0, 1, 3, 4)]
    + [(Call.DIRECT_REQUEST_2, register) for register in (0, 1, 4, 5)],
)
def test_a_changed_register_of_the_response_is_noticed(function: Call, register: int) -> None:
    def hypervisor(registers: Registers) -> Registers:
        result = serve(registers)
        result[register] ^= 1
        return result

    with pytest.raises(TrapError):
        client(hypervisor).call(direct_client.exchange_one, function, OWN_ID, SERVICE_ID, 1)


@pytest.mark.parametrize("register", range(3, 8))
def test_a_changed_register_of_the_request_is_noticed(register: int) -> None:
    def hypervisor(registers: Registers) -> Registers:
        registers[register] ^= 1 << 40
        return serve(registers)

    with pytest.raises(TrapError):
        client(hypervisor).call(direct_client.exchange_one, Call.DIRECT_REQUEST_64, OWN_ID, SERVICE_ID, 1)


def test_the_answer_of_another_service_is_noticed() -> None:
    def hypervisor(registers: Registers) -> Registers:
        result = serve(registers, SERVICE_ID + 1)
        result[1] = SERVICE_ID << 16 | OWN_ID
        return result

    with pytest.raises(TrapError, match="a wrong answer"):
        client(hypervisor).call(direct_client.exchange_one, Call.DIRECT_REQUEST_64, OWN_ID, SERVICE_ID, 1)


def test_any_other_error_is_noticed() -> None:
    with pytest.raises(TrapError):
        client(lambda _registers: error(-6)).call(
            direct_client.exchange_one, Call.DIRECT_REQUEST_64, OWN_ID, SERVICE_ID, 1
        )
