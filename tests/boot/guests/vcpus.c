/*
 * Built with PRIMARY it runs the two vCPUs of partition 2 and prints what FFA_RUN gives; without, it is that partition,
 * which starts its second vCPU, which switches itself off, and looks for what a guest at EL1 has not got.
 */
#include "bare.h"

#ifdef PRIMARY

static uint64_t run(uint64_t vcpu)
{
    Registers r;
    prepare(&r, FFA_RUN, 2u << 16 | vcpu);
    call(&r);
    return r.x[0] << 32 | r.x[1];
}

void watch(void)
{
    Registers r;
    prepare(&r, FFA_VERSION, 0x10002);
    call(&r);
    say("run of an idle vCPU", run(1));
    say("start", run(0));
    say("run of the second", run(1));
    say("run of the first", run(0));
    say("run of a vCPU that is off", run(1));
    prepare(&r, PSCI_SYSTEM_OFF, 0);
    call(&r);
}

#else

#define ARGUMENT 0x5ec2e700000001ul

static uint8_t second_stack[1024] __attribute__((aligned(16), used));
__attribute__((visibility("hidden"))) void second(void);

__asm__(
    "    .text\n"
    "second:\n"
    "    adrp x1, second_stack + 1024\n"
    "    add x1, x1, :lo12:second_stack + 1024\n"
    "    mov sp, x1\n"
    "    b go_on\n");

__attribute__((used)) void go_on(uint64_t argument)
{
    Registers r;
    say("argument", argument);
    say("affinity", READ("MPIDR_EL1"));
    prepare(&r, PSCI_CPU_OFF, 0);
    call(&r);
    say("still on", r.x[0]);
}

static uint64_t psci(uint64_t function, uint64_t first, uint64_t second_, uint64_t third)
{
    Registers r;
    prepare(&r, function, first);
    r.x[2] = second_;
    r.x[3] = third;
    call(&r);
    return r.x[0];
}

static void expect_undefined(void)
{
    (void)READ("PMCR_EL0");
    (void)READ("MDSCR_EL1");
    (void)READ("CNTP_CTL_EL0");
    (void)READ("S3_0_C10_C4_3"); /* LORC_EL1 */
    WRITE("S3_0_C12_C11_5", 0);  /* ICC_SGI1R_EL1 */
    __asm__ volatile(".arch_extension sve\n\trdvl x9, #1" : : : "x9");
    say("undefined", exception_count << 32 | exception_syndrome);
    (void)READ("CNTPCT_EL0");
    (void)READ("CNTVCT_EL0");
    say("shown", (READ("ID_AA64PFR0_EL1") >> 24 & 0xffff) | READ("ID_AA64DFR0_EL1") << 52 >> 60);
    say("exceptions", exception_count);
}

void watch(void)
{
    Registers r;
    expect_undefined();
    say("PSCI", psci(PSCI_VERSION, 0, 0, 0));
    say("second is off", psci(PSCI_AFFINITY_INFO, 1, 0, 0));
    say("started", psci(PSCI_CPU_ON, 1, (uint64_t)&second, ARGUMENT));
    say("second is off again", psci(PSCI_AFFINITY_INFO, 1, 0, 0));
    prepare(&r, FFA_MSG_WAIT, 0);
    call(&r);
}

#endif
