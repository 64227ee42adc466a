"""Podman's systemd containers: machines, their image, keys and networks."""
