"""Evidence beyond the properties: other compilers' settings, proofs, and a network of nodes. Run by `make evidence`."""
