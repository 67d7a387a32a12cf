"""Outlier detection: endpoints that fail are taken out for a while, and come back."""

from trafficcore.core.outlier.changes import Change, Ejected, Kind, Returned
from trafficcore.core.outlier.ejector import Ejector
from trafficcore.core.outlier.grpc import GrpcEjector
from trafficcore.core.outlier.grpc_settings import (
    FailurePercentageEjection,
    GrpcSettings,
    SuccessRateEjection,
)
from trafficcore.core.outlier.results import Result
from trafficcore.core.outlier.settings import Settings
from trafficcore.core.outlier.snapshot import EndpointSnapshot, OutlierSnapshot
from trafficcore.core.outlier.tally import Tally

__all__ = [
    "Change",
    "Ejected",
    "Ejector",
    "EndpointSnapshot",
    "FailurePercentageEjection",
    "GrpcEjector",
    "GrpcSettings",
    "Kind",
    "OutlierSnapshot",
    "Result",
    "Returned",
    "Settings",
    "SuccessRateEjection",
    "Tally",
]
