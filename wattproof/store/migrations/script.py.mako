"""${message}."""

import sqlalchemy as sa
from alembic import op

from wattproof.store.types import Signed, Unsigned

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """From the revision before."""
    ${upgrades if upgrades else "pass"}
