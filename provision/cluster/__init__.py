"""The door to an API server: objects, pods and workloads, with errors that say what to do."""
