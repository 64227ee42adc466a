"""Checks of what passes between nodes, one file each."""
