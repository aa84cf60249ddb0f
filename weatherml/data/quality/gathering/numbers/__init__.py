"""What is reckoned of a block of fields: numbers that merge with those of the blocks before."""
