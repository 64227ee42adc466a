"""mcastlab. Its version stands here alone: the package, the collection and the changelog are held to it."""

__version__ = "0.2.0"
