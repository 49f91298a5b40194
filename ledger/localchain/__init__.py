"""A local chain that survives whatever is killed: anvil behind a journal."""
