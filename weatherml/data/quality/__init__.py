"""What is wrong with data, and what they hold."""
