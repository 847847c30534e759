#include <stdbool.h>
#include <stdint.h>

enum function {
    VERSION = 0x84000063,
    FEATURES = 0x84000064,
    RX_RELEASE = 0x84000065,
    ID_GET = 0x84000069,
    MSG_WAIT = 0x8400006B,
    RUN = 0x8400006D,
    DIRECT_REQ_32 = 0x8400006F,
    DIRECT_RESP_32 = 0x84000070,
    DIRECT_REQ_64 = 0xC400006F,
    DIRECT_RESP_64 = 0xC4000070,
};

enum call_error { OK = 0, NOT_SUPPORTED = -1, INVALID_PARAMETERS = -2 };

struct registers {
    uint64_t x[8];
};

struct request {
    enum function function;
    uint16_t sender;
    uint16_t receiver;
    bool is_64_bit;
    uint64_t payload[5];
};

static enum call_error decode_message(const struct registers *registers, enum function function,
                                      struct request *request)
{
    if ((uint32_t)registers->x[2] != 0)
        return INVALID_PARAMETERS;
    uint32_t ids = (uint32_t)registers->x[1];
    *request = (struct request){.function = function};
    request->sender = (uint16_t)(ids >> 16);
    request->receiver = (uint16_t)ids;
    if (request->sender == request->receiver)
        return INVALID_PARAMETERS;
    request->is_64_bit = (function & 0x40000000) != 0;
    for (int i = 0; i < 5; i++) {
        uint64_t value = registers->x[3 + i];
        request->payload[i] = request->is_64_bit ? value : value & 0xFFFFFFFF;
    }
    return OK;
}

static enum call_error decode(const struct registers *registers, struct request *request)
{
    uint32_t function = (uint32_t)registers->x[0];
    switch (function) {
    case DIRECT_REQ_32:
    case DIRECT_RESP_32:
    case DIRECT_REQ_64:
    case DIRECT_RESP_64:
        return decode_message(registers, (enum function)function, request);
    case RUN:
        *request = (struct request){.function = RUN};
        request->receiver = (uint16_t)(registers->x[1] >> 16);
        return OK;
    case VERSION:
        if (registers->x[1] & 0x80000000)
            return INVALID_PARAMETERS;
        *request = (struct request){.function = VERSION};
        return OK;
    case FEATURES:
    case RX_RELEASE:
    case ID_GET:
    case MSG_WAIT:
        *request = (struct request){.function = (enum function)function};
        return OK;
    default:
        return NOT_SUPPORTED;
    }
}

uint64_t decode_calls(const struct registers *calls, uint64_t count)
{
    uint64_t result = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct request request;
        enum call_error error = decode(&calls[i], &request);
        if (error != OK) {
            result ^= (uint32_t)error;
        } else {
            result ^= (uint64_t)request.receiver << 16 | request.sender;
            for (int j = 0; j < 5; j++)
                result ^= request.payload[j];
        }
    }
    return result;
}
