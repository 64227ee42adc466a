"""Where the cluster's binaries come from: one file a source behind the contract in `base`; `choose` has their order."""
