"""A DNS server on loopback that says what it is told, and a resolver that asks it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

__all__ = ["Zone", "name_server"]

SOA = "ns.example.com. admin.example.com. 1 3600 600 86400"


class Zone:
    """Records by name and type; whatever is not there is answered with an SOA."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.negative = 7
        self.rcode = dns.rcode.NOERROR
        self.silent = False
        self.asked: list[tuple[str, str]] = []
        self.resolver: Any = None

    def put(self, name: str, kind: str, ttl: int, *values: str) -> None:
        self.records[name, kind] = (ttl, list(values))

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        (question,) = query.question
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if self.rcode:
            response.set_rcode(self.rcode)
            return response
        while (name, kind) not in self.records and (name, "CNAME") in self.records:
            ttl, (target,) = self.records[name, "CNAME"]
            response.answer.append(dns.rrset.from_text(name, ttl, "IN", "CNAME", target))
            name = target
        if (name, kind) in self.records:
            ttl, values = self.records[name, kind]
            response.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *values))
            return response
        if not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = dns.rrset.from_text("example.com.", 60, "IN", "SOA", f"{SOA} {self.negative}")
        response.authority.append(soa)
        return response


@contextmanager
def name_server() -> Iterator[Zone]:
    """Serve a zone over UDP; `zone.resolver` asks it and nobody else."""
    zone = Zone()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                data, peer = listening.recvfrom(4096)
                if not data:
                    return
                if not zone.silent:
                    answer = zone.answer(dns.message.from_wire(data))
                    listening.sendto(answer.to_wire(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        zone.resolver = dns.resolver.Resolver(configure=False)
        zone.resolver.nameservers = ["127.0.0.1"]
        zone.resolver.port = listening.getsockname()[1]
        zone.resolver.search = [dns.name.from_text("example.com.")]
        try:
            yield zone
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", listening.getsockname())
            thread.join(10)
