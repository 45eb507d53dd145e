"""Money: dated prices, and what a repeat, a unit or a plan costs at them."""
