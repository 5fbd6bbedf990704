/* Every victim at once, for screening: shares of balances in floating point, in booking order. */
#include "columns.h"

typedef struct {
    int64_t n, pots;
    const uint32_t *sources, *targets;
    const double *shares; /* amount / balance before, by row; 0 where nothing can move */
    int64_t starts;
    const uint32_t *start_row; /* ascending */
    const double *start_units;
    const uint8_t *stops;
    double least;   /* a transfer that would carry less carries none */
    double *units;  /* per pot, 0 to begin with */
    uint64_t *bits; /* per 64 pots, 0 to begin with: which have taint that can move */
} everyone;

static inline void credit(everyone *e, uint32_t pot, double units)
{
    e->units[pot] += units;
    if (e->units[pot] >= e->least && !e->stops[pot])
        e->bits[pot >> 6] |= UINT64_C(1) << (pot & 63);
}

int arrp_everyone(everyone *e)
{
    int64_t next = 0;
    for (int64_t i = 0; i < e->n; i++) {
        if (i + 16 < e->n) {
            uint32_t ahead = e->sources[i + 16];
            if (ahead < e->pots && e->bits[ahead >> 6] >> (ahead & 63) & 1) {
                PREFETCH(&e->units[ahead]);
                if (e->targets[i + 16] < e->pots)
                    PREFETCH(&e->units[e->targets[i + 16]]);
            }
        }
        uint32_t s = e->sources[i], d = e->targets[i];
        if (s >= e->pots || d >= e->pots)
            return CORRUPT;
        if (e->bits[s >> 6] >> (s & 63) & 1 && s != d) {
            double moved = e->units[s] * e->shares[i];
            if (moved >= e->least) {
                e->units[s] -= moved;
                if (e->units[s] < e->least) /* no transfer can carry enough of it any more */
                    e->bits[s >> 6] &= ~(UINT64_C(1) << (s & 63));
                credit(e, d, moved);
            }
        }
        while (next < e->starts && e->start_row[next] <= i) {
            if (e->start_row[next] == i)
                credit(e, d, e->start_units[next]);
            next++;
        }
    }
    return OK;
}

/* The floor of that: the same columns read and nothing done. */
double arrp_scan(int64_t n, const uint32_t *sources, const uint32_t *targets, const double *shares)
{
    uint64_t sum = 0;
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += sources[i] ^ targets[i];
        total += shares[i];
    }
    return total + (double)(sum & 1);
}
