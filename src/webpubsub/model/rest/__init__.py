"""The data-plane REST API as values: requests that actions and questions are, and back.

Source: service spec, sections A.1 to A.8.
"""

from webpubsub.model.actions import (
    ConnectionExists,
    GenerateClientToken,
    GroupExists,
    ListConnections,
    PermissionExists,
    UserExists,
)
from webpubsub.model.rest.operations import (
    OPERATIONS,
    Operation,
    RestRequest,
    build_request,
    find_operations,
    parse_headers,
    parse_parameters,
    parse_path,
    parse_value,
)
from webpubsub.model.rest.rest_parameters import API_VERSIONS, fold_names, parse_api_version, parse_query

__all__ = [
    "API_VERSIONS",
    "OPERATIONS",
    "ConnectionExists",
    "GenerateClientToken",
    "GroupExists",
    "ListConnections",
    "Operation",
    "PermissionExists",
    "RestRequest",
    "UserExists",
    "build_request",
    "find_operations",
    "fold_names",
    "parse_api_version",
    "parse_headers",
    "parse_parameters",
    "parse_path",
    "parse_query",
    "parse_value",
]
