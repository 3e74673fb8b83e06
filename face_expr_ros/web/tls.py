"""A certificate that the server makes itself, for encrypted connections without a certificate authority.

It is stored for the user and used again until it expires or the addresses of this machine change, so that a phone that
has accepted it once does not ask again.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from face_expr_ros.core.settings import ConfigError
from face_expr_ros.web.config import WebConfig

if TYPE_CHECKING:
    from cryptography import x509

VALIDITY = datetime.timedelta(days=365)
RENEWAL = datetime.timedelta(days=7)  # remaining validity at which a new certificate is made
_ROUTE_PROBE = "203.0.113.1", 9  # an address for documentation; no packet is sent


@dataclass(frozen=True)
class Certificate:
    """Files of a certificate and its key, in PEM.

    Attributes:
        certificate, key: paths of the files.
        fingerprint: SHA-256 as pairs of hexadecimal digits, which browsers show; empty for the user's own files.
    """

    certificate: Path
    key: Path
    fingerprint: str = ""


def local_address() -> str:
    """The address of this machine in its network: that of the default route, else 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ROUTE_PROBE)
            return str(probe.getsockname()[0])
        except OSError:  # no network
            return "127.0.0.1"


def server_certificate(config: WebConfig) -> Certificate | None:
    """The certificate of the settings; None without TLS.

    Raises:
        ConfigError: only one of certificate and key is given, a file does not exist, or the package cryptography, which
            makes certificates, is not installed.
    """
    given = config.tls_certificate, config.tls_key
    if not any(given):
        return own_certificate(_state_folder()) if config.tls else None
    if not all(given):
        raise ConfigError("expected both tls_certificate and tls_key, got one of them")
    certificate, key = (Path(name).expanduser() for name in given)
    for name, path in (("tls_certificate", certificate), ("tls_key", key)):
        if not path.is_file():
            raise ConfigError(f"{name}: no file {str(path)!r}")
    return Certificate(certificate, key)


def own_certificate(folder: Path) -> Certificate:
    """The stored certificate for the names and addresses of this machine, or a new one.

    Args:
        folder: where it is stored, readable only by the user.

    Raises:
        ConfigError: the package cryptography is not installed, or the folder cannot be written.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256
    except ImportError as error:
        raise ConfigError(
            "tls: making a certificate requires the package cryptography: pip install cryptography"
        ) from error
    names = [
        x509.DNSName(name) for name in sorted({"localhost", socket.gethostname(), f"{socket.gethostname()}.local"})
    ]
    addresses = sorted({"127.0.0.1", "::1", local_address()})
    subject = x509.SubjectAlternativeName([*names, *(x509.IPAddress(ipaddress.ip_address(one)) for one in addresses)])
    files = Certificate(folder / "certificate.pem", folder / "key.pem")
    try:
        certificate = _stored(files, subject) or _make(files, subject)
    except OSError as error:
        raise ConfigError(f"tls: cannot store the certificate in {str(folder)!r}: {error.strerror}") from error
    return Certificate(files.certificate, files.key, certificate.fingerprint(SHA256()).hex(":").upper())


def _state_folder() -> Path:
    """The folder for data of this program that is not configuration, as in the XDG Base Directory Specification."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state else Path.home() / ".local/state") / "face_expr/tls"


def _stored(files: Certificate, subject: x509.SubjectAlternativeName) -> x509.Certificate | None:
    """The stored certificate if it is valid for a while and for these names."""
    from cryptography import x509

    if not (files.certificate.is_file() and files.key.is_file()):
        return None
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return None
    now = datetime.datetime.now(datetime.timezone.utc)
    return certificate if names == subject and certificate.not_valid_after_utc > now + RENEWAL else None


def _make(files: Certificate, subject: x509.SubjectAlternativeName) -> x509.Certificate:
    """Make and store a certificate with an elliptic-curve key (P-256)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"face_expr on {socket.gethostname()}"[:64])])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks of phones may be behind
        .not_valid_after(now + VALIDITY)
        .add_extension(subject, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    pem = serialization.Encoding.PEM
    _write_private(files.key, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    _write_private(files.certificate, certificate.public_bytes(pem))
    return certificate


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that only the user can read, under a temporary name until it is complete."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    partial.replace(path)
