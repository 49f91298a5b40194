"""Compute Ledger over HTTP: a thin layer on the ledger's public names. Build the app with `api.app.create_app`."""
