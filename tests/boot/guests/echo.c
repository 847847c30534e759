/*
 * A service for direct messages in C, to show that a guest needs nothing of our library: the same answers as
 * hypervisor/guests/echo.py. Built with CONDUIT "svc" for EL0 and "hvc" for EL1.
 */
#include <stddef.h>
#include <stdint.h>

#define FFA_VERSION 0x84000063u
#define FFA_ID_GET 0x84000069u
#define FFA_MSG_WAIT 0x8400006Bu
#define FFA_DIRECT_REQ_32 0x8400006Fu
#define FFA_DIRECT_REQ_64 0xC400006Fu
#define FFA_DIRECT_RESP_32 0x84000070u
#define FFA_DIRECT_RESP_64 0xC4000070u
#define FFA_CONSOLE_LOG_64 0xC400008Au
#define FFA_DIRECT_REQ2 0xC400008Du
#define FFA_DIRECT_RESP2 0xC400008Eu
#define REGISTER_COUNT 18

typedef struct {
    uint64_t x[REGISTER_COUNT];
} Registers;

/*
 * At EL0 all memory starts out readable and executable; the pages from `writable` on become data before there is a
 * stack. At EL1 the MMU is off and all memory is writable.
 */
__asm__(
    "    .section .text.start, \"ax\"\n"
    "    .global _start\n"
    "_start:\n"
#ifdef EL0
    "    adrp x1, writable\n"
    "    adrp x2, image_end\n"
    "    sub x2, x2, x1\n"
    "    lsr x2, x2, #12\n"
    "    mov x3, #5\n"
    "    mov x4, #0\n"
    "    mov x5, #0\n"
    "    mov x6, #0\n"
    "    mov x7, #0\n"
    "    mov w0, #0x0089\n"
    "    movk w0, #0xc400, lsl #16\n"
    "    svc #0\n"
#endif
    "    adrp x0, image_end\n"
    "    mov sp, x0\n"
    "    bl serve\n"
    "    .previous\n");

/* A call with x0 to x17, which become its result. */
void call(Registers *r);

__asm__(
    "    .text\n"
    "call:\n"
    "    str x19, [sp, #-16]!\n"
    "    mov x19, x0\n"
    "    ldp x0, x1, [x19, #0]\n"
    "    ldp x2, x3, [x19, #16]\n"
    "    ldp x4, x5, [x19, #32]\n"
    "    ldp x6, x7, [x19, #48]\n"
    "    ldp x8, x9, [x19, #64]\n"
    "    ldp x10, x11, [x19, #80]\n"
    "    ldp x12, x13, [x19, #96]\n"
    "    ldp x14, x15, [x19, #112]\n"
    "    ldp x16, x17, [x19, #128]\n"
    "    " CONDUIT " #0\n"
    "    stp x0, x1, [x19, #0]\n"
    "    stp x2, x3, [x19, #16]\n"
    "    stp x4, x5, [x19, #32]\n"
    "    stp x6, x7, [x19, #48]\n"
    "    stp x8, x9, [x19, #64]\n"
    "    stp x10, x11, [x19, #80]\n"
    "    stp x12, x13, [x19, #96]\n"
    "    stp x14, x15, [x19, #112]\n"
    "    stp x16, x17, [x19, #128]\n"
    "    ldr x19, [sp], #16\n"
    "    ret\n");

/* What gcc calls for structures; -fno-tree-loop-distribute-patterns keeps it from finding them here. */
void *memset(void *target, int value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)target)[i] = (unsigned char)value;
    return target;
}

void *memcpy(void *restrict target, const void *restrict source, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)target)[i] = ((const unsigned char *)source)[i];
    return target;
}

static uint64_t checksum(const Registers *r, unsigned first, unsigned end, uint16_t answerer)
{
    uint64_t value = (uint64_t)answerer + 1;

    for (unsigned i = first; i < end; i++)
        value = ((value << 7 | value >> 57) ^ r->x[i]) * 0x9E3779B97F4A7C15u;
    return value;
}

static Registers response(const Registers *request, uint16_t own_id)
{
    Registers r = {{0}};

    r.x[1] = (uint64_t)own_id << 16 | (uint16_t)(request->x[1] >> 16);
    if (request->x[0] == FFA_DIRECT_REQ2) {
        r.x[0] = FFA_DIRECT_RESP2;
        r.x[4] = checksum(request, 4, REGISTER_COUNT, own_id);
        r.x[5] = request->x[4];
    } else {
        uint64_t answer = checksum(request, 3, 8, own_id);
        int is_64 = request->x[0] == FFA_DIRECT_REQ_64;

        r.x[0] = is_64 ? FFA_DIRECT_RESP_64 : FFA_DIRECT_RESP_32;
        r.x[3] = request->x[3];
        r.x[4] = is_64 ? answer : (uint32_t)answer;
    }
    return r;
}

void serve(void)
{
    Registers r = {{FFA_VERSION, 0x10002}};
    uint16_t own_id;

    call(&r);
    r = (Registers){{FFA_ID_GET}};
    call(&r);
    own_id = (uint16_t)r.x[2];
    /* "service " and "in C" with the end of the line, eight characters in each register. */
    r = (Registers){{FFA_CONSOLE_LOG_64, 13, 0x2065636976726573u, 0x0a43206e69u}};
    call(&r);
    for (r = (Registers){{FFA_MSG_WAIT}};;) {
        call(&r);
        if (r.x[0] == FFA_DIRECT_REQ_32 || r.x[0] == FFA_DIRECT_REQ_64 || r.x[0] == FFA_DIRECT_REQ2)
            r = response(&r, own_id);
        else
            r = (Registers){{FFA_MSG_WAIT}};
    }
}
