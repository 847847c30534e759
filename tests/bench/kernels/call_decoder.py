"""Decoding FF-A calls from registers: function, width, sender and receiver, reserved fields."""

from __future__ import annotations

from compiler.language import Array, EnumU32, ErrorEnum, Slice, Value, array, export, struct, truncate, u16, u32, u64


class Function(EnumU32):
    """Function identifiers (FF-A, table of function IDs)."""

    VERSION = 0x84000063
    FEATURES = 0x84000064
    RX_RELEASE = 0x84000065
    ID_GET = 0x84000069
    MSG_WAIT = 0x8400006B
    RUN = 0x8400006D
    DIRECT_REQ_32 = 0x8400006F
    DIRECT_RESP_32 = 0x84000070
    DIRECT_REQ_64 = 0xC400006F
    DIRECT_RESP_64 = 0xC4000070


class CallError(ErrorEnum):
    """FF-A error codes."""

    NOT_SUPPORTED = -1
    INVALID_PARAMETERS = -2


@struct
class Registers:
    """x0 to x7 of a call."""

    x: Array[u64] = array(8)


@struct
class Request:
    """A decoded call."""

    function: Function
    sender: u16 = 0
    receiver: u16 = 0
    is_64_bit: bool = False
    payload: Array[u64] = array(5)


def decode_message(registers: Registers, function: Function) -> Value[Request] | CallError:
    """A direct request or response."""
    if truncate(u32, registers.x[2]) != 0:
        return CallError.INVALID_PARAMETERS
    ids = truncate(u32, registers.x[1])
    request = Request(function=function)
    request.sender = u16(ids >> 16)
    request.receiver = truncate(u16, ids)
    if request.sender == request.receiver:
        return CallError.INVALID_PARAMETERS
    request.is_64_bit = function.value & 0x40000000 != 0
    for i in range(5):
        value = registers.x[3 + i]
        request.payload[i] = value if request.is_64_bit else value & 0xFFFFFFFF
    return request


def decode(registers: Registers) -> Value[Request] | CallError:
    """Any call."""
    function = Function.decode(truncate(u32, registers.x[0]))
    if function is None:
        return CallError.NOT_SUPPORTED
    match function:
        case Function.DIRECT_REQ_32 | Function.DIRECT_RESP_32 | Function.DIRECT_REQ_64 | Function.DIRECT_RESP_64:
            return decode_message(registers, function)
        case Function.RUN:
            request = Request(function=function)
            request.receiver = u16(registers.x[1] >> 16 & 0xFFFF)
            return request
        case Function.VERSION:
            if registers.x[1] & 0x80000000 != 0:
                return CallError.INVALID_PARAMETERS
            return Request(function=function)
        case Function.FEATURES | Function.RX_RELEASE | Function.ID_GET | Function.MSG_WAIT:
            return Request(function=function)


@export("decode_calls")
def decode_calls(calls: Slice[Registers]) -> u64:
    """Decode every call and fold the outcome into one number."""
    result: u64 = 0
    for call in calls:
        request = decode(call)
        if isinstance(request, CallError):
            result ^= truncate(u32, request.value)
        else:
            result ^= u64(request.receiver) << 16 | request.sender
            for value in request.payload:
                result ^= value
    return result
