"""The gRPC server around a `ModelServer`, with gRPC's own health checks."""

from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from spinet_tf.errors import InputError


def start_server(model_server, address, limits, tls=None):
    """Start to answer.

    Args:
        model_server: `ModelServer`.
        address: str, "host:port"; port 0 takes a free one.
        limits: `Limits`.
        tls: pair of bytes, private key and certificate chain. Defaults to none.

    Returns:
        The running `grpc.Server`, its port, and a callable without arguments after
        which its health is no longer good.

    Raises:
        InputError: the address cannot be bound, or the key and certificate not used.
    """
    rpcs = limits.waiting + 16  # for health checks and metadata
    server = grpc.server(
        futures.ThreadPoolExecutor(rpcs),
        options=[
            ("grpc.max_receive_message_length", limits.message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            # A client that is gone without a word does not hold its place for long.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ],
        maximum_concurrent_rpcs=rpcs,
    )
    server.add_generic_rpc_handlers(_handlers(model_server))
    health_servicer = health.HealthServicer()
    health_servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    try:
        if tls:
            credentials = grpc.ssl_server_credentials([tls])
            port = server.add_secure_port(address, credentials)
        else:
            port = server.add_insecure_port(address)
    except RuntimeError as error:
        what = " with this key and certificate" if tls else ""
        raise InputError(f"{address}: cannot be listened on{what}") from error
    server.start()
    return server, port, health_servicer.enter_graceful_shutdown


def _handlers(model_server):
    """Handlers that get bytes: what cannot be parsed is the client's fault.

    They get them in a list. What is passed itself gRPC keeps until the answer is there,
    beside what has been read of it.
    """
    services = {
        "tensorflow.serving.PredictionService": {
            "Predict": model_server.predict,
            "GetModelMetadata": model_server.get_model_metadata,
        },
        "tensorflow.serving.ModelService": {
            "GetModelStatus": model_server.get_model_status,
        },
    }
    return [
        grpc.method_handlers_generic_handler(
            service,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    method,
                    request_deserializer=lambda content: [content],
                    response_serializer=lambda message: message.SerializeToString(),
                )
                for name, method in methods.items()
            },
        )
        for service, methods in services.items()
    ]
