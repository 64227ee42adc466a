"""The door to a host: from a machine to a connection and the processes on it, and what it says of itself."""
