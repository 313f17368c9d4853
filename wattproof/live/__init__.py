"""One command shows it all: a chain, a market, a trading day in fast time, the watcher, the data API and the page."""
