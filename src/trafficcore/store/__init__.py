"""RING 2: limits whose state lives in a file that every worker of a machine maps."""

from trafficcore.store.file import HostFile
from trafficcore.store.gcra import SharedGcra
from trafficcore.store.keyed import SharedKeyed
from trafficcore.store.place import share_directory

__all__ = ["HostFile", "SharedGcra", "SharedKeyed", "share_directory"]
