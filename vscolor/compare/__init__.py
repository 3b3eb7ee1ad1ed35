"""One page on which several results of one film are compared: the command `compare`."""
