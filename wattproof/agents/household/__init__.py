"""A household's agent: it quotes, bids, opens, buys and reports."""
