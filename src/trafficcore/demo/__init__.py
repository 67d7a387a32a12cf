"""RING 4: the four policies over real HTTP on loopback, each shown beside what it must show."""

from trafficcore.demo.run import run

__all__ = ["run"]
