"""The routes, by noun. Each is: parse, one call of the ledger, schema."""

from api.routers import (
    accounts,
    audit,
    deployment,
    health,
    history,
    jobs,
    keys,
    leases,
    login,
    orders,
    prices,
    problems,
    products,
    quality,
    results,
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
        quality,
        orders,
        units,
        rounds,
        leases,
        jobs,
        results,
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
