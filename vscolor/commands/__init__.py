"""What the commands do, a file each, once `vscolor.cli` has read their arguments."""
