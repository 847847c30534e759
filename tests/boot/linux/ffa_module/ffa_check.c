// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Exchanges messages with every partition that the arm_ffa driver finds and that answers as hypervisor/guests/answer.py
 * describes: first of each kind from one CPU, then from all CPUs at once. Lets the partitions of guests/faulty.py loop,
 * which the timer of this CPU has to interrupt. Lines that start with "ffa_check: " are what the test reads.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/arm-smccc.h>
#include <linux/arm_ffa.h>
#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>

#define ODD_FACTOR 0x9E3779B97F4A7C15ULL
#define PARTITION_COUNT_MAX 8
#define PAYLOAD_COUNT 5
#define LONG_REQUESTS BIT(9) /* property of services: FFA_MSG_SEND_DIRECT_REQ2, which needs a newer driver than this */
#define ENDLESS_LOOP 7 /* of hypervisor/guests/fault_kinds.py */
#define INTERRUPT_COUNT 5

static int round_count = 1000;
module_param(round_count, int, 0);
MODULE_PARM_DESC(round_count, "requests from each CPU in the last part");

static struct ffa_device *partitions[PARTITION_COUNT_MAX];
static int partition_count;

/* Services of hypervisor/guests/manifests; a cell there holds four bytes of the UUID, the first one lowest. */
static const struct ffa_device_id services[] = {
	{ UUID_INIT(0x6563686f, 0x2d65, 0x6c31, 0, 0, 0, 0, 1, 0, 0, 0) }, /* echo-el1 */
	{ UUID_INIT(0x6563686f, 0x2d65, 0x6c30, 0, 0, 0, 0, 1, 0, 0, 0) }, /* echo-el0 */
	{ UUID_INIT(0x6661756c, 0x2d65, 0x6c31, 0, 0, 0, 0, 1, 0, 0, 0) }, /* faul-el1 */
	{ UUID_INIT(0x6661756c, 0x2d65, 0x6c30, 0, 0, 0, 0, 1, 0, 0, 0) }, /* faul-el0 */
	{}
};
MODULE_DEVICE_TABLE(arm_ffa, services);

static u64 checksum(const unsigned long *payload, int count, int answerer)
{
	u64 value = answerer + 1;
	int i;

	for (i = 0; i < count; i++)
		value = (rol64(value, 7) ^ payload[i]) * ODD_FACTOR;
	return value;
}

/* One request; @mask cuts the registers to what the kind of request has. */
static int exchange(struct ffa_device *dev, u64 seed, u64 mask)
{
	unsigned long payload[PAYLOAD_COUNT];
	struct ffa_send_direct_data data;
	int i, error;
	u64 expected;

	for (i = 0; i < PAYLOAD_COUNT; i++)
		payload[i] = (i ? (seed + i) * ODD_FACTOR : seed) & mask;
	expected = checksum(payload, PAYLOAD_COUNT, dev->vm_id) & mask;
	do {
		memcpy(&data, payload, sizeof(data));
		error = dev->ops->msg_ops->sync_send_receive(dev, &data);
		if (error == -EBUSY)
			cond_resched();
	} while (error == -EBUSY);
	if (error)
		return error;
	if (data.data0 != payload[0] || data.data1 != expected) {
		pr_err("partition %#06x: answered %#lx %#lx to %#lx, not %#llx\n",
		       dev->vm_id, data.data0, data.data1, payload[0], expected);
		return -EBADMSG;
	}
	return 0;
}

/*
 * A request that has no answer. The driver would run the partition for ever, so the calls are made here; it stays
 * preempted.
 */
static int loop(struct ffa_device *dev)
{
	struct arm_smccc_1_2_regs call = { .a0 = FFA_ID_GET };
	struct arm_smccc_1_2_regs result;
	int i;

	arm_smccc_1_2_smc(&call, &result);
	call = (struct arm_smccc_1_2_regs){
		.a0 = FFA_FN_NATIVE(MSG_SEND_DIRECT_REQ),
		.a1 = result.a2 << 16 | dev->vm_id,
		.a3 = ENDLESS_LOOP,
	};
	for (i = 0; i < INTERRUPT_COUNT; i++) {
		arm_smccc_1_2_smc(&call, &result);
		if (result.a0 != FFA_INTERRUPT) {
			pr_err("partition %#06x: a loop ends with %#lx %#lx %#lx\n", dev->vm_id, result.a0, result.a1,
			       result.a2);
			return -EIO;
		}
		call = (struct arm_smccc_1_2_regs){ .a0 = FFA_RUN, .a1 = result.a1 };
	}
	pr_info("partition %#06x: a loop is interrupted by the timer of its CPU\n", dev->vm_id);
	return 0;
}

static int probe(struct ffa_device *dev)
{
	int error_64, error_32;

	if (partition_count == PARTITION_COUNT_MAX)
		return -ENOSPC;
	pr_info("partition %#06x: UUID %pUb, properties %#x\n", dev->vm_id, &dev->uuid, dev->properties);
	/* A partition waits for messages only once it has run. */
	error_64 = dev->ops->cpu_ops->run(dev, 0);
	if (error_64) {
		pr_err("partition %#06x: cannot run, error %d\n", dev->vm_id, error_64);
		return error_64;
	}
	if (!(dev->properties & LONG_REQUESTS))
		return loop(dev);
	error_64 = exchange(dev, 1, U64_MAX);
	dev->ops->msg_ops->mode_32bit_set(dev);
	error_32 = exchange(dev, 2, U32_MAX);
	dev->mode_32bit = false;
	pr_info("partition %#06x: 64-bit request %d, 32-bit request %d\n", dev->vm_id, error_64, error_32);
	if (error_64 || error_32)
		return -EIO;
	partitions[partition_count++] = dev;
	return 0;
}

static struct ffa_driver driver = {
	.name = KBUILD_MODNAME,
	.probe = probe,
	.id_table = services,
};

struct worker {
	struct completion done;
	int cpu;
	int error;
};

static int work(void *argument)
{
	struct worker *worker = argument;
	u64 seed = (u64)worker->cpu << 32;
	u64 random = seed + 1;
	int i;

	for (i = 0; i < round_count && !worker->error; i++) {
		random = random * ODD_FACTOR + 1;
		worker->error = exchange(partitions[(random >> 40) % partition_count], seed + i, U64_MAX);
		cond_resched();
	}
	complete(&worker->done);
	return 0;
}

/* Requests to random partitions from every CPU at once. */
static int exchange_on_all_cpus(void)
{
	static struct worker workers[NR_CPUS];
	int cpu, started = 0, error = 0;

	for_each_online_cpu(cpu) {
		struct worker *worker = &workers[cpu];
		struct task_struct *task;

		init_completion(&worker->done);
		worker->cpu = cpu;
		task = kthread_create(work, worker, "ffa_check/%d", cpu);
		if (IS_ERR(task))
			return PTR_ERR(task);
		kthread_bind(task, cpu);
		wake_up_process(task);
		started++;
	}
	for_each_online_cpu(cpu) {
		wait_for_completion(&workers[cpu].done);
		if (workers[cpu].error)
			error = workers[cpu].error;
	}
	if (!error)
		pr_info("%d right answers of %d partitions to %d CPUs\n", started * round_count, partition_count,
			started);
	return error;
}

static int __init ffa_check_init(void)
{
	int error = ffa_register(&driver);

	if (error)
		return error;
	if (partition_count)
		error = exchange_on_all_cpus();
	else
		error = -ENODEV;
	if (error) {
		pr_err("FAILED: error %d with %d partitions\n", error, partition_count);
		ffa_unregister(&driver);
	}
	return error;
}
module_init(ffa_check_init);

static void __exit ffa_check_exit(void)
{
	ffa_unregister(&driver);
}
module_exit(ffa_check_exit);

MODULE_DESCRIPTION("Exchanges messages with FF-A partitions and verifies every answer");
MODULE_LICENSE("GPL");
