"""The routes, by noun. Each is: parse, one call of the ledger, schema."""

from api.routers import deployment, health, history, prices, products, standard, stream

ROUTERS = tuple(module.router for module in (deployment, standard, products, prices, history, stream, health))
