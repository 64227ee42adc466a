"""Checks of the cluster itself, one file each."""
