"""The paper's case study (section 5 of Guo et al. 2023) on the real contract: `wattproof study`."""
