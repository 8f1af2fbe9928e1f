"""The screens that a vendor's own people work at: whom they list, what lights up, and what a refusal looks like."""

import re
from html import unescape
from html.parser import HTMLParser

import httpx
import pytest

from tests.standins.drchrono.app import create_app as drchrono_app
from tests.standins.salesforce.app import create_app as salesforce_app
from tests.standins.serve import served

SCREEN = "/_control/screen"


class Table(HTMLParser):
    """The headings of a page's table, and the labels and texts of its rows."""

    def __init__(self, page):
        super().__init__()
        self.headings, self.rows, self._cell = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self._cell = [tag, dict(attrs), ""]

    def handle_data(self, text):
        if self._cell:
            self._cell[2] += text

    def handle_endtag(self, tag):
        if tag == "th":
            self.headings.append(self._cell[2])
        if tag == "td":
            self.rows[-1].append((self._cell[1].get("data-label", "Ways"), self._cell[2], self._cell[1].get("class")))
        if tag in ("th", "td"):
            self._cell = None


@pytest.fixture(params=["drchrono", "salesforce"])
def vendor(request):
    """A vendor with three people, and how its screen names their fields."""
    with served(drchrono_app() if request.param == "drchrono" else salesforce_app()) as here, here.client() as control:
        yield Vendor(request.param, control)


class Vendor:
    def __init__(self, name, control):
        self.control, self.is_drchrono = control, name == "drchrono"
        names = (
            ("first_name", "last_name", "email", "id") if self.is_drchrono else ("FirstName", "LastName", "Email", "Id")
        )
        self.first, self.last, self.email, self.key = names
        self.ids = [self.enters(first) for first in ("Ada", "Ben", "Cleo")]

    def enters(self, first):
        path = "patients" if self.is_drchrono else "records/Contact"
        given = {self.first: first, self.last: "Abel", self.email: f"{first.lower()}@example.com"}
        return str(self.control.post(f"/_control/{path}", json=given).raise_for_status().json()[self.key])

    def lists(self, *ids):
        self.control.put(SCREEN, json={"by": self.key, "values": ids, "more": "http://console/of/"}).raise_for_status()

    def shows(self, **asked):
        return self.control.get(SCREEN, params=asked).text

    def saves(self, id_, **fields):
        return self.control.post(SCREEN, data={self.key: id_, **fields})


def names(page):
    return [row[0][1] for row in Table(page).rows if row]


def test_each_heading_stands_over_its_column(vendor):
    table = Table(vendor.shows())

    assert [[label for label, _, _ in row] for row in table.rows if row] == [table.headings] * 3


def test_it_lists_whom_it_was_told_in_that_order_whoever_moved_last(vendor):
    vendor.lists(vendor.ids[2], vendor.ids[0])
    vendor.saves(vendor.ids[0], **{vendor.email: "new@example.com"})
    vendor.enters("Dana")

    page = vendor.shows()

    assert names(page) == ["Cleo Abel", "Ada Abel"]
    assert f'href="http://console/of/{vendor.ids[2]}"' in page


def test_what_changed_since_it_was_last_shown_lights_up_and_nothing_else(vendor):
    vendor.lists(*vendor.ids)
    first = vendor.shows()
    vendor.saves(vendor.ids[1], **{vendor.email: "new@example.com"})

    page = vendor.shows()

    def lit(shown):
        return [(row[0][1], text) for row in Table(shown).rows for _, text, how in row if "lit" in (how or "")]

    assert lit(first) == []
    assert lit(page) == [("Ben Abel", "new@example.com")]
    assert "prefers-reduced-motion" in page


def test_a_refused_value_is_told_in_the_form_beside_what_was_typed(vendor):
    answer = vendor.saves(vendor.ids[0], **{vendor.email: "nowhere", vendor.first: "Adele"})

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert re.search(rf'id="{vendor.email}-wrong" role="alert">[^<]*email', answer.text)
    assert 'value="nowhere"' in answer.text
    assert 'value="Adele"' in answer.text
    assert 'href="?">Cancel' in answer.text
    assert names(vendor.shows(find="ada")) == ["Ada Abel"]


def test_somebody_who_is_not_listed_is_found_by_part_of_the_name(vendor):
    vendor.lists(vendor.ids[0])

    assert names(vendor.shows(find="abel CL")) == ["Cleo Abel"]
    assert names(vendor.shows(find="nobody")) == []
    assert names(vendor.shows(find="")) == []


def test_the_vendors_own_address_of_a_record_leads_to_its_form(vendor):
    address = f"/patients/{vendor.ids[1]}" if vendor.is_drchrono else f"/{vendor.ids[1]}"

    page = vendor.control.get(address, follow_redirects=True)

    assert 'value="ben@example.com"' in page.text


def test_a_record_that_is_gone_leaves_a_way_back(vendor):
    for answer in (vendor.control.get(SCREEN, params={"edit": "003"}), vendor.saves("0", **{vendor.first: "Nobody"})):
        assert answer.status_code == 404
        assert 'href="?"' in answer.text


def test_a_validation_rule_binds_people_and_programs_until_it_is_switched_off():
    with served(salesforce_app()) as here, here.client() as control:
        rule = {"object": "Contact", "field": "MobilePhone", "like": r"\d{10}", "message": "Ten digits, please."}
        control.put("/_control/settings", json={"validation_rules": [rule]}).raise_for_status()
        made = control.post("/_control/records/Contact", json={"LastName": "Abel"}).raise_for_status().json()["Id"]

        refused = control.post(SCREEN, data={"Id": made, "MobilePhone": "0140"})
        control.post(SCREEN, data={"rule": "0"})
        taken = control.post(SCREEN, data={"Id": made, "MobilePhone": "0140"})

        assert "Ten digits, please." in refused.text
        assert "Switched off" in control.get(SCREEN).text
        assert taken.status_code == 303
        assert control.get(f"/_control/records/Contact/{made}").json()["MobilePhone"] == "0140"


def test_a_program_is_told_the_rules_own_words_and_which_field():
    with served(salesforce_app()) as here, here.client() as control, httpx.Client(base_url=here.url) as api:
        rule = {"object": "Contact", "field": "MobilePhone", "like": r"\d{10}", "message": "Ten digits, please."}
        control.put("/_control/settings", json={"validation_rules": [rule]}).raise_for_status()
        login = {"grant_type": "client_credentials", "client_id": "standin-client-id"}
        token = api.post("/services/oauth2/token", data=login | {"client_secret": "standin-client-secret"}).json()
        api.headers["Authorization"] = f"Bearer {token['access_token']}"

        body = {"LastName": "Abel", "MobilePhone": "0140"}
        (error,) = api.post("/services/data/v62.0/sobjects/Contact", json=body).json()

        assert error["errorCode"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        assert (error["message"], error["fields"]) == ("Ten digits, please.", ["MobilePhone"])


PNG = b"\x89PNG\r\n\x1a\n not much of a picture"


def uploads(vendor, name="scan.png", content=PNG, **fields):
    action = re.search(r'action="([^"]+)" enctype', vendor.shows(edit=vendor.ids[0]))[1]
    return vendor.control.post(SCREEN + unescape(action), data=fields or {"title": ""}, files={"file": (name, content)})


def test_a_file_is_uploaded_to_a_persons_page_and_its_picture_shown(vendor):
    answer = uploads(vendor)

    page = vendor.shows(edit=vendor.ids[0])
    picture = re.search(r'<img src="([^"]+)"', page)[1]
    shown = vendor.control.get(SCREEN + picture)

    assert answer.status_code == 303
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert "<img" not in vendor.shows(edit=vendor.ids[1])


def test_an_upload_without_a_file_is_told_in_the_form(vendor):
    answer = uploads(vendor, name="", content=b"")

    assert answer.status_code == 400
    assert re.search(r'id="file-wrong" role="alert">[^<]*Choose a file', answer.text)


def presses(vendor, label):
    """Presses a button of the file of the first person's page, and gives the page that follows."""
    way = re.search(rf'action="([^"]+)"><button>{label}', vendor.shows(edit=vendor.ids[0]))
    assert way, f"no button {label}"
    assert vendor.control.post(SCREEN + unescape(way[1])).status_code == 303
    return vendor.shows(edit=vendor.ids[0])


@pytest.mark.parametrize("vendor", ["drchrono"], indirect=True)
def test_a_document_is_filed_with_tags_archived_and_brought_back(vendor):
    uploads(vendor, description="Referral", date="2026-11-03", tags="Share with CRM, x-ray")

    (document,) = vendor.control.get("/_control/documents").json()["documents"]
    assert (document["description"], document["metatags"]) == ("Referral", '["Share with CRM", "x-ray"]')
    assert "Archived" in presses(vendor, "Archive")
    assert "Archived" not in presses(vendor, "Bring back")


@pytest.mark.parametrize("vendor", ["salesforce"], indirect=True)
def test_a_file_gets_a_tick_and_a_new_version_and_is_removed_from_the_record(vendor):
    field = {"name": "Send_To_DrChrono__c", "kind": "boolean"}
    vendor.control.post("/_control/objects/ContentVersion/fields", json=field)
    uploads(vendor, title="Referral")

    assert "Do not send" in presses(vendor, "Send to DrChrono")
    uploads(vendor, "other.png", PNG + b"2", version_of="1")
    versions = vendor.control.get("/_control/records/ContentVersion").json()["records"]
    assert [(one["Title"], one["VersionNumber"]) for one in versions] == [("Referral", "1"), ("Referral", "2")]
    assert versions[1]["Send_To_DrChrono__c"]
    assert "There is no file of this number." in uploads(vendor, version_of="9").text
    assert "Referral" not in presses(vendor, "Remove from record")
