"""mcastlab: a Kubernetes multicast lab. Its rooms, and who may import whom, stand in pyproject.toml.

The version stands here alone: the package, the collection and the changelog are held to it.
"""

__version__ = "0.2.0"
