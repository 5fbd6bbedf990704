/* First in, first out (Clayton's case): intervals of coins, by search, in any order of work. */
#include "columns.h"

typedef struct {
    const segment *segments;
    int64_t parts, pots;
    const uint8_t *stops; /* per pot: told, not followed */
    int64_t hops, accounts, room;
    int64_t begun; /* pieces put in to begin with */
    int64_t pieces, visited;
    /* per piece, `room` of each; after the first `begun` each was moved by transfer `row` out of piece `parent` */
    uint32_t *pot, *row;
    int64_t *low, *high, *here; /* [low, high) of the pot's coins; [here, high) has not been paid out */
    int64_t *parent, *inside_low, *inside_high;
    int32_t *hop;
    uint8_t *state;
} fifo;

static int fifo_emit(fifo *f, const segment *g, int64_t piece, int64_t span[2], int64_t at[2])
{
    int64_t k = at[0], leaves, comes;
    if (units_of(g, k, at[1], &leaves, &comes) != OK || g->target[k] >= f->pots || g->in_off[k] < 0)
        return CORRUPT;
    if (f->pieces == f->room)
        return FULL;
    int64_t end = g->cum_out[k] + leaves, stop = span[1] < end ? span[1] : end, p = f->pieces;
    int64_t a = span[0] - g->cum_out[k], b = stop - g->cum_out[k];
    f->row[p] = g->row[k];
    f->pot[p] = g->target[k];
    f->parent[p] = piece;
    f->inside_low[p] = a;
    f->inside_high[p] = b;
    if (comes != leaves) {
        a = (int64_t)((wide_t)a * (wide_t)comes / (wide_t)leaves);
        b = (int64_t)((wide_t)b * (wide_t)comes / (wide_t)leaves);
    }
    if (b > INT64_MAX - g->in_off[k])
        return CORRUPT;
    f->low[p] = g->in_off[k] + a;
    f->high[p] = g->in_off[k] + b;
    f->hop[p] = f->hop[piece] + 1;
    f->pieces++;
    span[0] = stop;
    return OK;
}

static int fifo_in(fifo *f, const segment *g, int64_t piece, int64_t span[2], int emit)
{
    int64_t low, high, leaves, comes;
    if (range_of(g, f->pot[piece], &low, &high) != OK)
        return CORRUPT;
    if (low == high || span[0] >= span[1])
        return OK;
    if (units_of(g, high - 1, high, &leaves, &comes) != OK)
        return CORRUPT;
    int64_t total = g->cum_out[high - 1] + leaves;
    if (!emit) {
        if (total > span[0])
            span[0] = total < span[1] ? total : span[1];
        return OK;
    }
    int64_t a = low, z = high; /* the last whose cum_out <= span[0] */
    while (z - a > 1) {
        int64_t m = a + (z - a) / 2;
        if (g->cum_out[m] <= span[0])
            a = m;
        else
            z = m;
    }
    for (int64_t at[2] = {a, high}; at[0] < high && span[0] < span[1] && span[0] < total; at[0]++) {
        if (span[0] < g->cum_out[at[0]])
            return CORRUPT;
        int status = fifo_emit(f, g, piece, span, at);
        if (status != OK)
            return status;
    }
    return OK;
}

static int fifo_piece(fifo *f, int64_t piece, int emit)
{
    int64_t span[2] = {f->low[piece], f->high[piece]};
    int64_t before = f->pieces;
    for (int64_t part = 0; part < f->parts; part++) {
        int status = fifo_in(f, &f->segments[part], piece, span, emit);
        if (status != OK) {
            f->pieces = before;
            return status;
        }
    }
    f->here[piece] = span[0];
    return OK;
}

int arrp_fifo(fifo *f)
{
    map_t seen;
    int status = map_open(&seen, 256), full = 0;
    for (int64_t i = 0; status == OK && i < f->pieces; i++) {
        uint32_t pot = f->pot[i];
        f->state[i] = FOLLOWED;
        f->here[i] = f->low[i];
        if (pot >= f->pots || f->low[i] < 0 || f->low[i] > f->high[i]) {
            status = CORRUPT;
        } else if (f->stops[pot]) {
            f->state[i] = STOPPED;
        } else if (full || (seen.places[map_entry(&seen, pot)] < 0 && seen.used >= f->accounts)) {
            f->state[i] = LEFT;
        } else if (map_put(&seen, pot) < 0) {
            status = NO_MEMORY;
        } else {
            int emit = f->hop[i] < f->hops;
            f->state[i] = emit ? FOLLOWED : LEFT;
            status = fifo_piece(f, i, emit);
            if (status == FULL) {
                f->state[i] = LEFT;
                full = 1;
                status = fifo_piece(f, i, 0);
            }
        }
    }
    f->visited = seen.used;
    map_close(&seen);
    return status == OK && full ? FULL : status;
}
