"""The product, in the dialect only."""
