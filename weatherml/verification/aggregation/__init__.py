"""Statistics summed over area, and what is kept of them."""
