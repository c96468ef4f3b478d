"""The site's own key: it signs the catalogue, the answers to joining hosts, and the certificates of TLS between hosts.

It is made from BULKHEAD_SECRET_KEY, so every process of the site has it, a backup brings it along, and there is no
further file to guard. Another secret key makes another site key: every host must then join again.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

from runtime_agent import fleet

YEARS = 10
"""A host is shut out by taking its Redis user away; that is sooner than any certificate ends."""
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bulkhead site")])


def key() -> Ed25519PrivateKey:
    seed = HKDF(SHA256(), 32, None, b"bulkhead site key 1").derive(settings.SECRET_KEY.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)


def public_bytes() -> bytes:
    return key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(kind: str, text: str) -> dict[str, str]:
    """{"message", "signature", "signer"}: the form of everything the site signs."""
    return {"message": text, "signer": public_bytes().hex(), "signature": key().sign(fleet.signed_bytes(kind, text)).hex()}


# --- certificates (RFC 5280) ------------------------------------------------------------------------------


def authority() -> str:
    """The certificate that both ends of TLS trust, as PEM. A new one each time, of the same key and name."""
    usage = x509.KeyUsage(digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
                          key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False)
    builder = _builder(NAME, key().public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _pem(builder.add_extension(usage, critical=True))


def client_certificate(name: str, public_key: bytes) -> str:
    """For the worker host ``name``, whose key never leaves it."""
    builder = _builder(_subject(name), Ed25519PublicKey.from_public_bytes(public_key))
    return _pem(_leaf(builder, ExtendedKeyUsageOID.CLIENT_AUTH))


def server_certificate(address: str, public_key: Ed25519PublicKey) -> str:
    """For the site's Redis at ``address``, a host name or an IP address."""
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        name = x509.DNSName(address)
    builder = _builder(_subject(address), public_key).add_extension(x509.SubjectAlternativeName([name]), critical=False)
    return _pem(_leaf(builder, ExtendedKeyUsageOID.SERVER_AUTH))


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(subject: x509.Name, public_key: Ed25519PublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    own = key().public_key()
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(NAME).public_key(public_key)
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365 * YEARS))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False))


def _leaf(builder: x509.CertificateBuilder, purpose: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    return (builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False))


def _pem(builder: x509.CertificateBuilder) -> str:
    return builder.sign(key(), None).public_bytes(Encoding.PEM).decode()
