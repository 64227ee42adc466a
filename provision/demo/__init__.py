"""Demonstrations that run in a cluster: `mcastlab demo discovery`."""
