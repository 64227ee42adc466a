"""Python's side of the roles: the inventory that hands them values, and the playbook that runs them."""
