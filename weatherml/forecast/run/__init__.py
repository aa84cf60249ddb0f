"""What is asked for, and its way from the devices to the output."""
