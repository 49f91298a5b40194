"""The index: from a node's logs to the rows that everybody reads."""
