/*
 * What bare programs at EL1 share: entry at the first byte with a stack, exceptions that are counted and stepped over,
 * calls, and lines of a title and a number. The program is `watch`.
 */
#include <stddef.h>
#include <stdint.h>

#define FFA_VERSION 0x84000063u
#define FFA_MSG_WAIT 0x8400006Bu
#define FFA_RUN 0x8400006Du
#define FFA_DIRECT_REQ_64 0xC400006Fu
#define FFA_DIRECT_RESP_64 0xC4000070u
#define FFA_CONSOLE_LOG_64 0xC400008Au
#define PSCI_VERSION 0x84000000u
#define PSCI_CPU_OFF 0x84000002u
#define PSCI_CPU_ON 0xC4000003u
#define PSCI_AFFINITY_INFO 0xC4000004u
#define PSCI_SYSTEM_OFF 0x84000008u
#define REGISTER_COUNT 18

typedef struct {
    uint64_t x[REGISTER_COUNT];
} Registers;

volatile uint64_t exception_count, exception_syndrome, exception_address;
void call(Registers *r);
void watch(void);

__asm__(
    "    .section .text.start, \"ax\"\n"
    "    .global _start\n"
    "_start:\n"
    "    adrp x0, image_end\n"
    "    mov sp, x0\n"
    "    adrp x0, vectors\n"
    "    add x0, x0, :lo12:vectors\n"
    "    msr VBAR_EL1, x0\n"
    "    mov x0, #(3 << 20 | 3 << 16)\n"
    "    movk x0, #(0x333), lsl #16\n"
    "    msr CPACR_EL1, x0\n"
    "    isb\n"
    "    bl watch\n"
    "    .text\n"
    "    .balign 2048\n"
    "vectors:\n"
    "    .skip 0x200\n"
    "    stp x0, x1, [sp, #-16]!\n"
    "    adrp x1, exception_count\n"
    "    add x1, x1, :lo12:exception_count\n"
    "    ldr x0, [x1]\n"
    "    add x0, x0, #1\n"
    "    str x0, [x1]\n"
    "    mrs x0, ESR_EL1\n"
    "    adrp x1, exception_syndrome\n"
    "    str x0, [x1, :lo12:exception_syndrome]\n"
    "    mrs x0, FAR_EL1\n"
    "    adrp x1, exception_address\n"
    "    str x0, [x1, :lo12:exception_address]\n"
    "    mrs x0, ELR_EL1\n"
    "    add x0, x0, #4\n"
    "    msr ELR_EL1, x0\n"
    "    ldp x0, x1, [sp], #16\n"
    "    eret\n"
    "    .balign 2048\n"

    /* A call with x0 to x17, which become its result. */
    "call:\n"
    "    stp x19, x30, [sp, #-16]!\n"
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
    "    hvc #0\n"
    "    stp x0, x1, [x19, #0]\n"
    "    stp x2, x3, [x19, #16]\n"
    "    stp x4, x5, [x19, #32]\n"
    "    stp x6, x7, [x19, #48]\n"
    "    ldp x19, x30, [sp], #16\n"
    "    ret\n");

#define READ(name) ({ uint64_t value_; __asm__ volatile("mrs %0, " name : "=r"(value_)); value_; })
#define WRITE(name, value) __asm__ volatile("msr " name ", %0\n\tisb" : : "r"((uint64_t)(value)))

static void prepare(Registers *r, uint64_t function, uint64_t first)
{
    for (size_t i = 0; i < REGISTER_COUNT; i++)
        r->x[i] = 0;
    r->x[0] = function;
    r->x[1] = first;
}

static void say(const char *title, uint64_t value)
{
    union {
        char text[48];
        uint64_t word[6];
    } line;
    Registers r;
    size_t size = 0;

    for (size_t i = 0; i < 6; i++)
        line.word[i] = 0;
    while (title[size]) {
        line.text[size] = title[size];
        size++;
    }
    line.text[size++] = ' ';
    for (int shift = 60; shift >= 0; shift -= 4)
        line.text[size++] = "0123456789abcdef"[value >> shift & 15];
    line.text[size++] = '\n';
    prepare(&r, FFA_CONSOLE_LOG_64, size);
    for (size_t i = 0; i < 6; i++)
        r.x[2 + i] = line.word[i];
    call(&r);
}
