"""Linear regions of networks: where they end, along which curves, and what is active in them."""
