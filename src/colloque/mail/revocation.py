"""Whether a certificate's authority took it back: what a CRL (RFC 5280, 6.3) or an OCSP answer (RFC 6960) proves.

Pure: bytes that came over plain HTTP, and the certificates of a chain that was verified already. Nothing in such bytes
counts before its authority's signature holds. (Référentiel socle MSSanté #2, ECO 1.1.6 and 1.1.7.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

SKEW = timedelta(minutes=5)
"""How far the authority's clock may be ahead of ours."""
NONCE_BYTES = 32
"""RFC 9654 section 2.1."""


class Unproven(Exception):
    """These bytes say nothing about the certificate: malformed, forged, out of date or about something else."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an authority says. It counts until `until` (aware); `made_at` tells which of two is the newer."""

    revoked: bool
    made_at: datetime
    until: datetime


def crl_urls(certificate: x509.Certificate) -> list[str]:
    """Where the complete CRLs of its own authority are, over HTTP, in the certificate's order."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    whole = (p for p in points if p.crl_issuer is None and p.reasons is None)
    return [url for p in whole for name in p.full_name or () if (url := _http(name))]


def ocsp_urls(certificate: x509.Certificate) -> list[str]:
    """Its authority's OCSP responders, over HTTP."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    asked = (a.access_location for a in access if a.access_method == AuthorityInformationAccessOID.OCSP)
    return [url for name in asked if (url := _http(name))]


def names_a_source(certificate: x509.Certificate) -> bool:
    """True when its authority says, in whatever way, that it takes certificates back; also when that can't be read."""
    try:
        found = [extension.value for extension in certificate.extensions]
    except ValueError:
        return True
    accesses = [a for value in found if isinstance(value, x509.AuthorityInformationAccess) for a in value]
    return any(isinstance(value, x509.CRLDistributionPoints) for value in found) or any(
        a.access_method == AuthorityInformationAccessOID.OCSP for a in accesses
    )


def _http(name: x509.GeneralName) -> str | None:
    held = isinstance(name, x509.UniformResourceIdentifier) and name.value.lower().startswith("http://")
    return str(name.value) if held else None


def judge_crl(raw: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Verdict:
    """What the CRL `raw` (DER) says of `certificate`, issued by `issuer`. Raises Unproven."""
    try:
        crl = x509.load_der_x509_crl(raw)
        if crl.issuer != certificate.issuer or crl.issuer != issuer.subject:
            raise Unproven("another authority's list")
        key = issuer.public_key()
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise Unproven("a kind of key that no authority of ours has")
        if not (_may_sign_lists(issuer) and crl.is_signature_valid(key)):
            raise Unproven("the list's signature does not hold")
        made_at, until = crl.last_update_utc, crl.next_update_utc
        if until is None or not made_at - SKEW <= now < until:
            raise Unproven("the list is out of date")
        for extension in crl.extensions:
            _check_scope(extension, certificate)
        entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType):
        raise Unproven("not a revocation list") from None
    return Verdict(entry is not None, made_at, until)


def _may_sign_lists(issuer: x509.Certificate) -> bool:
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _check_scope(extension: x509.Extension[x509.ExtensionType], certificate: x509.Certificate) -> None:
    """RFC 5280 section 6.3.3 (b): a list of some reasons, of other certificates or of changes alone proves nothing."""
    match extension.value:
        case x509.IssuingDistributionPoint() as scope:
            authority = _is_authority(certificate)
            wrong_kind = scope.only_contains_user_certs if authority else scope.only_contains_ca_certs
            partial = scope.indirect_crl or scope.only_contains_attribute_certs or scope.only_some_reasons
            named = [str(n.value) for n in scope.full_name or () if isinstance(n, x509.UniformResourceIdentifier)]
            elsewhere = scope.full_name is not None and not set(named) & set(crl_urls(certificate))
            if wrong_kind or partial or elsewhere or scope.relative_name is not None:
                raise Unproven("the list does not cover the certificate")
        case x509.DeltaCRLIndicator():
            raise Unproven("a list of changes only")
        case _ if extension.critical:
            raise Unproven("the list has a critical extension that we don't know")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def ask_ocsp(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes) -> bytes:
    """The question to send (DER). `nonce`: `NONCE_BYTES` random bytes, a new one each time."""
    # SHA-1 names the issuer here, and protects nothing; it is what every responder knows (RFC 5019 section 2.1.1).
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
    return builder.add_extension(x509.OCSPNonce(nonce), critical=False).build().public_bytes(serialization.Encoding.DER)


def judge_ocsp(raw: bytes, asked: bytes, issuer: x509.Certificate, now: datetime) -> Verdict:
    """What the answer `raw` says to the question `asked`, about a certificate of `issuer`. Raises Unproven."""
    try:
        question, answer = ocsp.load_der_ocsp_request(asked), ocsp.load_der_ocsp_response(raw)
        if answer.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise Unproven("the responder did not answer")
        _check_signature(answer, issuer, now)
        found = next((one for one in answer.responses if _about(one) == _about(question)), None)
        if found is None or found.certificate_status == ocsp.OCSPCertStatus.UNKNOWN:
            raise Unproven("the responder does not know the certificate")
        if not _same_nonce(question, answer) and found.next_update_utc is None:
            raise Unproven("nothing tells how old the answer is")
        made_at = found.this_update_utc
        until = found.next_update_utc or made_at + SKEW * 2
        if not made_at - SKEW <= now < until:
            raise Unproven("the answer is out of date")
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType):
        raise Unproven("not an OCSP answer") from None
    return Verdict(found.certificate_status == ocsp.OCSPCertStatus.REVOKED, made_at, until)


def _about(one: ocsp.OCSPRequest | ocsp.OCSPSingleResponse) -> tuple[int, bytes, bytes, str]:
    return one.serial_number, one.issuer_name_hash, one.issuer_key_hash, one.hash_algorithm.name


def _same_nonce(question: ocsp.OCSPRequest, answer: ocsp.OCSPResponse) -> bool:
    """False when the responder gave none, as it may (RFC 5019 section 4). Raises Unproven when it is another's."""
    try:
        given = answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return False
    if given != question.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce:
        raise Unproven("an answer to another question")
    return True


def _check_signature(answer: ocsp.OCSPResponse, issuer: x509.Certificate, now: datetime) -> None:
    """By the authority itself, or by whom it named for that (RFC 6960 section 4.2.2.2)."""
    for signer in (issuer, *(c for c in answer.certificates if _may_answer(c, issuer, now))):
        if _signed_by(answer, signer):
            return
    raise Unproven("the answer's signature does not hold")


def _may_answer(signer: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    """Issued by that authority for answers alone, and exempt from revocation (else it would have to be checked too)."""
    try:
        signer.verify_directly_issued_by(issuer)
        purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        signer.extensions.get_extension_for_class(x509.OCSPNoCheck)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    in_time = signer.not_valid_before_utc <= now < signer.not_valid_after_utc
    return in_time and ExtendedKeyUsageOID.OCSP_SIGNING in purposes


def _signed_by(answer: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    digest, key = answer.signature_hash_algorithm, signer.public_key()
    if digest is None or isinstance(digest, hashes.MD5 | hashes.SHA1):
        return False
    try:
        match key:
            case rsa.RSAPublicKey():
                key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), digest)
            case ec.EllipticCurvePublicKey():
                key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(digest))
            case _:
                return False
    except InvalidSignature:
        return False
    return True
