"""One event judged: where and when it was, who forecast it, and how well."""
