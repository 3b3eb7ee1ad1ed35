"""The commands' implementations, called by `vscolor.cli` with the parsed arguments."""
