"""What this process counts for Prometheus; the whole portal's numbers are read from the database at each scrape."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

registry = CollectorRegistry(auto_describe=True)

sockets = Gauge("livedesk_sockets", "Open sockets of this process.", ["page"], registry=registry)
reconnects = Counter(
    "livedesk_reconnects",
    "Pages that came back after a break; lossless while their thread still has the last line that they had.",
    ["lossless"],
    registry=registry,
)
offers = Counter("livedesk_offers", "Offers that ended in this process, by outcome.", ["outcome"], registry=registry)
messages = Counter("livedesk_messages", "Messages stored by this process.", registry=registry)
delivery = Histogram(
    "livedesk_delivery_seconds",
    "From the moment a message was stored to its sending to a page of this process that showed its thread then.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
    registry=registry,
)
sweep = Histogram(
    "livedesk_sweep_seconds",
    "How long the router takes to look through all deadlines and lines.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
    registry=registry,
)
router_lag = Gauge("livedesk_router_lag_seconds", "Since the router's last sweep.", registry=registry)
