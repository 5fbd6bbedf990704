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

enum { BLOCK = 32 };

/* Whether the pot could not pay anything on before and can now. */
static inline int credit(everyone *e, uint32_t pot, double units)
{
    e->units[pot] += units;
    if (e->units[pot] < e->least || e->stops[pot])
        return 0;
    uint64_t bit = UINT64_C(1) << (pot & 63), before = e->bits[pot >> 6];
    e->bits[pot >> 6] = before | bit;
    return !(before & bit);
}

static inline int carry(everyone *e, int64_t i)
{
    uint32_t s = e->sources[i], d = e->targets[i];
    double moved = e->units[s] * e->shares[i];
    if (moved < e->least || s == d)
        return 0;
    e->units[s] -= moved;
    if (e->units[s] < e->least) /* no transfer can carry enough of it any more */
        e->bits[s >> 6] &= ~(UINT64_C(1) << (s & 63));
    return credit(e, d, moved);
}

/* The few rows of a block whose source has something are listed without a branch, for which rows these are nobody
   can guess; when a pot comes to have something, the rows behind are listed anew. */
int arrp_everyone(everyone *e)
{
    int64_t next = 0, i = 0, n = e->n;
    for (int64_t k = 0; k < e->starts; k++)
        if (e->start_row[k] >= n || (k && e->start_row[k] < e->start_row[k - 1]))
            return CORRUPT;
    while (i < n) {
        int64_t start = next < e->starts ? (int64_t)e->start_row[next] : n;
        int64_t end = i + BLOCK < n ? i + BLOCK : n, rows[BLOCK];
        if (end > start + 1)
            end = start + 1;
        int many = 0;
        uint32_t top = 0;
        for (int64_t k = i; k < end; k++) {
            uint32_t s = e->sources[k], bounded = s < e->pots ? s : 0;
            rows[many] = k;
            many += (int)(e->bits[bounded >> 6] >> (bounded & 63) & 1);
            top = s > top ? s : top;
            top = e->targets[k] > top ? e->targets[k] : top;
        }
        if (top >= e->pots)
            return CORRUPT;
        for (int k = 0; k < many; k++) {
            PREFETCH(&e->units[e->sources[rows[k]]]);
            PREFETCH(&e->units[e->targets[rows[k]]]);
        }
        for (int k = 0; k < many; k++)
            if (carry(e, rows[k])) {
                end = rows[k] + 1;
                break;
            }
        for (; next < e->starts && e->start_row[next] == end - 1; next++)
            credit(e, e->targets[end - 1], e->start_units[next]);
        i = end;
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
