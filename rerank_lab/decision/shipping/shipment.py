"""The values of shipping: forms that a pipeline can take, and the files of each."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from typing import Literal

ShippingForm = Literal[
    "yaml",
    "python",
    "sentence-transformers",
    "langchain",
    "llama-index",
    "haystack",
    "elasticsearch",
    "opensearch",
    "golden",
]
_MIME = {
    ".py": "text/x-python",
    ".yaml": "application/yaml",
    ".json": "application/json",
    ".txt": "text/plain",
}
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """One file: its name without a folder, its MIME type, its bytes."""

    name: str
    mime: str
    content: bytes

    @classmethod
    def text(cls, name: str, content: str) -> ShippedFile:
        """A text file in UTF-8; the name says its type."""
        mime = _MIME[name[name.rindex(".") :]]
        return cls(name, mime, content.encode("utf-8", "replace"))


@dataclass(frozen=True, slots=True)
class Shipment:
    """A pipeline in one form.

    Attributes:
        form: Which one.
        title: For a button, such as "LangChain".
        sentence: What it is and what it needs.
        files: What to save; empty when the form does not exist for this pipeline.
        absence: Why there is none; "" when there are files.
    """

    form: ShippingForm
    title: str
    sentence: str
    files: tuple[ShippedFile, ...] = ()
    absence: str = ""

    def download(self) -> ShippedFile:
        """The file itself, or a ZIP archive of several: the same bytes for the same files.

        Raises ValueError when there is none.
        """
        if len(self.files) == 1:
            return self.files[0]
        if not self.files:
            raise ValueError(self.absence)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in self.files:
                packed.writestr(zipfile.ZipInfo(file.name, _FIRST_DATE), file.content)
        name = f"{self.files[0].name.partition('.')[0]}.zip"
        return ShippedFile(name, "application/zip", archive.getvalue())


def file_stem(name: str) -> str:
    """A file name of small letters, digits and underscores from the name of a pipeline."""
    words = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")[:40].strip("_")
    return words or "pipeline"
