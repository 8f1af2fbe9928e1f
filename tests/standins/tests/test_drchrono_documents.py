"""DrChrono's documents in its stand-in: multipart in, an address of another host out, archived, and of no event."""

import hashlib
import json

import httpx
import pytest

from tests.standins.tests.known import NOT_FOUND, OURS, STRANGER

PDF = b"%PDF-1.7\r\n--a line that looks like a boundary\r\n%%EOF"


@pytest.fixture
def patient(control):
    return control.post("/patients", json={}).json()["id"]


@pytest.fixture
def filed(api, patient):
    """Files a document as the API does, and gives the answer."""

    def post(content=PDF, name="scan.pdf", **fields):
        said = {"doctor": OURS, "patient": patient, "description": "Referral", "date": "2026-11-03", **fields}
        return api.post("/documents", data=said, files={"document": (name, content, "application/pdf")})

    return post


def url_of(api, document_id):
    """The address of a document's file, once it is there."""
    return next(url for _ in range(9) if (url := api.get(f"/documents/{document_id}").json()["document"]))


def listed(api, **asked):
    return [one["id"] for one in api.get("/documents", params=asked).json()["results"]]


def test_a_new_document_knows_its_file_only_at_a_later_look(api, filed, control):
    made = filed(metatags='["Share with CRM", "x-ray"]')

    assert made.status_code == 201
    record = made.json()
    assert (record["document"], record["archived"]) == (None, False)
    assert json.loads(record["metatags"]) == ["Share with CRM", "x-ray"]
    assert api.get(f"/documents/{record['id']}").json()["document"] is None
    assert httpx.get(url_of(api, record["id"])).content == PDF


@pytest.mark.parametrize("by_people", [True, False])
def test_a_file_may_never_be_there(api, filed, control, patient, by_people):
    control.put("/settings", json={"document_looks": -1})
    filing = control.post("/documents", json={"patient": patient, "looks": -1}) if by_people else filed()
    made = filing.json()["id"]

    assert [api.get(f"/documents/{made}").json()["document"] for _ in range(3)] == [None] * 3


def test_the_file_host_takes_its_own_signature_alone(api, filed, control):
    url = httpx.URL(url_of(api, filed().json()["id"]))

    assert url.host != api.base_url.host
    assert httpx.get(url, headers={"Authorization": "Bearer t"}).status_code == 400
    assert httpx.get(url.copy_set_param("X-Amz-Signature", "0")).status_code == 403
    control.put("/settings", json={"document_url_s": 0})
    expired = httpx.get(api.get("/documents").json()["results"][0]["document"])
    assert (expired.status_code, expired.headers["content-type"]) == (403, "application/xml")
    assert "Request has expired" in expired.text


def test_a_download_is_sent_on_and_says_less_where_so_set(api, filed, control):
    url = url_of(api, filed().json()["id"])
    control.put(
        "/settings", json={"document_redirect": "moved", "document_chunked": True, "document_type": "text/plain"}
    )

    moved = httpx.get(url)
    answer = httpx.get(moved.headers["location"])

    assert moved.status_code == 302
    assert (answer.content, answer.headers["content-type"]) == (PDF, "text/plain; charset=utf-8")
    assert "content-length" not in answer.headers


def test_a_file_that_is_written_meanwhile_differs_at_each_download(api, filed, control):
    url = url_of(api, filed().json()["id"])
    control.put("/settings", json={"document_spoiled": True})

    first, second = httpx.get(url).content, httpx.get(url).content

    assert len(first) == len(second) == len(PDF)
    assert PDF not in (first, second)


@pytest.mark.parametrize(
    ("content", "fields", "complaint"),
    [
        (b"", {}, {"document": ["The submitted file is empty."]}),
        (PDF, {"patient": 5}, {"patient": ['Invalid pk "5" - object does not exist.']}),
        (PDF, {"description": " "}, {"description": ["This field may not be blank."]}),
        (PDF, {"date": "11/03/2026"}, None),
    ],
    ids=["empty", "nobody's", "blank", "date"],
)
def test_what_is_wrong_with_a_document_is_said_by_field(filed, control, content, fields, complaint):
    answer = filed(content, **fields)

    assert answer.status_code == 400
    assert complaint is None or answer.json() == complaint
    assert control.get("/documents").json()["documents"] == []


def test_text_in_place_of_a_file_and_a_body_of_json_are_refused(api, patient):
    said = {"doctor": OURS, "patient": patient, "description": "Referral", "date": "2026-11-03", "document": "JVBERg=="}

    as_text = api.post("/documents", data=said, files={"other": (None, "so that it is multipart")})
    as_json = api.post("/documents", json=said)

    assert as_text.json() == {"document": ["The submitted data was not a file. Check the encoding type on the form."]}
    assert as_json.status_code == 415


@pytest.mark.parametrize("says_its_length", [True, False])
def test_a_body_that_is_too_large_is_answered_by_a_gateways_page(api, filed, control, says_its_length):
    control.put("/settings", json={"document_most_bytes": 100})

    head = {"content-type": "multipart/form-data; boundary=B"}
    answer = filed() if says_its_length else api.post("/documents", content=iter([b"--B\r\n", PDF * 9]), headers=head)

    assert (answer.status_code, answer.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert control.get("/documents").json()["documents"] == []


def test_an_upload_that_is_cut_leaves_nothing(filed, control):
    control.post("/faults", json={"match": "POST /api/documents", "do": "cut_upload"})

    with pytest.raises(httpx.TransportError):
        filed(PDF * 5000)

    assert control.get("/documents").json()["documents"] == []


def test_a_change_is_multipart_and_deletion_archives(api, filed, control, signed_in):
    made = filed().json()["id"]

    assert api.patch(f"/documents/{made}", json={"description": "New"}).status_code == 415
    assert api.patch(f"/documents/{made}", files={"description": (None, "New")}).status_code == 204
    assert api.put(f"/documents/{made}", files={"description": (None, "New")}).status_code == 400
    assert api.delete(f"/documents/{made}").status_code == 204
    record = api.get(f"/documents/{made}").json()
    assert (record["description"], record["archived"]) == ("New", True)
    assert signed_in(STRANGER).get(f"/documents/{made}").status_code == 403
    assert api.get("/documents/1").json() == NOT_FOUND


def test_documents_are_listed_by_patient_day_and_last_change(api, filed, control):
    other = control.post("/patients", json={}).json()["id"]
    control.put("/clock", json={"now": "2026-11-01T10:00:00"})
    first = filed().json()["id"]
    control.put("/clock", json={"now": "2026-11-03T10:00:00"})
    second = filed(patient=other, date="2026-11-01").json()["id"]

    assert listed(api) == [first, second]
    assert listed(api, patient=other) == [second]
    assert listed(api, date="2026-11-01") == [second]
    assert listed(api, since="2026-11-02") == [second]
    assert api.get("/documents", params={"page_size": 1}).json()["next"]
    api.delete(f"/documents/{first}")
    assert listed(api, since="2026-11-02") == [first, second]
    control.put("/settings", json={"archived_documents_listed": False})
    assert listed(api) == [second]


def test_archiving_may_move_nothing_and_hide_the_document(api, filed, control):
    control.put("/settings", json={"archiving_is_a_change": False, "archived_documents_readable": False})
    control.put("/clock", json={"now": "2026-11-01T10:00:00"})
    made = filed().json()
    control.put("/clock", json={"now": "2026-11-03T10:00:00"})

    api.delete(f"/documents/{made['id']}")

    assert api.get("/documents").json()["results"][0]["updated_at"] == made["updated_at"]
    assert listed(api, since="2026-11-02") == []
    assert api.get(f"/documents/{made['id']}").json() == NOT_FOUND


def test_a_list_that_is_stale_does_not_show_the_newest(api, filed, control):
    control.put("/settings", json={"list_stale_s": 60})

    made = filed().json()["id"]

    assert listed(api) == []
    assert api.get(f"/documents/{made}").status_code == 200


def test_people_file_documents_that_are_made_of_a_seed_and_lose_them_for_good(api, control, patient):
    made = control.post(
        "/documents", json={"patient": patient, "made": {"kind": "tiff", "size": 300_000, "seed": 7}, "name": "a.tif"}
    ).json()

    content = httpx.get(url_of(api, made["id"])).content

    assert (len(content), hashlib.md5(content).hexdigest()) == (300_000, made["md5"])
    assert content.startswith(b"II*\x00")
    assert control.get(f"/documents/{made['id']}/file").content == content
    control.delete(f"/documents/{made['id']}")
    assert api.get(f"/documents/{made['id']}").status_code == 404


def test_the_bytes_of_a_large_upload_are_counted_and_forgotten(api, filed, control):
    control.put("/settings", json={"document_keep_bytes": 10})
    made = filed().json()["id"]

    (shown,) = control.get("/documents").json()["documents"]

    assert (shown["size"], shown["md5"]) == (len(PDF), hashlib.md5(PDF).hexdigest())
    assert httpx.get(url_of(api, made)).status_code == 500
