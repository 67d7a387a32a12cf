"""A look-up by dnspython: A and AAAA records with their times to live.

Law    an answer is whole or none: where both families are wanted and one of them cannot be had, it
       is a failure. That a name is not there, or has no records of a type, is an answer: its time
       to live is what the zone's SOA says (RFC 2308), as far as that came along. A chain of
       CNAMEs is as good as the shortest-lived of its links.
"""

from typing import Any

import dns.resolver

from trafficcore.discovery.lookup import FAMILIES, Answer, ordered

__all__ = ["dns_lookup", "lookup_by"]


def dns_lookup(name: str, family: str, timeout: float) -> Answer:
    """Ask the servers that this machine is set up with, as it is now."""
    return lookup_by(dns.resolver.Resolver(), name, family, timeout)


def lookup_by(resolver: dns.resolver.Resolver, name: str, family: str, timeout: float) -> Answer:
    """Ask for a name, by way of the machine's search domains where it is not a full one."""
    answers = []
    for kind in FAMILIES[family]:
        answer = _records(resolver, name, kind, timeout)
        if answer.found and family != "all":
            return answer
        answers.append(answer)
    # the time of what is there counts, and where nothing is, of that
    good = [answer for answer in answers if answer.found] or answers
    return Answer(
        found=ordered({address for answer in good for address in answer.found}),
        ttl=min(answer.ttl for answer in good if answer.ttl is not None),
        why=good[-1].why,
    )


def _records(resolver: dns.resolver.Resolver, name: str, kind: str, timeout: float) -> Answer:
    """Return the addresses of one type."""
    try:
        answer = resolver.resolve(
            name, kind, search=True, lifetime=timeout, raise_on_no_answer=False
        )
    except dns.resolver.NXDOMAIN as error:
        responses: Any = error.kwargs["responses"]
        times = [response.resolve_chaining().minimum_ttl for response in responses.values()]
        return Answer(ttl=min(times), why=f"{name}: no such name")
    ttl = answer.chaining_result.minimum_ttl
    if answer.rrset is None:
        return Answer(ttl=ttl, why=f"{name}: no {kind} record")
    return Answer(found=ordered({record.address for record in answer.rrset}), ttl=ttl)
