"""The parts of `verification.plugin`, a concern each."""
