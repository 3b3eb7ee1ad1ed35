"""The command `compare`: several results of one film on one page."""
