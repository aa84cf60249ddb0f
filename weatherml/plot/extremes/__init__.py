"""Pictures of extreme events, and the page of one."""
