"""`python -m benchmarks.echo`: the least that a gRPC server in Python does, as its own process.

It answers `/echo/unary` and `/echo/stream` with the bytes that the request's metadata `answer`
names among those given to `/echo/learn`; nothing is parsed. Prints its address as one line of JSON.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from local.core.grpc_services import WORKERS


class Echo:
    """Answers that were taught before, by name."""

    def __init__(self) -> None:
        self._answers: dict[str, bytes] = {}

    def learn(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Keep the request as the answer of a name."""
        self._answers[_named(context)] = request
        return b""

    def unary(self, _request: bytes, context: grpc.ServicerContext) -> bytes:
        """The answer of a name."""
        return self._answers[_named(context)]

    def stream(self, _request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """The same as a stream of one."""
        yield self._answers[_named(context)]


def _named(context: grpc.ServicerContext) -> str:
    return str(dict(context.invocation_metadata())["answer"])


def main() -> None:
    """Serve until the process is ended."""
    echo = Echo()
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=[("grpc.so_reuseport", 0)])
    handlers = {
        "learn": grpc.unary_unary_rpc_method_handler(echo.learn),
        "unary": grpc.unary_unary_rpc_method_handler(echo.unary),
        "stream": grpc.unary_stream_rpc_method_handler(echo.stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"echo": f"127.0.0.1:{port}"}), flush=True)  # noqa: T201 - its one line
    server.wait_for_termination()


if __name__ == "__main__":
    main()
