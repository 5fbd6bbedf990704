"""What waits for one peer is found without reading what waits for another."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_index("outbox_due", "outbox")
    op.create_index("outbox_due", "outbox", ["state", "peer", "urgency", "due_at"])
