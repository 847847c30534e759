/*
 * A primary that looks at what a CPU gives it, and at what other partitions leave of it: identification registers, traps,
 * memory that it has not got, and its vector registers of full length around direct messages. It prints a line for each.
 */
#include "bare.h"

#define PARTITION_COUNT 4
#define HYPERVISOR 0x40001000ul
#define LENGTH_MAX 256

typedef struct {
    uint8_t z[32][LENGTH_MAX];
    uint8_t p[17][LENGTH_MAX / 8]; /* and FFR */
    uint8_t za[2][LENGTH_MAX];
} Vectors;

static Vectors planted __attribute__((aligned(256)));
static Vectors found __attribute__((aligned(256)));

__asm__(
    "    .arch armv8.5-a+sve\n"
    /* The same with all vector registers loaded before and stored behind; x3: 1 in the streaming mode, with ZA. */
    "call_with_vectors:\n"
    "    stp x19, x30, [sp, #-48]!\n"
    "    stp x20, x21, [sp, #16]\n"
    "    stp x22, x23, [sp, #32]\n"
    "    mov x20, x1\n"
    "    mov x21, x2\n"
    "    mov x22, x3\n"
    "    mov w12, #0\n"
    "    cbz x22, 1f\n"
    "    .inst 0xd503477f\n" /* smstart */
    "    add x4, x20, #0x2000\n"
    "    add x4, x4, #544\n"
    "    .inst 0xe1000080\n" /* ldr za[w12, 0], [x4] */
    "    .inst 0xe1000081\n"
    "1:  rdvl x5, #1\n"
    "    mov x4, x20\n"
    "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    ldr z\\n, [x4]\n"
    "    add x4, x4, #256\n"
    "    .endr\n"
    "    add x6, x20, #0x2000\n"
    "    cbnz x22, 2f\n"
    "    add x4, x6, #512\n"
    "    ldr p0, [x4]\n"
    "    wrffr p0.b\n"
    "2:  .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "    add x4, x6, #(\\n * 32)\n"
    "    ldr p\\n, [x4]\n"
    "    .endr\n"
    "    bl call\n"
    "    mov x4, x21\n"
    "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    str z\\n, [x4]\n"
    "    add x4, x4, #256\n"
    "    .endr\n"
    "    add x6, x21, #0x2000\n"
    "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "    add x4, x6, #(\\n * 32)\n"
    "    str p\\n, [x4]\n"
    "    .endr\n"
    "    cbnz x22, 3f\n"
    "    rdffr p0.b\n"
    "    add x4, x6, #512\n"
    "    str p0, [x4]\n"
    "    b 4f\n"
    "3:  mov w12, #0\n"
    "    add x4, x6, #544\n"
    "    .inst 0xe1200080\n" /* str za[w12, 0], [x4] */
    "    .inst 0xe1200081\n"
    "    .inst 0xd503467f\n" /* smstop */
    "4:  ldp x22, x23, [sp, #32]\n"
    "    ldp x20, x21, [sp, #16]\n"
    "    ldp x19, x30, [sp], #48\n"
    "    ret\n");

void call_with_vectors(Registers *r, const Vectors *planted, Vectors *found, uint64_t streaming);

static void fill(uint8_t seed)
{
    uint8_t *byte = (uint8_t *)&planted;
    for (size_t i = 0; i < sizeof planted; i++)
        byte[i] = (uint8_t)(i * 7 + (i >> 8) + seed);
    for (size_t i = 0; i < sizeof planted.p[16]; i++)
        planted.p[16][i] = 0xff; /* FFR has ones below a place, and zeros above */
}

static void request(Registers *r, unsigned partition)
{
    for (size_t i = 0; i < REGISTER_COUNT; i++)
        r->x[i] = i;
    r->x[0] = FFA_DIRECT_REQ_64;
    r->x[1] = 1u << 16 | partition;
    r->x[2] = 0;
}

static uint64_t wrong_bytes(size_t length, unsigned is_streaming)
{
    uint64_t wrong = 0;
    for (size_t n = 0; n < 32; n++)
        for (size_t i = 0; i < length; i++)
            wrong += planted.z[n][i] != found.z[n][i];
    for (size_t n = 0; n < (is_streaming ? 16u : 17u); n++)
        for (size_t i = 0; i < length / 8; i++)
            wrong += planted.p[n][i] != found.p[n][i];
    if (is_streaming)
        for (size_t i = 0; i < 2 * length; i++)
            wrong += planted.za[0][i] != found.za[0][i];
    return wrong;
}

static void watch_vectors(unsigned is_streaming)
{
    uint64_t length, wrong = 0, answers = 0;
    for (unsigned round = 0; round < 10; round++)
        for (unsigned partition = 2; partition < 2 + PARTITION_COUNT; partition++) {
            Registers r;
            fill((uint8_t)(round * 8 + partition));
            request(&r, partition);
            call_with_vectors(&r, &planted, &found, is_streaming);
            answers += r.x[0] == FFA_DIRECT_RESP_64;
            __asm__ volatile(".arch_extension sve\n\trdvl %0, #1" : "=r"(length));
            wrong += wrong_bytes(length, is_streaming);
        }
    say(is_streaming ? "streaming length" : "vector length", length);
    say(is_streaming ? "streaming answers" : "vector answers", answers);
    say(is_streaming ? "streaming wrong bytes" : "vector wrong bytes", wrong);
}

static void read_identification(void)
{
    uint64_t any = 0;
#define EACH(medium) \
    any |= READ("S3_0_C0_C" #medium "_0") | READ("S3_0_C0_C" #medium "_1") | READ("S3_0_C0_C" #medium "_2") \
         | READ("S3_0_C0_C" #medium "_3") | READ("S3_0_C0_C" #medium "_4") | READ("S3_0_C0_C" #medium "_5") \
         | READ("S3_0_C0_C" #medium "_6") | READ("S3_0_C0_C" #medium "_7")
    EACH(1);
    EACH(2);
    EACH(3);
    EACH(4);
    EACH(5);
    EACH(6);
    EACH(7);
    say("identification exceptions", any != 0 ? exception_count : ~0ull);
    say("hidden", (READ("ID_AA64PFR0_EL1") >> 36 & 0xfff) | (READ("ID_AA64DFR0_EL1") >> 4 & 15));
}

void watch(void)
{
    Registers r;
    prepare(&r, FFA_VERSION, 0x10002);
    call(&r);
    read_identification();

    WRITE("ACTLR_EL1", ~0ull);
    WRITE("MDSCR_EL1", 0);
    WRITE("DBGBVR0_EL1", 0x1000);
    WRITE("PMCR_EL0", 1 << 6 | 1);
    WRITE("PMCNTENSET_EL0", 1u << 31);
    uint64_t cycles = READ("PMCCNTR_EL0");
    WRITE("CNTP_CTL_EL0", 0);
    say("own registers exceptions", exception_count);
    say("cycles counted", READ("PMCCNTR_EL0") > cycles);

    (void)READ("S3_0_C10_C4_3"); /* LORC_EL1 */
    say("undefined", exception_syndrome);
    *(volatile uint64_t *)HYPERVISOR;
    say("read of foreign memory", exception_syndrome);
    say("its address", exception_address);
    *(volatile uint64_t *)HYPERVISOR = 0;
    say("write to foreign memory", exception_syndrome);

    for (unsigned partition = 2; partition < 2 + PARTITION_COUNT; partition++) {
        prepare(&r, FFA_RUN, (uint64_t)partition << 16);
        call(&r);
    }
    if (READ("ID_AA64PFR0_EL1") >> 32 & 15) {
        WRITE("S3_0_C1_C2_0", 15); /* ZCR_EL1 */
        watch_vectors(0);
    }
    if (READ("ID_AA64PFR1_EL1") >> 24 & 15) {
        WRITE("S3_0_C1_C2_6", 15);       /* SMCR_EL1 */
        WRITE("S3_3_C13_C0_5", 0x5ec2e7); /* TPIDR2_EL0 */
        watch_vectors(1);
        say("second pointer", READ("S3_3_C13_C0_5"));
    }
    say("exceptions", exception_count);
    prepare(&r, PSCI_SYSTEM_OFF, 0);
    call(&r);
}
