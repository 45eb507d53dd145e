"""Money: dated prices, and the cost of a repeat, a unit of work or a plan."""
