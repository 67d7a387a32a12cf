"""Host names as Kubernetes and Istio mean them: `httpbin` is a service of the same namespace."""

__all__ = ["full_name"]

#: The domain of a cluster; the mesh's own default, and no manifest of ours can change it.
CLUSTER_DOMAIN = "cluster.local"


def full_name(host: str, namespace: str) -> str:
    """Return the full name of a host, in lower case.

    A name without a dot is a service of `namespace`. `*`, wildcards, addresses, `localhost` and
    names with a dot are full already (Istio reads `reviews.prod` as it stands as well).
    """
    host = host.lower()
    if not host or "." in host or ":" in host or host.startswith("*") or host == "localhost":
        return host
    return f"{host}.{namespace}.svc.{CLUSTER_DOMAIN}"
