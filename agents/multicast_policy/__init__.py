"""multicast-policy: multicast on the pod network off by default, on by annotation, and never between namespaces.

`controller` decides for the cluster which namespaces are enabled, `agent` enforces it on its node, `bind` is the CNI
plug-in that tells the agent of each pod. docs/multicast-policy.md has the whole picture.
"""
