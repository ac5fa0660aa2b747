"""ANS's header minimum of a CDA R2 ("Volet Structuration minimale"), checked apart from what writes it: XPath only."""

from __future__ import annotations

from lxml import etree

_V3 = {"h": "urn:hl7-org:v3"}
_INS = " or ".join(f"@root='1.2.250.1.213.1.4.{n}'" for n in (8, 9, 10, 11))
_NAMED = "h:patient/h:name"
_PATIENT = "h:recordTarget/h:patientRole"
_ACT = "h:documentationOf[1]/h:serviceEvent"
_ENCOUNTER = "h:componentOf/h:encompassingEncounter"
_ONE = {
    "realmCode": "h:realmCode[@code='FR']",
    "typeId": "h:typeId[@root='2.16.840.1.113883.1.3'][@extension='POCD_HD000040']",
    "HL7 France": "h:templateId[@root='2.16.840.1.113883.2.8.2.1']",
    "CI-SIS": "h:templateId[@root='1.2.250.1.213.1.1.1.1']",
    "XDS-SD": "h:templateId[@root='1.3.6.1.4.1.19376.1.2.20']",
    "id": "h:id[@root]",
    "code": "h:code[@code][@codeSystem][@displayName!='']",
    "title": "h:title[normalize-space()]",
    "effectiveTime": "h:effectiveTime[@value]",
    "confidentialityCode": "h:confidentialityCode[@codeSystem='2.16.840.1.113883.5.25'][contains('NRV', @code)]",
    "languageCode": "h:languageCode[@code='fr-FR']",
    "setId": "h:setId[@root]",
    "versionNumber": "h:versionNumber[@value > 0]",
    "recordTarget": _PATIENT,
    "patient's name": f"{_PATIENT}/{_NAMED}",
    "birthTime": f"{_PATIENT}/h:patient/h:birthTime[@value]",
    "gender": f"{_PATIENT}/h:patient/h:administrativeGenderCode[@code][@codeSystem]",
    "custodian": "h:custodian/h:assignedCustodian/h:representedCustodianOrganization[h:name]",
    "legalAuthenticator": "h:legalAuthenticator[h:time/@value][h:signatureCode/@code='S']/h:assignedEntity[h:id]",
    "main act's performer": f"{_ACT}/h:performer/h:assignedEntity[h:id]",
    "main act's time": f"{_ACT}/h:effectiveTime/h:low[@value]",
    "practice": f"{_ACT}//h:standardIndustryClassCode[@code][@codeSystem='1.2.250.1.213.1.1.4.9']",
    "componentOf": f"{_ENCOUNTER}[h:effectiveTime/h:low]/h:location/h:healthCareFacility/h:code",
    "body": "h:component/h:nonXMLBody/h:text[@mediaType='application/pdf'][@representation='B64']",
}
_TRAITS = (
    f"{_NAMED}/h:family[@qualifier='BR'] and {_NAMED}/h:given[@qualifier='BR'] and {_NAMED}/h:given[not(@qualifier)] "
    "and h:patient/h:birthplace/h:place/h:addr/h:county"
)
_WORD = "concat(' ', ., ' ')"
_NONE = {
    "a template that is not one of the three": "h:templateId[4]",
    "a number without its authority": f"{_PATIENT}/h:id[@nullFlavor or not(@root) or not(@extension)]",
    "a family name unqualified": f"{_PATIENT}/{_NAMED}/h:family[not(@qualifier='BR' or @qualifier='CL')]",
    "race, religion": "//*[self::h:raceCode or self::h:religiousAffiliationCode or self::h:ethnicGroupCode]",
    "an INS without its traits": f"{_PATIENT}[h:id[{_INS}]][not({_TRAITS})]",
    "a person without family name": "//h:assignedPerson[count(h:name) != 1 or count(h:name/h:family) != 1]",
    "a title outside TRE_R11": f"//h:assignedPerson/h:name/h:suffix[not(contains(' DR MC MG PC PG PR ', {_WORD}))]",
    "a civility outside TRE_R81": f"//h:name/h:prefix[not(contains(' M MLLE MME DR MC MG PC PG PR ', {_WORD}))]",
    "an entity with several numbers": "//*[self::h:assignedAuthor or self::h:assignedEntity][count(h:id) != 1]",
    "a structure under another root": "//h:representedOrganization/h:id[@root != '1.2.250.1.71.4.2.2']",
    "an address without parts": "//h:addr[not(*) and not(@nullFlavor)]",
    "an author without time": "h:author[not(h:time/@value)]",
}
_ORDER = {
    "realmCode": 1, "typeId": 2, "templateId": 3, "id": 4, "code": 5, "title": 6, "effectiveTime": 7,
    "confidentialityCode": 8, "languageCode": 9, "setId": 10, "versionNumber": 11, "recordTarget": 12, "author": 13,
    "custodian": 14, "informationRecipient": 15, "legalAuthenticator": 16, "documentationOf": 17,
    "relatedDocument": 18, "componentOf": 19, "component": 20,
}  # fmt: skip


def lacking(document: bytes) -> list[str]:
    """What the document lacks or has too much of; empty when it has the header minimum."""
    root = etree.fromstring(document)
    found = [f"{name}: {n}" for name, path in _ONE.items() if (n := len(root.xpath(path, namespaces=_V3))) != 1]
    found += [name for name, path in _NONE.items() if root.xpath(path, namespaces=_V3)]
    ranks = [_ORDER[etree.QName(child).localname] for child in root]
    return [*found, *(["the order of CDA.xsd"] if ranks != sorted(ranks) else [])]
