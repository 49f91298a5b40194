"""The routes, by noun. Each is: parse, one call of the ledger, schema."""

from api.routers import (
    accounts,
    audit,
    deployment,
    health,
    history,
    keys,
    leases,
    login,
    orders,
    prices,
    problems,
    products,
    rounds,
    rpc,
    sites,
    standard,
    stream,
    transactions,
    units,
)

ROUTERS = tuple(
    module.router
    for module in (
        deployment,
        standard,
        products,
        prices,
        sites,
        orders,
        units,
        rounds,
        leases,
        accounts,
        transactions,
        history,
        audit,
        stream,
        keys,
        login,
        rpc,
        problems,
        health,
    )
)
