"""Manifests for the judges, and what they say about them."""

import re

from trafficcore import manifest
from trafficcore.engine.identity import Identity
from trafficcore.judge import HostCounts, judge
from trafficcore.manifest import Problem, Report

GROUPS = {
    "ASMLocalRateLimiter": "istio.alibabacloud.com/v1",
    "ASMCircuitBreaker": "istio.alibabacloud.com/v1",
    "QuotaSchedulingPolicy": "istio.alibabacloud.com/v1",
    "DestinationRule": "networking.istio.io/v1",
    "ServiceEntry": "networking.istio.io/v1",
    "VirtualService": "networking.istio.io/v1",
    "Ingress": "networking.internal.knative.dev/v1alpha1",
    "Service": "v1",
}


def whole(text: str) -> str:
    """Give each document the head that it leaves out; its name is its place."""
    documents = []
    for at, part in enumerate(text.split("---\n")):
        kind = re.search(r"^kind: (\w+)$", part, re.MULTILINE)
        version = GROUPS.get(kind[1] if kind else "", "apps/v1")
        head = "" if "apiVersion:" in part else f"apiVersion: {version}\n"
        if not re.search(r"^metadata:", part, re.MULTILINE):
            head += f"metadata: {{name: it-{at}, namespace: shop}}\n"
        documents.append(head + part)
    return "---\n".join(documents)


def judged(
    text: str,
    *,
    hosts: HostCounts | None = None,
    stands_for: dict[str, list[str]] | None = None,
    only_its: bool = False,
    **who: object,
) -> Report:
    identity = Identity(hosts=stands_for or {}, **who)  # type: ignore[arg-type]
    return judge(manifest.check(whole(text)), identity=identity, hosts=hosts, only_its=only_its)


def codes(text: str, **more: object) -> list[str]:
    """Every code that is raised, by the place of its problem."""
    report = judged(text, **more)  # type: ignore[arg-type]
    return [it.code for it in sorted(report.problems, key=lambda it: (it.line, it.column))]


def found(text: str, code: str, **more: object) -> list[Problem]:
    """The problems of one code."""
    report = judged(text, **more)  # type: ignore[arg-type]
    assert not report.errors, [str(problem) for problem in report.errors]
    return [problem for problem in report.problems if problem.code == code]


def said(text: str, code: str, **more: object) -> list[str]:
    """What they say, by path and message."""
    return [f"{it.path}: {it.message}" for it in found(text, code, **more)]
