#include <stdbool.h>
#include <stdint.h>

#define CAPACITY 256

struct ring {
    uint32_t head;
    uint32_t tail;
    uint8_t data[CAPACITY];
};

static bool put(struct ring *ring, uint8_t byte)
{
    if (ring->head - ring->tail == CAPACITY)
        return false;
    ring->data[ring->head % CAPACITY] = byte;
    ring->head++;
    return true;
}

static uint8_t take(struct ring *ring)
{
    uint8_t byte = ring->data[ring->tail % CAPACITY];
    ring->tail++;
    return byte;
}

uint64_t ring_write(struct ring *ring, const uint8_t *source, uint64_t size)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < size; i++) {
        if (!put(ring, source[i]))
            break;
        count++;
    }
    return count;
}

uint64_t ring_read(struct ring *ring, uint8_t *target, uint64_t size)
{
    uint64_t count = 0;
    while (count < size && ring->head != ring->tail) {
        target[count] = take(ring);
        count++;
    }
    return count;
}
