"""Sending so that each intent has one effect: kept before it is sent, followed until it is final."""
