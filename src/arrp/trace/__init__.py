"""Where the money went: pure functions over ledgers, whole units in, whole units out."""
