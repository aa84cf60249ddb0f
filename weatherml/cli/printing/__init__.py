"""What is printed, and how: tables, descriptions, plans, progress."""
