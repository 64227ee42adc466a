"""Second interfaces, and what pods attach to: what a lab's networks are, and what tenants' may be.

In come the lab and the networks that its cluster has; out go manifests, and why a network is none that its
namespace may have.
"""
