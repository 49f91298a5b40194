"""The keeper: what anyone may do, done so that nobody has to."""
