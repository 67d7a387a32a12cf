"""TC1: rate limits that are legal and surely wrong."""

from trafficcore.manifest.codes.code import Code

__all__ = ["LIMITS"]


def _warning(code: str, name: str, title: str, why: str, instead: str, example: str) -> Code:
    return Code(
        id=code,
        name=name,
        severity="warning",
        title=title,
        why=why,
        instead=instead,
        example=example,
    )


LIMITS = (
    _warning(
        "TC101",
        "swapped-numbers",
        "quota and fill_interval look swapped",
        "`quota` tokens fill in each `fill_interval`. A quota of 60 beside an interval of 2 s is "
        "thirty requests a second; whoever writes so most often means two in a minute.",
        "Swap the two numbers. If the rate is meant, say it per second: 30 each 1s.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - limit:\n"
        "      fill_interval: {seconds: 2}\n      quota: 60\n",
    ),
    _warning(
        "TC102",
        "refuses-all",
        "A quota of 0 refuses every request",
        "There is never a token to spend.",
        "Write the quota that is meant. To close a route on purpose, keep it and silence this.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - limit: {fill_interval: 1s, quota: 0}\n",
    ),
    _warning(
        "TC103",
        "status-below-400",
        "A refusal has a status below 400",
        "The proxy sends 429 then: a refusal is never a success.",
        "Write 429, or another status from 400.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n"
        "  - limit: {fill_interval: 1s, quota: 5, status: 200}\n",
    ),
    _warning(
        "TC104",
        "override-of-all",
        "An override matches every request",
        "The first override that matches is used instead of the limit beside it: neither that "
        "limit nor any later override is ever reached.",
        "Give the override a `request_match`, or write its limit as the limit of the entry.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - limit: {fill_interval: 1s, quota: 5}\n"
        "    limit_overrides:\n    - limit: {fill_interval: 1s, quota: 50}\n",
    ),
    _warning(
        "TC105",
        "shadowed-override",
        "An override stands behind one that takes all its requests",
        "Overrides are tried in their order, and the first that matches wins: every request that "
        "this one is about was taken before.",
        "Put the narrower override first.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - limit: {fill_interval: 1s, quota: 5}\n"
        "    limit_overrides:\n"
        "    - request_match: {header_match: [{name: ':path', prefix_match: /api}]}\n"
        "      limit: {fill_interval: 1s, quota: 50}\n"
        "    - request_match: {header_match: [{name: ':path', prefix_match: /api/login}]}\n"
        "      limit: {fill_interval: 1s, quota: 1}\n",
    ),
    _warning(
        "TC106",
        "does-nothing",
        "A policy holds no rule",
        "It loads, and nothing comes of it.",
        "Write its `spec` and its `configs`, or delete it.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs: []\n",
    ),
    _warning(
        "TC107",
        "limit-twice",
        "Two limits are about exactly the same requests",
        "Both act: a request needs a token of each, so the stricter one decides and the other "
        "only takes its tokens along.",
        "Keep the one that is meant.",
        "kind: ASMLocalRateLimiter\nspec:\n  configs:\n"
        "  - match: {vhost: {name: web, port: 80}}\n    limit: {fill_interval: 1s, quota: 5}\n"
        "  - match: {vhost: {name: web, port: 80}}\n    limit: {fill_interval: 1s, quota: 50}\n",
    ),
)
