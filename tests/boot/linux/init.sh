#!/bin/busybox sh
# The first process of the Linux guest: says what the kernel found, loads every CPU and much of the memory, takes a CPU
# away and back, switches the machine off. Lines that start with "init:" are what the tests read; "init: done" is
# printed only if every result was right.

MEMORY_MIB=192      # written to a file system in memory, then read back
BLOCK_MIB=16
HASHED_MIB=4        # per CPU
TERM_COUNT=20000    # of a sum in floating point, per CPU
PATH=/bin
cpu_folder=/sys/devices/system/cpu

say() { echo "init: $*"; }

fail() {
    say "FAILED: $*"
    dmesg | tail -n 20
    poweroff -f
}

# A result that needs general and vector registers, the same on every CPU.
load_cpu() {
    dd if=/dev/zero bs=64k count=$((HASHED_MIB * 16)) 2>/dev/null | md5sum | cut -c 1-32
    awk -v n=$TERM_COUNT 'BEGIN { for (i = 1; i <= n; i++) sum += i / (i + 0.5); printf "%.10f\n", sum }'
}

load_cpus() {
    for cpu in $(seq 0 $((cpu_count - 1))); do
        # The shell of the job moves to its CPU; what it starts stays there.
        (sh -c 'taskset -p -c '$cpu' $PPID' >/dev/null; load_cpu >/tmp/result.$cpu) &
    done
    wait
    for cpu in $(seq 0 $((cpu_count - 1))); do
        cmp /tmp/result.0 /tmp/result.$cpu || fail "CPU $cpu computed $(cat /tmp/result.$cpu), CPU 0 $(cat /tmp/result.0)"
    done
    say "cpu load: $(echo $(cat /tmp/result.0)) on each of $cpu_count CPUs"
}

load_memory() {
    dd if=/dev/urandom of=/tmp/block bs=1M count=$BLOCK_MIB 2>/dev/null
    expected=$(md5sum </tmp/block)
    block_count=$((MEMORY_MIB / BLOCK_MIB))
    for cpu in $(seq 0 $((cpu_count - 1))); do
        (for block in $(seq $cpu $cpu_count $((block_count - 1))); do cp /tmp/block /tmp/block.$block; done) &
    done
    wait
    for cpu in $(seq 0 $((cpu_count - 1))); do
        (for block in $(seq $cpu $cpu_count $((block_count - 1))); do
            [ "$(md5sum </tmp/block.$block)" = "$expected" ] && echo $block
        done >/tmp/right.$cpu) &
    done
    wait
    right_count=$(cat /tmp/right.* | wc -l)
    [ "$right_count" = "$block_count" ] || fail "only $right_count of $block_count blocks of memory kept what was written"
    say "memory load: $MEMORY_MIB MiB kept what was written"
}

restart_cpu() {
    last=$((cpu_count - 1))
    echo 0 >$cpu_folder/cpu$last/online || fail "CPU $last cannot be taken away"
    without=$(nproc)
    echo 1 >$cpu_folder/cpu$last/online || fail "CPU $last cannot be brought back"
    say "restarted CPU $last: $without CPUs without it, $(nproc) with it"
}

/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o size=80% tmp /tmp
cpu_count=$(nproc)
say "$(uname -a)"
say "online CPUs: $(cat $cpu_folder/online), present: $(cat $cpu_folder/present)"
say "features: $(grep -m 1 Features /proc/cpuinfo | cut -d : -f 2)"
for step in /step.*; do
    [ ! -e "$step" ] || . "$step"
done
load_cpus
load_memory
[ "$cpu_count" = 1 ] || restart_cpu
say "done"
poweroff -f
