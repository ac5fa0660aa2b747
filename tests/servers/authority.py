"""A certificate authority that takes certificates back: a root, one authority below it, their CRLs and OCSP answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from colloque_demo.pki import Pki
from tests.servers.ca import signs

DAY = timedelta(days=1)
PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER


class Authority:
    """One key with its certificate; `above` signed it, or itself."""

    def __init__(self, name: str, above: Authority | None = None, *extensions: x509.ExtensionType) -> None:
        self.at: datetime | None = None
        """When what it says is made; None: when it is asked."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = above or self
        self.cert = signer.sign(
            self.name, self.key, x509.BasicConstraints(ca=True, path_length=None), signs(), *extensions
        )

    def sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 9 * DAY)
        )
        for extension in extensions:
            critical = isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
            made = made.add_extension(extension, critical=critical)
        return made.sign(self.key, hashes.SHA256())

    def issue(self, *extensions: x509.ExtensionType) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        """For localhost."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        return self.sign(subject, key, names, x509.BasicConstraints(ca=False, path_length=None), *extensions), key

    def crl(
        self,
        *revoked: x509.Certificate,
        made_at: datetime | None = None,
        life: timedelta = DAY,
        key: ec.EllipticCurvePrivateKey | None = None,
        scope: x509.ExtensionType | None = None,
    ) -> bytes:
        at = made_at or self.at or datetime.now(UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(at).next_update(at + life)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number).revocation_date(at)
            made = made.add_revoked_certificate(entry.build())
        if scope is not None:
            made = made.add_extension(scope, critical=True)
        return made.sign(key or self.key, hashes.SHA256()).public_bytes(DER)

    def answer(
        self,
        cert: x509.Certificate,
        asked: bytes,
        *,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        made_at: datetime | None = None,
        life: timedelta | None = DAY,
        nonce: bool = True,
        by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None,
    ) -> bytes:
        """An OCSP answer to the question `asked`, by the authority itself or by another."""
        at = made_at or self.at or datetime.now(UTC)
        signer, key = by or (self.cert, self.key)
        gone = at if status is ocsp.OCSPCertStatus.REVOKED else None
        made = ocsp.OCSPResponseBuilder().add_response(
            cert=cert, issuer=self.cert, algorithm=hashes.SHA1(), cert_status=status, this_update=at,
            next_update=None if life is None else at + life, revocation_time=gone, revocation_reason=None,
        )  # fmt: skip
        made = made.responder_id(ocsp.OCSPResponderEncoding.HASH, signer).certificates([signer])
        if nonce:
            sent = ocsp.load_der_ocsp_request(asked).extensions.get_extension_for_class(x509.OCSPNonce).value
            made = made.add_extension(sent, critical=False)
        return made.sign(key, hashes.SHA256()).public_bytes(DER)

    def responder(self, *extensions: x509.ExtensionType) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "responder")])
        return self.sign(subject, key, *extensions), key


ANSWERS = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), x509.OCSPNoCheck())
"""What makes a responder one."""


def list_at(*urls: str) -> x509.CRLDistributionPoints:
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(u)], None, None, None) for u in urls]
    return x509.CRLDistributionPoints(points)


def asked_at(url: str) -> x509.AuthorityInformationAccess:
    where = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)])


def write_pki(
    folder: Path, root: Authority, below: Authority, made: tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
) -> Pki:
    """Only the root is to be trusted; the server sends the rest."""
    pki = Pki(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    pki.ca.write_bytes(root.cert.public_bytes(PEM))
    pki.cert.write_bytes(made[0].public_bytes(PEM) + below.cert.public_bytes(PEM))
    pki.key.write_bytes(made[1].private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return pki


class Lists:
    """An HTTP server on the loopback: `give[path](body)` is the answer; a path that is missing is a 404."""

    def __init__(self) -> None:
        self.give: dict[str, Callable[[bytes], bytes]] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        lists = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                lists.asked.append(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                found = lists.give.get(self.path)
                self.send_response(302 if "Location" in lists.headers else 200 if found else 404)
                for name, value in lists.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(found(body) if found else b"")

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
