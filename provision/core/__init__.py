"""What knows no lab: errors, commands, waits, files, locks, progress. It imports nothing else of this package."""
