"""Machines in, SSH endpoints out: one room for each kind of host, behind the contract in `base`."""
