"""What the market costs: real gas, measured transaction by transaction (`wattproof gas`)."""
