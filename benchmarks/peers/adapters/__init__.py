"""One file a rival; what it cannot do is missing from its file.

`limiter(limit, seconds)`  what takes from one bucket of `limit` tokens that fills in `seconds`
`keyed(limit, seconds, keys)`  what takes from a key's bucket, with room for so many keys
`shared(folder, limit, seconds)`  what takes from one bucket of all processes that name the folder
`asgi(limit)`, `wsgi(limit)`  an application without a limit, and with one of `limit` an hour for
                           each `x-api-key`, and with headers that tell of it where it has them
"""
