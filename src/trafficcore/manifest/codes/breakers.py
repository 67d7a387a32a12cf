"""TC2: breakers that are legal and surely wrong."""

from trafficcore.manifest.codes.code import Code

__all__ = ["BREAKERS"]

_MATCH = "  - match: {vhost: {name: web}}\n"
_HEAD = f"kind: ASMCircuitBreaker\nspec:\n  configs:\n{_MATCH}    breaker_config:\n"


def _warning(code: str, name: str, title: str, why: str, instead: str, config: str) -> Code:
    return Code(
        id=code,
        name=name,
        severity="warning",
        title=title,
        why=why,
        instead=instead,
        example=_HEAD + "".join(f"      {line}\n" for line in config.splitlines()),
    )


BREAKERS = (
    _warning(
        "TC201",
        "window-too-long",
        "ASM refuses a window of this length",
        "Its webhook takes a `window_size` of at most 12 seconds. Here it works, so the same "
        "manifest would run in the process and not in the mesh.",
        "Stay at 12s or below.",
        "window_size: 60s\nslow_request_rt: 0.5s\nmax_slow_requests: 5",
    ),
    _warning(
        "TC202",
        "never-refuses",
        "A breaker is open for no time at all",
        "With a `break_duration` of 0s it closes in the moment it opens: the rule is left out.",
        "Write how long callers are to be turned away, or leave the field out for 30 seconds.",
        "break_duration: 0s\nslow_request_rt: 0.5s\nmax_slow_requests: 5",
    ),
    _warning(
        "TC203",
        "never-trips",
        "Nothing can trip a breaker",
        "A slow rule needs both `slow_request_rt` and `max_slow_requests`, a percentage a value "
        "above 0.",
        "Write the half that the message names.",
        "max_slow_requests: 5",
    ),
    _warning(
        "TC204",
        "minimum-unused",
        "min_request_amount stands beside a slow rule only",
        "It is the fewest requests before a *percentage* counts. The slow rule counts slow "
        "requests and waits for nothing else.",
        "Leave it out, or add the `error_percent` it was written for.",
        "slow_request_rt: 0.5s\nmax_slow_requests: 5\nmin_request_amount: 2",
    ),
    _warning(
        "TC205",
        "window-below-slow-limit",
        "The window is shorter than what it calls slow",
        "A request is known to be slow when it has taken `slow_request_rt`, longer than the "
        "window remembers: slow requests that began together are rarely counted together.",
        "Make the window several times as long as `slow_request_rt`.",
        "window_size: 1s\nslow_request_rt: 2s\nmax_slow_requests: 5",
    ),
    _warning(
        "TC206",
        "overload-header",
        "The header is called x-envoy-overloaded",
        "Proxies and clients that look for overload look for `x-envoy-overloaded`; nobody looks "
        "for `x-envoy-overload`.",
        'Write `x-envoy-overloaded: "true"`.',
        "slow_request_rt: 0.5s\nmax_slow_requests: 5\ncustom_response:\n  status_code: 503\n"
        '  header_to_add:\n    x-envoy-overload: "true"',
    ),
    Code(
        id="TC207",
        name="breaker-twice",
        severity="warning",
        title="Two breakers are about exactly the same requests",
        why="Both count and both act: requests are refused while either is open, with the answer "
        "of the one that stands first.",
        instead="Write both rules into one `breaker_config`.",
        example=f"{_HEAD}      slow_request_rt: 0.5s\n      max_slow_requests: 5\n{_MATCH}"
        "    breaker_config:\n      error_percent: {value: 50}\n",
    ),
)
