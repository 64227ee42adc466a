"""What switches multicast by namespace: the lab's own policy, OVN-Kubernetes, openshift-sdn, one file each."""
