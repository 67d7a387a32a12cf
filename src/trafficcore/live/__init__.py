"""RING 3: a machine and a clock, for people without an engine; and what wakes those who wait."""

from trafficcore.live.balancer import Balancer
from trafficcore.live.breaker import CircuitBreaker, CircuitOpen
from trafficcore.live.breakers import Breakers
from trafficcore.live.budgets import Budgets, Spending
from trafficcore.live.charge import charge
from trafficcore.live.control_point import ControlPoint
from trafficcore.live.fair import QuotaScheduler
from trafficcore.live.limiter import KeyedRateLimiter, RateLimiter
from trafficcore.live.reservation import Reservation
from trafficcore.live.shared_limiter import SharedKeyedRateLimiter, SharedRateLimiter
from trafficcore.live.sliding_limiter import SlidingWindowLimiter
from trafficcore.live.together import Together

__all__ = [
    "Balancer",
    "Breakers",
    "Budgets",
    "CircuitBreaker",
    "CircuitOpen",
    "ControlPoint",
    "KeyedRateLimiter",
    "QuotaScheduler",
    "RateLimiter",
    "Reservation",
    "SharedKeyedRateLimiter",
    "SharedRateLimiter",
    "SlidingWindowLimiter",
    "Spending",
    "Together",
    "charge",
]
