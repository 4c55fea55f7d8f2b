"""The one place where clients of Google's services are made, and where they connect to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from shared.core.errors import BadConfiguration
from shared.core.lazy import LockedCachedProperty, synchronized

if TYPE_CHECKING:
    from shared.adapters.gcp.rest import Rest

UNLIMITED_MESSAGE_OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
"""As each generated client asks for on a channel of its own: the services have their own limits."""
NO_RETRY_OPTIONS = (("grpc.enable_retries", 0),)
"""Nothing is sent again beneath us: grpcio 1.85.3 may lose a streaming call that it would repeat.

Its status came, UNAVAILABLE, but neither a message nor its end, and no deadline ended the wait.
"""
CLOUD_PLATFORM_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""The scope that leaves the limits to IAM."""


def _generated_client(service: str, path: str) -> LockedCachedProperty[Any]:
    """Return a property: the client of a service, by its path, imported and built on first use."""

    def client(clients: Clients) -> Any:
        module, _, name = path.rpartition(".")
        kind = getattr(import_module(module), name)
        with _require_credentials():
            built = kind(**clients._connection_options(kind, service))
        clients._transports.append(built.transport)
        return built

    return LockedCachedProperty(client)


class Clients:
    """The generated clients of one process, each imported and built on first use.

    `addresses` (`host:port` by service name) sends single services to an embedded cloud: a plain
    channel without credentials, which is made for loopback only, and never in a deployed instance.
    Without an address a client goes to Google, over TLS, as the instance's service account.
    """

    firestore = _generated_client("firestore", "google.cloud.firestore_v1.services.firestore.FirestoreClient")
    firestore_admin = _generated_client(
        "firestore", "google.cloud.firestore_admin_v1.services.firestore_admin.FirestoreAdminClient"
    )
    publisher = _generated_client("pubsub", "google.pubsub_v1.services.publisher.PublisherClient")
    subscriber = _generated_client("pubsub", "google.pubsub_v1.services.subscriber.SubscriberClient")
    functions = _generated_client(
        "functions", "google.cloud.functions_v2.services.function_service.FunctionServiceClient"
    )
    services = _generated_client("run", "google.cloud.run_v2.services.services.ServicesClient")
    revisions = _generated_client("run", "google.cloud.run_v2.services.revisions.RevisionsClient")
    monitoring = _generated_client(
        "monitoring", "google.cloud.monitoring_v3.services.metric_service.MetricServiceClient"
    )

    def __init__(self, addresses: Mapping[str, str], *, deployed: bool) -> None:
        """Raises: BadConfiguration, with every address that must not be used."""
        self._addresses = dict(addresses)
        self._transports: list[Any] = []
        faults = [
            f"{service}: {address} is not a loopback address"
            for service, address in addresses.items()
            if not is_loopback(address)
        ]
        if deployed and addresses:
            faults.append("a deployed instance must not be wired to an embedded cloud")
        if faults:
            raise BadConfiguration(*faults)

    @synchronized
    def rest(self, host: str) -> Rest:
        """The REST API of a host that has no client, `firebasehosting.googleapis.com`."""
        from shared.adapters.gcp.rest import Rest

        address = self._addresses.get("rest")
        base = f"http://{address}" if address else f"https://{host}"
        return Rest(self._session, self._single_attempt_session, base, host)

    @LockedCachedProperty
    def _session(self) -> Any:
        return self._create_session()

    @LockedCachedProperty
    def _single_attempt_session(self) -> Any:
        """Another, which takes no refusal for a reason to send again with a fresh token."""
        return self._create_session(refresh_status_codes=())

    def _create_session(self, **options: Any) -> Any:
        """A session for which what the environment says of proxies does not count."""
        from google.auth.transport.requests import AuthorizedSession

        session = AuthorizedSession(self._credentials, **options)
        session.trust_env = False
        self._transports.append(session)
        return session

    @LockedCachedProperty
    def _credentials(self) -> Any:
        import google.auth
        from google.auth.credentials import AnonymousCredentials

        if "rest" in self._addresses:
            return AnonymousCredentials()
        with _require_credentials():
            return google.auth.default(scopes=[CLOUD_PLATFORM_SCOPE])[0]

    @LockedCachedProperty
    def storage(self) -> Any:
        """`google.cloud.storage.Client`, which speaks JSON over HTTP."""
        from google.cloud.storage import Client

        with _require_credentials():
            built = Client(**self._storage_options())
        # For its traces, which nobody collects, a thread would look each bucket up: with a retry
        # of its own, longer than any call of ours, and by a right that nothing else needs.
        built._bucket_metadata_cache = None
        self._transports.append(built)
        return built

    def close(self) -> None:
        for transport in self._transports:
            transport.close()

    def _connection_options(self, client: Any, service: str) -> dict[str, Any]:
        """What makes a client connect to Google's own service, or to an embedded one.

        `client_options.api_endpoint` alone would keep TLS.
        """
        transport = client.get_transport_class("grpc")
        address = self._addresses.get(service)
        if address is None:
            return {"transport": partial(transport, channel=partial(_channel, transport))}
        import grpc
        from google.auth.credentials import AnonymousCredentials

        channel = grpc.insecure_channel(address, (*UNLIMITED_MESSAGE_OPTIONS, *NO_RETRY_OPTIONS))
        return {"transport": transport(channel=channel, credentials=AnonymousCredentials())}

    def _storage_options(self) -> dict[str, Any]:
        """As `_connection_options`; this client takes plain HTTP in an address."""
        address = self._addresses.get("storage")
        if address is None:
            return {}
        from google.auth.credentials import AnonymousCredentials

        return {
            "project": "embedded",  # buckets have names of their own: it is asked for nowhere
            "credentials": AnonymousCredentials(),
            "client_options": {"api_endpoint": f"http://{address}"},
        }


def _channel(transport: Any, host: str, *, options: Sequence[Any], **said: Any) -> Any:
    """The channel that a transport would make for itself, but for what is sent again."""
    return transport.create_channel(host, options=(*options, *NO_RETRY_OPTIONS), **said)


@contextmanager
def _require_credentials() -> Iterator[None]:
    """The body. Raises: BadConfiguration, where nothing says as whom Google is to be asked."""
    from google.auth.exceptions import DefaultCredentialsError

    try:
        yield
    except DefaultCredentialsError as nobody:
        said = f"not signed in to Google: gcloud auth application-default login ({nobody})"
        raise BadConfiguration(said) from nobody


def is_loopback(address: str) -> bool:
    """Whether `host:port` can only be this machine."""
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
