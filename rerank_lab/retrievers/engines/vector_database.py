"""What vector databases share: options, requests as JSON, scores that fall, and shared clients."""

from __future__ import annotations

import atexit
import ssl
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rerank_lab.components.base import Param
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Document
from rerank_lab.retrievers.base import DEPTH
from rerank_lab.retrievers.engines.base import (
    ENGINE_SCALE,
    TIMEOUT,
    EngineHit,
    EngineQuery,
    EngineResponse,
    EngineRetriever,
    address_param,
    document_of,
    environment,
    field_params,
    vector_params,
)
from rerank_lab.retrievers.engines.templates import shortened_json

WORDS, VECTOR = "words", "vector"
SEARCHES = Param(
    "search",
    VECTOR,
    "vector is a nearest-neighbour search, words the database's full text.",
    choices=(VECTOR, WORDS),
    label="Search by",
)


def client_context(authority: str, certificate: str) -> ssl.SSLContext:
    """What a client trusts and shows; certificates and names of hosts are checked.

    Args:
        authority: a PEM file; "" for what is trusted on this machine.
        certificate: a PEM file of the client's certificate and key; "" for none.
    """
    context = ssl.create_default_context(cafile=authority or None)
    if certificate:
        context.load_cert_chain(certificate)
    return context


def database_params(variable: str, address: str, unit: str, filters: str) -> tuple[Param, ...]:
    """The options of all of them.

    Args:
        variable: the environment variable that usually holds the address.
        address: what an address looks like.
        unit: what documents are kept in: `collection` or `table`.
        filters: what a filter looks like.
    """
    return (
        DEPTH,
        address_param("url_env", variable, address),
        Param(unit, "", f"The {unit} to search.", label=unit.capitalize()),
        *field_params(),
        *vector_params(),
        Param("filter", "", f"A condition, such as {filters}.", label="Filter"),
        TIMEOUT,
    )


def key_param() -> Param:
    """The option that names the variable with a key."""
    return Param(
        "key_env",
        "",
        "The environment variable with the key; empty for none.",
        label="Key variable",
        variable=True,
    )


class VectorDatabase(EngineRetriever):
    """A first stage over a vector database, by its official client."""

    unit = "collection"
    """The option that names what documents are kept in."""

    @abstractmethod
    def _search_request(self, query: EngineQuery) -> dict[str, Any]:
        """What is handed to the client's search."""

    @abstractmethod
    def _found(self, request: dict[str, Any]) -> list[tuple[Document, float]]:
        """(document, score) in the database's order; a distance is negated, so that it falls."""

    @property
    def _address(self) -> str:
        return environment(self.option("url_env"), f"the address of {self.title}")

    @property
    def _key(self) -> str:
        variable = self.option("key_env")
        return environment(variable, f"the key of {self.title}") if variable else ""

    @property
    def _secrets(self) -> Sequence[str]:
        try:
            return (self._key,)
        except LabError:
            return ()

    @property
    def place(self) -> str:
        """Address, collection, fields and filter."""
        names = (self.unit, "id", "title", "text", "filter")
        options = " ".join(self.option(name) for name in names)
        return f"{self.info.name} {self._address} {options}"

    @property
    def uses_vector(self) -> bool:
        """By embeddings, unless full text is wanted."""
        return self.option("search") != WORDS

    @property
    def scale(self) -> str:
        """What the database computes."""
        return ENGINE_SCALE

    def _check_options(self) -> None:
        super()._check_options()
        if not self.option(self.unit):
            raise InvalidInput(
                f"{self.info.name}: no {self.unit} is named.",
                hint=f'Such as {self.info.name}({self.unit}="articles",model="bge-small-en").',
            )

    def request_text(self, query: EngineQuery) -> str:
        """The request as JSON; a vector is cut."""
        self._check_options()
        return shortened_json(self._search_request(query))

    def template_text(self) -> str:
        """The request for a query of that name: these databases take no template."""
        return self.request_text(EngineQuery("{query}", 10))

    def _ask(self, query: EngineQuery) -> EngineResponse:
        hits = self._found(self._search_request(query))
        return EngineResponse(tuple(EngineHit(document, score) for document, score in hits))

    def _fields(self) -> list[str]:
        return [name for name in (self.option(n) for n in ("id", "title", "text")) if name]

    def _document(self, values: Mapping[str, Any], doc_id: object) -> Document:
        return document_of(values, str(doc_id), self.option("title"), self.option("text"))


_clients: dict[tuple[str, ...], Any] = {}
_clients_lock = threading.Lock()


def shared_client(key: tuple[str, ...], make: Callable[[], Any]) -> Any:
    """One client a process for databases in files, which a second client could not open."""
    with _clients_lock:
        if key not in _clients:
            _clients[key] = make()
            # Closed while modules are still there: what a client does later can fail at the end.
            atexit.register(_clients[key].close)
        return _clients[key]
