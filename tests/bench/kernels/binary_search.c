#include <stdint.h>

struct region {
    uint64_t base;
    uint64_t limit;
};

uint64_t lower_bound(const uint64_t *values, uint64_t count, uint64_t wanted)
{
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (values[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t find_region(const struct region *regions, uint64_t count, uint64_t address)
{
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct region *region = &regions[middle];
        if (address < region->base)
            high = middle;
        else if (address >= region->limit)
            low = middle + 1;
        else
            return middle;
    }
    return UINT64_MAX;
}
