"""Enters the partitions of the manifest into the tables that all of the hypervisor works with."""

from __future__ import annotations

from compiler.language import Ordering, address_of, cold, string_at, u8, u16, u64
from hypervisor.boot import plan as plans
from hypervisor.boot.plan import PartitionPlan
from hypervisor.boot.refusal import refuse
from hypervisor.core.partition import PARTITIONS, Partition, PartitionId, PartitionKind
from hypervisor.core.vcpu import (
    RECEIVES_REQUESTS,
    SENDS_REQUESTS,
    VCPU_COUNT_MAX,
    VCPUS,
    VERSION_OPEN,
    VcpuState,
    enter_in_table,
)
from hypervisor.ffa.endpoint import Endpoint, endpoint_of
from hypervisor.ffa.protocol import OWN_VERSION
from hypervisor.firmware import smc_whitelist

REQUEST_METHODS = RECEIVES_REQUESTS | SENDS_REQUESTS
"""Of a partition's methods what its vCPUs keep."""
PRIMARY_METHODS = 1 << 1 | 1 << 2 | 1 << 10
"""The primary, which has no manifest, sends direct requests of both kinds, and indirect messages."""


@cold
def enter_partition(plan: PartitionPlan, vcpu_count: u64) -> Partition:
    """Fill the next entry of PARTITIONS, and its vCPUs with all but registers."""
    partition = PARTITIONS.partitions[PARTITIONS.count]
    partition.index = PARTITIONS.count
    partition.id = PartitionId(plan.id)
    partition.kind = kind_of(plan)
    partition.version = OWN_VERSION if partition.kind == PartitionKind.PRIMARY else plan.ffa_version
    partition.name_size = plan.name_size
    for index in range(plan.name_size):
        partition.name[index] = plan.name[index]
    if plan.is_smc_permissive:
        smc_whitelist.allow_all(partition)
    for index in range(plan.smc_count):
        assert smc_whitelist.allow(partition, plan.smc_whitelist[index]), "more SMCs than a manifest may list"
    _enter_endpoint(plan, endpoint_of(partition))
    _enter_vcpus(plan, partition, vcpu_count)
    PARTITIONS.count += 1
    return partition


def _enter_endpoint(plan: PartitionPlan, endpoint: Endpoint) -> None:
    """What FF-A has to know: services, and which messages the partition takes part in through any of them."""
    endpoint.receives_notifications = plan.has_notifications
    endpoint.methods = PRIMARY_METHODS if plan.kind == plans.PartitionKind.PRIMARY else 0
    endpoint.service_count = plan.service_count
    for index in range(plan.service_count):
        planned = plan.services[index]
        service = endpoint.services[index]
        for word in range(len(service.uuid)):
            service.uuid[word] = u64(planned.uuid[2 * word]) | u64(planned.uuid[2 * word + 1]) << 32
        service.methods = u16(planned.messaging_method)
        endpoint.methods |= service.methods


def _enter_vcpus(plan: PartitionPlan, partition: Partition, count: u64) -> None:
    first: u64 = 0
    if partition.index != 0:
        before = PARTITIONS.partitions[partition.index - 1]
        first = before.first_vcpu + before.vcpu_count
    if count > VCPU_COUNT_MAX - first:
        name = string_at(plans.name_of(plan))
        refuse(f"{name}: {count} vCPUs are too many beside those before; there can be {VCPU_COUNT_MAX} in all")
    partition.first_vcpu = first
    partition.vcpu_count = count
    for index in range(count):
        vcpu = VCPUS[partition.first_vcpu + index]
        vcpu.partition = address_of(partition)
        vcpu.partition_id = partition.id
        vcpu.index = u16(index)
        vcpu.kind = partition.kind
        vcpu.methods = u8(endpoint_of(partition).methods & REQUEST_METHODS)
        vcpu.attention.store(VERSION_OPEN, Ordering.RELAXED)
        vcpu.state.store(VcpuState.OFF, Ordering.RELAXED)
    if count == 1 and partition.kind != PartitionKind.PRIMARY:
        enter_in_table(VCPUS[partition.first_vcpu])


def kind_of(plan: PartitionPlan) -> PartitionKind:
    """What the manifest's reader calls it, in the tables' words."""
    match plan.kind:
        case plans.PartitionKind.PRIMARY:
            return PartitionKind.PRIMARY
        case plans.PartitionKind.EL1:
            return PartitionKind.EL1
        case plans.PartitionKind.EL0:
            return PartitionKind.EL0
