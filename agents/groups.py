"""Names of live groups about agents, and what rings in them."""

ROUTER = "router"  # "work": something was freed or added


def desk(agent_id: int) -> str:
    """
    Everything that shows on an agent's desk.

    Rings: "changed", "told" (how asking a colleague ended, in `offer`), "closed" (his last desk in a process; one that
    is open elsewhere says so).
    """
    return f"desk:{agent_id}"
