#include <stdint.h>

static void sift_down(uint32_t *values, uint64_t start, uint64_t end)
{
    uint64_t root = start;
    uint32_t item = values[root];
    while (2 * root + 1 < end) {
        uint64_t child = 2 * root + 1;
        if (child + 1 < end && values[child] < values[child + 1])
            child++;
        if (item >= values[child])
            break;
        values[root] = values[child];
        root = child;
    }
    values[root] = item;
}

void heap_sort(uint32_t *values, uint64_t count)
{
    uint64_t start = count / 2;
    while (start > 0) {
        start--;
        sift_down(values, start, count);
    }
    uint64_t end = count;
    while (end > 1) {
        end--;
        uint32_t first = values[0];
        values[0] = values[end];
        values[end] = first;
        sift_down(values, 0, end);
    }
}
