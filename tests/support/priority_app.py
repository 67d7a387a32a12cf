"""The guest and subscriber scenario behind real servers: ten a second, subscribers four to one."""

import os

from trafficcore import AsgiTraffic, Engine, WsgiTraffic

#: More than there are clients: under WSGI who waits holds a thread.
THREADS = 24
POLICY = """
apiVersion: istio.alibabacloud.com/v1
kind: QuotaSchedulingPolicy
metadata: {name: it}
spec:
  quota_scheduler:
    bucket_capacity: 10
    fill_amount: 10
    rate_limiter: {interval: 1s}
    scheduler:
      workloads:
      - name: guest
        label_matcher: {match_labels: {http.request.header.user_type: guest}}
        parameters: {priority: 50}
      - name: subscriber
        label_matcher: {match_labels: {http.request.header.user_type: subscriber}}
        parameters: {priority: 200}
    match_requests: [{path: /calls}]
"""
HEAD = [("x-worker", str(os.getpid())), ("content-length", "0")]


async def plain(scope, receive, send):
    head = [(name.encode(), value.encode()) for name, value in HEAD]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body"})


def plain_wsgi(environ, start_response):
    start_response("200 OK", HEAD)
    return [b""]


app = AsgiTraffic(plain, Engine.load(POLICY, listeners=()))
wsgi = WsgiTraffic(plain_wsgi, Engine.load(POLICY, listeners=()), threads=THREADS)
