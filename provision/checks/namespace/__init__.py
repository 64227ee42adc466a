"""Checks of multicast on the pod network, switched by namespace, one file each."""
