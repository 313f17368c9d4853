"""Programs that act on a chain by themselves: the operator's daemon and a household's agent."""
