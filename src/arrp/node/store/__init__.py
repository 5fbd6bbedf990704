"""One node's store: the log, and what is derived from it in the same transaction.

    engine    SQLite or PostgreSQL, one schema; the only place that knows which
    tables    the schema
    cases     events and their fold
    talk      conversations: what was said, what was heard, what is still unreceipted
    work      what must happen later or outside: timers, intents, joins, leases
    audit     positions, the tree's frontier, checkpoints
"""
