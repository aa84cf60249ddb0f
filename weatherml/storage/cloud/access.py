"""Who may read a bucket or a web server: credentials from their usual places, never written down."""

import configparser
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from weatherml.errors import UserError

Credentials = Literal["anonymous", "environment"]
"""Without any; or those of environment variables, files in the home folder, or the machine's own role."""

_ENVIRONMENT = re.compile(r"\$\{(\w+)\}")

_VARIABLES = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY"),
    "az": ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_TOKEN", "AZURE_CLIENT_ID"),
}
_WHERE = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them to ~/.aws/credentials",
    "gs": "run 'gcloud auth application-default login', or set GOOGLE_APPLICATION_CREDENTIALS",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY",
}
_MACHINE, _SECONDS_TO_MACHINE = "http://169.254.169.254", 1.0
"""Where machines in a cloud, of any kind, are told their role; how long one waits there for an answer."""
_SERVICES = {"s3a": "s3", "gcs": "gs", "azure": "az", "abfs": "az", "abfss": "az", "adl": "az"}


@dataclass(frozen=True)
class Access:
    """How a place behind a URL is read.

    Attributes:
        credentials: Those of the environment where there are any, else none, when None.
        header: Sent with every request, its secret from the environment: `Authorization: Bearer ${KEY}`.
    """

    credentials: Credentials | None = None
    header: str | None = field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """Return the header with its secret.

        Raises:
            UserError: The environment has none.
        """
        if self.header is None:
            return {}
        name, _, value = self.header.partition(":")
        return {name.strip(): _ENVIRONMENT.sub(lambda found: _secret(found[1], name.strip()), value).strip()}

    def is_anonymous(self, scheme: str) -> bool:
        """Return whether a service is asked without credentials."""
        if self.credentials is not None:
            return self.credentials == "anonymous"
        return not _has_credentials(service_of(scheme))

    def options(self, scheme: str) -> dict[str, Any]:
        """Return what tells obstore whom it reads for, beside what it finds in the environment itself."""
        service = service_of(scheme)
        if service not in _VARIABLES:
            return {}
        account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
        named = {"account_name": account} if service == "az" and account else {}
        if self.is_anonymous(scheme):
            return {"skip_signature": True, **named}
        if service == "az":
            return named
        return _of_aws_files() if service == "s3" and not _in_environment("s3") else {}


def has_role() -> bool:
    """Return whether this machine may have a role, being one of a cloud: something answers where roles are told."""
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    parts = urlsplit(os.environ.get("AWS_METADATA_ENDPOINT") or _MACHINE)
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), _SECONDS_TO_MACHINE):
            return True
    except OSError:
        return False


def service_of(scheme: str) -> str:
    """Return the one name of a service that has several schemes."""
    return _SERVICES.get(scheme, scheme)


def remedy(scheme: str, access: Access, doing: Literal["read", "written"] = "read") -> str:
    """Say what to do where a service refuses that something is read or written."""
    service = service_of(scheme)
    if service not in _WHERE:
        sent = "it does not let in the key of source.header" if access.header else "it may want a key"
        return f"{sent}: as a source, source.header sends one, such as 'Authorization: Bearer ${{KEY}}'"
    if access.is_anonymous(scheme):
        return f"it was asked without credentials: {_WHERE[service]}"
    if doing == "written":
        return "the credentials found may not write it; they must be let read, list, write and delete there"
    return "the credentials found may not read it; public ones are read with source.credentials=anonymous"


def require_template(header: object) -> str:
    """Return a header that takes its secret from the environment.

    Raises:
        UserError: It is no header, or holds the secret itself, which would be kept with the run.
    """
    text = header if isinstance(header, str) else ""
    name, colon, value = text.partition(":")
    if not colon or not _ENVIRONMENT.search(value) or _ENVIRONMENT.search(name) or "\n" in text:
        # Not shown: it may hold a key.
        raise UserError("header must read 'Name: ${VARIABLE}', such as 'Authorization: Bearer ${CDSAPI_KEY}'")
    return text


def _secret(variable: str, header: str) -> str:
    value = os.environ.get(variable) or (_of_cdsapirc() if variable == "CDSAPI_KEY" else None)
    if not value:
        also = ", or write ~/.cdsapirc" if variable == "CDSAPI_KEY" else ""
        raise UserError(
            f"the header {header} needs the environment variable {variable}, which is not set; set it{also}"
        )
    return value


def _of_cdsapirc() -> str | None:
    path = Path(os.environ.get("CDSAPI_RC", "~/.cdsapirc")).expanduser()
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("key:")), None)


def _in_environment(service: str) -> bool:
    return any(os.environ.get(name) for name in _VARIABLES.get(service, ()))


def _has_credentials(service: str) -> bool:
    if service == "s3":
        return _in_environment(service) or bool(_of_aws_files())
    return _in_environment(service) or (service == "gs" and _google_file().is_file())


def _google_file() -> Path:
    folder = Path(os.environ.get("CLOUDSDK_CONFIG", "~/.config/gcloud")).expanduser()
    return folder / "application_default_credentials.json"


def _of_aws_files() -> dict[str, str]:
    """Return the keys of the profile in ~/.aws/credentials, which obstore does not read itself."""
    profile: Mapping[str, str] = _profile("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    names = {"aws_access_key_id": "access_key_id", "aws_secret_access_key": "secret_access_key"}
    keys = {ours: profile[theirs] for theirs, ours in names.items() if theirs in profile}
    if len(keys) < len(names):
        return {}
    token = {"session_token": profile["aws_session_token"]} if "aws_session_token" in profile else {}
    return {**keys, **token}


def _profile(variable: str, default: str) -> Mapping[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(Path(os.environ.get(variable, default)).expanduser())
    name = os.environ.get("AWS_PROFILE", "default")
    return parser[name] if name in parser else {}
