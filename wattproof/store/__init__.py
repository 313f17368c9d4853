"""What a watcher saw of markets, in SQLite or PostgreSQL: raw, as the chain said it, and derived, as people ask."""
