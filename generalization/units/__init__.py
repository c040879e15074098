"""Units of hidden layers: what they say, and what becomes of a network without some of them."""
