"""The data API: what the watcher stored, unsigned transactions, and a page, over HTTP."""
