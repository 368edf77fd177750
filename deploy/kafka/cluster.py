"""Several brokers of the real Kafka on this machine, as one cluster: what one of them has, another can go on with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy import free_port
from deploy.kafka.local import LocalKafka, Member, new_cluster_id


class LocalCluster:
    """Brokers that vote for their controller. Only this object knows them: they last as long as it does."""

    def __init__(self, data: Path, brokers: int = 3) -> None:
        controllers = {node: free_port() for node in range(1, brokers + 1)}
        cluster_id = new_cluster_id()
        self.brokers = [
            LocalKafka(data / f"broker-{node}", member=Member(node, controllers, cluster_id)) for node in controllers
        ]

    @property
    def bootstrap(self) -> str:
        return ",".join(broker.bootstrap for broker in self.brokers)

    def start(self, within: float = 90.0) -> str:
        """Start those that do not run, together: alone, none of them would come to be ready."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(lambda broker: broker.start(within), self.brokers))
        return self.bootstrap

    def stop(self) -> None:
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(lambda broker: broker.stop(), self.brokers))
