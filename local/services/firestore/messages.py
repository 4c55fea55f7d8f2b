"""Firestore's raw protobuf messages, under the names of the published API.

The wheel wraps every message in proto-plus, which is slow and converts times. At run time these are
the classes below the wrappers; to the type checker they are the published types. In the raw classes
too, proto-plus has renamed `StructuredQuery.from` to `from_`.
"""

from typing import TYPE_CHECKING

from google.cloud.firestore_v1 import types

if TYPE_CHECKING:
    from google.cloud.firestore_v1.types import (
        ArrayValue,
        Cursor,
        Document,
        DocumentMask,
        DocumentTransform,
        Precondition,
        StructuredAggregationQuery,
        StructuredQuery,
        Target,
        TransactionOptions,
        Value,
        Write,
        WriteResult,
    )
else:
    ArrayValue = types.ArrayValue.pb()
    Cursor = types.Cursor.pb()
    Document = types.Document.pb()
    DocumentMask = types.DocumentMask.pb()
    DocumentTransform = types.DocumentTransform.pb()
    Precondition = types.Precondition.pb()
    StructuredAggregationQuery = types.StructuredAggregationQuery.pb()
    StructuredQuery = types.StructuredQuery.pb()
    Target = types.Target.pb()
    TransactionOptions = types.TransactionOptions.pb()
    Value = types.Value.pb()
    Write = types.Write.pb()
    WriteResult = types.WriteResult.pb()

__all__ = [
    "ArrayValue",
    "Cursor",
    "Document",
    "DocumentMask",
    "DocumentTransform",
    "Precondition",
    "StructuredAggregationQuery",
    "StructuredQuery",
    "Target",
    "TransactionOptions",
    "Value",
    "Write",
    "WriteResult",
]
