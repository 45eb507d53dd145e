"""Money and energy: dated prices, tariffs of a site and of clouds, their uncertainty, and what decides own or rent."""
