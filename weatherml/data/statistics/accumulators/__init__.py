"""What is summed over the times of a period, block by block: sums merge in any order and go on later."""
