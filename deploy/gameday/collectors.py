"""All that the exporter measures."""

from deploy.gameday.collector import Collector
from deploy.gameday.node_collector import Node
from deploy.gameday.probe_collector import DashboardProbe
from deploy.gameday.redis_collector import RedisMemory

COLLECTORS: tuple[type[Collector], ...] = (RedisMemory, DashboardProbe, Node)
