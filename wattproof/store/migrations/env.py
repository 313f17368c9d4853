"""What Alembic runs: the revisions, on the connection and in the transaction that `upgrade.run` hands over."""

from alembic import context

from wattproof.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
