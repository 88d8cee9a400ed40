"""Certificates of a private authority."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.neon.programs import own


class Certificate(NamedTuple):
    certificate: Path
    key: Path


class Authority:
    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        self._folder = folder
        self._key = generate_key(SECP256R1())
        self._name = _name("an authority of the tests")
        self.certificate = folder / "ca.pem"
        described = _describe(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self._sign(described, self.certificate)

    def issue(self, address: str, *hosts: str) -> Certificate:
        """A server's certificate for one IP address and some host names."""
        names = [x509.IPAddress(ip_address(address)), *map(x509.DNSName, hosts)]
        key = generate_key(SECP256R1())
        described = _describe(_name(address), key).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        issued = Certificate(self._folder / "server.pem", self._folder / "server.key")
        self._sign(described, issued.certificate)
        issued.key.touch(mode=0o600)
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        own(issued.key)
        return issued

    def _sign(self, described: x509.CertificateBuilder, file: Path) -> None:
        signed = described.issuer_name(self._name).sign(self._key, SHA256())
        file.write_bytes(signed.public_bytes(Encoding.PEM))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _describe(subject: x509.Name, key: EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(hours=1),
        not_valid_after=now + timedelta(days=1),
    )
