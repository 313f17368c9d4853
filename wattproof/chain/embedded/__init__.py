"""The embedded chain: a development node in plain Python, for machines without npm. `wattproof node` serves it.

Blocks, state, transactions and gas are py-evm's, under Prague's rules: true headers and parents' hashes, receipts to
the unit of gas, fees by EIP-1559, calls at every block of the past. The interface is JSON-RPC on 127.0.0.1, with the
methods of development nodes for time, ether and reorganisations; see `methods`.

What differs from a node of a network:

- One process, in memory: what it held is gone with it. Blocks come when `evm_mine` asks, with each transaction, or
  every so many seconds; transactions go into a block in the order in which they came.
- A block takes 1,000 M gas, so that a batch is one block; a transaction, a call and an estimate 50 M, so that nothing
  keeps the node for minutes. Nobody gets the tips (the block's `miner` is the zero address).
- Blob transactions are refused; state overrides and access lists of calls, too. There are no filters, subscriptions and
  websockets, and no accounts whose keys the node has. `eth_getBlockByNumber` of "pending" is the last block.
- In `callTracer` CREATE2 is called CREATE, and there are no logs. Beacon roots and the history contract are not there.
"""
