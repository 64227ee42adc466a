"""What each command does; `cli` has its options and help."""
