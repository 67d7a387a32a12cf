"""What timeouts, retries and their caps mean; the client transports carry them out."""

from collections.abc import Iterator

from trafficcore.explain.meaning import Meaning
from trafficcore.explain.words import listed, number, span
from trafficcore.spec import Retries, RetryCaps

__all__ = ["caps_meanings", "route_words"]


def caps_meanings(caps: RetryCaps | None) -> Iterator[Meaning]:
    """Say how many retries may be under way at once."""
    if caps is None:
        return
    if caps.budget_percent is None:
        value = f"at most {caps.max_retries}"
        text = f"At most {caps.max_retries} retries"
    else:
        least, share = caps.min_retry_concurrency, number(caps.budget_percent)
        value = f"{share} % of the calls in flight, {least} always"
        text = f"No more retries than {share} % of the calls in flight, but {least} always"
    text += " are under way at once, of the client transports'; a call without room has its answer."
    yield Meaning("retries under way", value, text)


def route_words(retries: Retries | None) -> Iterator[str]:
    """Say what the route of a call makes of its time and its failures."""
    if retries is None:
        return
    if retries.timeout is not None:
        yield f"By its route a client transport gives it {span(retries.timeout)} in all."
    if not retries.attempts:
        return
    words = listed(retries.on, "or") if retries.on else "nothing"
    tries = "one more try" if retries.attempts == 1 else f"{retries.attempts} more tries"
    text = f"By its route a client transport makes up to {tries}"
    if retries.per_try_timeout is not None:
        text += f" of {span(retries.per_try_timeout)}"
    yield f"{text} after {words}."
