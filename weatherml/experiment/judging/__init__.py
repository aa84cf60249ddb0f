"""What is made of an experiment's forecasts: verdicts and the page that shows them."""
