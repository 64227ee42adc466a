"""mcastlab: a Kubernetes multicast lab. The rooms, lowest first, and who may import whom, stand in pyproject.toml."""
