"""Made-up clinical documents of the shapes that ANS publishes, written by hand: not by the writer under test."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from colloque.clock import PARIS
from colloque.mail.cda import Act, Agent, ClinicalDocument, Media, Organization, Patient, PersonName, Recipient
from colloque.mail.hl7 import IDNPS, IDNST, LOINC, SECTORS, Coded, Identifier, Moment, Precision

PDF = b"%PDF-1.4\n% a page\n%%EOF\n"
INS_TEST, INS_NIR = "1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.8"
NUMBER = "279035121518989"
"""ANS's own fictive patient: its key is right."""
NAME = """<name><family qualifier="BR">ESSAI-DUPONT</family><given>Zélie Anne</given><given qualifier="BR">Zélie</given>
<family qualifier="CL">MARTIN</family></name>"""
TABLE = """<table border="1"><caption>Bilan</caption><thead><tr><th>Examen</th><th>Résultat</th></tr></thead><tbody>
<tr><td rowspan="2">Hémogramme</td><td>Leucocytes 6,1 10<sup>9</sup>/L</td></tr>
<tr><td><content styleCode="Bold">Plaquettes</content> 250<br/>Contrôle</td></tr></tbody></table>"""
SECTION = f"""<component><section><title>Résultats</title><text>Prélevé à jeun.{TABLE}
<list><item>Un</item><item>Deux <content revised="delete">Trois</content></item></list>
<paragraph>Fin.</paragraph><renderMultiMedia referencedObject="img-1"/></text>
<component><section><title>Conclusion</title><text>Rien d'anormal.</text></section></component></section></component>"""


def n1_body(data: bytes = PDF, mime: str = "application/pdf") -> str:
    text = base64.encodebytes(data).decode()
    return (
        f'<component><nonXMLBody><text mediaType="{mime}" representation="B64">{text}</text></nonXMLBody></component>'
    )


def n3_body(sections: str = SECTION, media: str = "") -> str:
    return f"<component><structuredBody>{sections}{media}</structuredBody></component>"


def cda(
    body: str | None = None,
    *,
    number: str = NUMBER,
    oid: str = INS_TEST,
    name: str = NAME,
    birth: str = "19790328",
    at: str = "20210401134745+0100",
    title: str = "Compte rendu d'examens biologiques",
    extra: str = "",
    patients: int = 1,
) -> bytes:
    """One document; `extra` stands between custodian and body."""
    target = f"""<recordTarget><patientRole><id extension="{number}" root="{oid}"/><id extension="IPP7" root="1.2.3.4"/>
<patient classCode="PSN">{name}<administrativeGenderCode code="F"/><birthTime value="{birth}"/>
<birthplace><place><addr><county>51215</county></addr></place></birthplace></patient></patientRole></recordTarget>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="../CDA-FO.xsl"?>
<!-- a comment before the root -->
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="1.2.250.1.213.1.1.1.1"/><id root="1.2.3.4.5" extension="DOC-1"/>
<code code="11502-2" displayName="CR d'examens biologiques" codeSystem="{LOINC}"/>
<title>{title}</title><effectiveTime value="{at}"/><confidentialityCode code="N"/><languageCode code="fr-FR"/>
<setId root="1.2.3.4.6"/><versionNumber value="2"/>{target * patients}
<author><time value="20210104160527+0100"/><assignedAuthor><id root="{IDNPS}" extension="899700000010"/>
<code code="G15_10/SM03" displayName="Médecin - Biologie médicale (SM)" codeSystem="1.2.250.1.213.1.1.4.5"/>
<assignedPerson><name><prefix>M</prefix><given>Marc </given><family>ESSAI</family><suffix>DR</suffix></name>
</assignedPerson>
<representedOrganization><id root="{IDNST}" extension="1990000017"/><name>Laboratoire d'essai</name>
</representedOrganization>
</assignedAuthor></author>
<author><assignedAuthor><id root="{IDNPS}" extension="5990000/1"/><assignedAuthoringDevice>
<softwareName>Logiciel d'essai</softwareName></assignedAuthoringDevice></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><name>Laboratoire d'essai</name>
</representedCustodianOrganization></assignedCustodian></custodian>
<informationRecipient><intendedRecipient><id root="{IDNPS}" extension="899700000028"/>
<telecom value="tel:0100000000"/><telecom value="mailto:Lea.Essai@cabinet.mssante.test"/><informationRecipient><name>
<given>Léa</given><family>ESSAI-B</family><suffix>DR</suffix></name></informationRecipient></intendedRecipient>
</informationRecipient>
<informationRecipient typeCode="TRC"><intendedRecipient><receivedOrganization><name>CHU d'essai</name>
</receivedOrganization></intendedRecipient></informationRecipient>{extra}
<documentationOf><serviceEvent><effectiveTime><low value="202101040734+0100"/></effectiveTime><performer typeCode="PRF">
<assignedEntity><representedOrganization><standardIndustryClassCode code="AMBULATOIRE" displayName="Ambulatoire"
codeSystem="1.2.250.1.213.1.1.4.9"/></representedOrganization></assignedEntity></performer></serviceEvent>
</documentationOf><componentOf><encompassingEncounter><location><healthCareFacility><code code="SA07"
displayName="Cabinet individuel" codeSystem="{SECTORS}"/></healthCareFacility></location></encompassingEncounter>
</componentOf>{n1_body() if body is None else body}</ClinicalDocument>""".encode()


_SIGNED = (
    '<legalAuthenticator><time value="20210401134745+0100"/><signatureCode code="S"/><assignedEntity>'
    f'<id root="{IDNPS}" extension="899700000010"/><assignedPerson><name><given>Marc</given><family>ESSAI</family>'
    "</name></assignedPerson></assignedEntity></legalAuthenticator>"
)


def signed(type_code: str = "11502-2", number: str = NUMBER) -> bytes:
    """A document with all that an archive must say of it."""
    return cda(number=number, extra=_SIGNED).replace(b'code="11502-2"', f'code="{type_code}"'.encode())


def media(data: bytes, mime: str, ref: str = "img-1") -> str:
    """An observationMedia in a section of its own."""
    text = base64.b64encode(data).decode()
    return f"""<component><section><entry><observationMedia classCode="OBS" moodCode="EVN" ID="{ref}">
<value mediaType="{mime}" representation="B64">{text}</value></observationMedia></entry></section></component>"""


def extrinsic(uri: str, data: bytes, **changed: str) -> str:
    """An ExtrinsicObject as another sender may write it: default namespace, other order, other case."""
    said = {
        "hash": hashlib.sha1(data, usedforsecurity=False).hexdigest().upper(),
        "size": str(len(data)),
        "patient": f"{NUMBER}^^^&amp;{INS_TEST}&amp;ISO^NH",
        "mime": "text/xml",
    } | changed

    def slot(name: str, value: str) -> str:
        return f'<Slot name="{name}"><ValueList><Value>{value}</Value></ValueList></Slot>' if value else ""

    return f"""<ExtrinsicObject id="d-{uri}" mimeType="{said["mime"]}"
objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">{slot("creationTime", "20210401114745")}
{slot("URI", uri)}{slot("hash", said["hash"])}{slot("size", said["size"])}
<Name><LocalizedString value="CR d'examens"/></Name>
<Classification classificationScheme="urn:uuid:F0306F51-975F-434E-A61C-C59651D33983" nodeRepresentation="11502-2">
{slot("codingScheme", LOINC)}<Name><LocalizedString value="CR d'examens biologiques"/></Name></Classification>
<ExternalIdentifier identificationScheme="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427" value="{said["patient"]}"/>
<ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab" value="1.2.3.4.5^DOC-1"/>
</ExtrinsicObject>"""


def request(*objects: str) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<SubmitObjectsRequest xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"><RegistryObjectList
xmlns="urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0">{"".join(objects)}</RegistryObjectList>
</SubmitObjectsRequest>""".encode()


def zipped(files: Mapping[str, bytes], **how: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def archive(data: bytes | None = None, **changed: str) -> bytes:
    """One document in the usual tree."""
    document = cda() if data is None else data
    folder = "IHE_XDM/SUBSET01"
    described = request(extrinsic("DOC00001.XML", document, **changed))
    files = {"README.TXT": b"Emetteur", f"{folder}/METADATA.XML": described, f"{folder}/DOC00001.XML": document}
    return zipped(files)


AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DOCTOR = Agent(
    name=PersonName("ESSAI", "Anne", "MME", "DR"),
    number=Identifier(IDNPS, "899700000010"),
    role=Coded("G15_10/SM26", "1.2.250.1.213.1.1.4.5", "Médecin - Médecine générale (SM)"),
    organization=Organization("Cabinet d'essai", Identifier(IDNST, "1990000017")),
    at=Moment.of(AT),
)
PATIENT = Patient(
    ids=(Identifier(INS_NIR, NUMBER), Identifier("1.2.3.4", "IPP7")),
    birth_family="ESSAI-DUPONT",
    birth_given="Zélie",
    birth_givens="Zélie Anne",
    used_family="MARTIN",
    birth=Moment(datetime(1979, 3, 28, tzinfo=PARIS), Precision.DAY),
    sex="F",
    birth_place="51215",
)
DOCUMENT = ClinicalDocument(
    id=Identifier("1.2.3.4.5.1"),
    set_id=Identifier("1.2.3.4.5"),
    version=1,
    type=Coded("34133-9", LOINC, "Synthèse d'épisode de soins"),
    title="Synthèse d'échanges",
    at=Moment.of(AT),
    patient=PATIENT,
    authors=(DOCTOR,),
    custodian=Organization("Cabinet d'essai", Identifier(IDNST, "1990000017")),
    signer=DOCTOR,
    recipients=(
        Recipient(
            Agent(
                name=PersonName("ESSAI-B", "Léa", suffix="DR"),
                number=Identifier(IDNPS, "899700000028"),
                addresses=("lea.essai@cabinet.mssante.test",),
            )
        ),
        Recipient(Agent(name=PersonName("ESSAI-C"), organization=Organization("CHU d'essai")), primary=False),
    ),
    acts=(
        Act(
            start=Moment.of(AT),
            performer=replace(DOCTOR, at=None),
            practice=Coded("AMBULATOIRE", "1.2.250.1.213.1.1.4.9", "Ambulatoire"),
        ),
    ),
    facility=Coded("SA07", SECTORS, "Cabinet individuel"),
    body=Media("application/pdf", PDF),
)
"""What we may write."""
