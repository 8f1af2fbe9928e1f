"""DrChrono's own OpenAPI as a judge: what of it is known to be wrong is mended in memory, each mend with its reason.

The file is DrChrono's and no part of this project. It is looked for where DRCHRONO_OPENAPI says, else beside the
checkout; without it there is nothing to judge by.
"""

import copy
import json
import os
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

PLACE = Path(
    os.environ.get("DRCHRONO_OPENAPI")
    or Path(__file__).parents[2] / ".." / "shared" / "reference" / "drchrono-openapi.json"
)
ABSENT = f"DrChrono's OpenAPI is not at {PLACE.resolve()}: set DRCHRONO_OPENAPI to judge by it"
HOST = "https://app.drchrono.com"

# what live answers were seen to leave empty; nothing else may be null
EMPTY = {
    "Patient": (
        "date_of_birth", "date_of_death", "date_of_first_appointment", "date_of_last_appointment", "patient_photo",
        "patient_photo_date",
    ),
    "Appointment": (
        "base_recurring_appointment", "billing_provider", "clinical_note", "cloned_from", "first_billed_date",
        "first_edi_date", "last_billed_date", "last_edi_date", "patient", "profile", "recur_end_date",
        "recur_start_date", "recurs_every", "resubmit_claim_original_id", "supervising_provider",
    ),
    "Doctor": ("profile_picture",),
    "ScannedClinicalDocument": ("document", "metatags"),
}  # fmt: skip
ID, CLAIM = {"type": "integer"}, {"type": "boolean"}
ROOM = {"type": "object", "required": ["index"], "properties": {"index": ID, "name": {"type": "string"}}}
# what the server computes is published as a string, whatever it is
COMPUTED = {
    ("Office", "exam_rooms"): {"type": "array", "items": ROOM},
    ("Office", "doctor"): ID,
    ("Doctor", "practice_group"): ID,
    ("UserProfile", "doctor"): ID,
    ("UserProfile", "practice_group"): ID,
    ("UserProfile", "is_doctor"): CLAIM,
    ("UserProfile", "is_staff"): CLAIM,
    ("UserProfile", "permissions"): {"type": "object", "additionalProperties": CLAIM},
}
STEP = {"status", "uuid", "description"}


def mended(document):
    """Give the document with the mends; what is not named here is judged as it was published."""
    it = copy.deepcopy(document)
    it["paths"] = {path: it["paths"][path] for path in it["paths"] if "/api/appointments_list/" not in path}
    for mend in MENDS:
        mend(it)
    return it


def _records_are_results(it):
    """Live lists say `results`; the file says `data`. All three keys are always there, at an end as null."""
    for operations in it["paths"].values():
        for schema in _lists(operations):
            records = schema["properties"].pop("data")
            schema["properties"]["results"] = records
            for name in ("next", "previous"):
                schema["properties"][name]["nullable"] = True
            schema["required"], schema["additionalProperties"] = ["previous", "results", "next"], False


def _lists(operations):
    for answer in operations.get("get", {}).get("responses", {}).values():
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if "data" in schema.get("properties", {}):
            yield schema


def _empty_is_null(it):
    """No field may be null in the file; these are in live answers. An enum needs null among its values for that."""
    for kind, names in EMPTY.items():
        for name in names:
            it["components"]["schemas"][kind]["properties"][name]["nullable"] = True


def _computed_has_its_type(it):
    """Computed fields are published as strings."""
    for (kind, name), schema in COMPUTED.items():
        it["components"]["schemas"][kind]["properties"][name] = {"readOnly": True, **schema}


def _done_is_204(it):
    """The file forgot that changing and deleting an appointment, or archiving a document, answer 204 too."""
    for path, method in (("appointments", "put"), ("appointments", "delete"), ("documents", "delete")):
        it["paths"][f"/api/{path}/{{id}}"][method]["responses"]["204"] = {"description": "No Content"}


def _a_body_is_taken(it):
    """The file has no body for patients, and demands every required field of a PATCH, which changes what it says."""
    schemas, paths = it["components"]["schemas"], it["paths"]
    for kind, path in (("Patient", "/api/patients"), ("Appointment", "/api/appointments")):
        for method, operation in (*paths[path].items(), *paths[path + "/{id}"].items()):
            if method not in ("post", "put", "patch"):
                continue
            fields, needed = copy.deepcopy(schemas[kind]["properties"]), schemas[kind]["required"]
            for name in needed:
                fields[name].pop("nullable", None)
            schema = {
                "type": "object",
                "properties": {name: field for name, field in fields.items() if not field.get("readOnly")},
                "additionalProperties": False,
            }
            if method != "patch":
                schema["required"] = needed
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}


def _a_document_comes_in_parts(it):
    """The file has no body for documents; its own words say multipart, with a file, which it has as an address."""
    fields = it["components"]["schemas"]["ScannedClinicalDocument"]
    taken = {name: copy.deepcopy(one) for name, one in fields["properties"].items() if not one.get("readOnly")}
    for one in taken.values():
        one.pop("nullable", None)
        if one["type"] == "integer":  # in a part it is text
            one |= {"type": "string", "pattern": r"^\d+$"}
    taken["document"] = {"type": "string", "format": "binary"}
    for path in ("/api/documents", "/api/documents/{id}"):
        for method, operation in it["paths"][path].items():
            if method in ("post", "put", "patch"):
                schema = {"type": "object", "properties": taken, "additionalProperties": False}
                needed = {} if method == "patch" else {"required": fields["required"]}
                content = {"multipart/form-data": {"schema": schema | needed}}
                operation["requestBody"] = {"required": True, "content": content}


def _filters_filter_lists(it):
    """The filters of a list are repeated on one record's methods and on its POST, where they mean nothing."""
    for path, operations in it["paths"].items():
        for method, operation in operations.items():
            if path.endswith("/{id}") or (method == "post" and not path.endswith("_list")):
                kept = ("id", "allow_duplicates")
                operation["parameters"] = [one for one in operation.get("parameters", []) if one["name"] in kept]


def _appointments_list_is_bulk(it):
    """Its answers are those of appointments, copied; really they are those of patients_list, with a pagination."""
    paths, schemas = it["paths"], it["components"]["schemas"]
    for name, kind in (("patients_list", "Patient"), ("appointments_list", "Appointment")):
        bulk = paths[f"/api/{name}"]
        for method, status in (("post", "201"), ("get", "200")):
            bulk[method]["responses"][status] = copy.deepcopy(paths["/api/patients_list"][method]["responses"][status])
        schema = bulk["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        schema["properties"]["results"]["items"] = {"$ref": f"#/components/schemas/{kind}"}
        counts = dict.fromkeys(("count", "pages", "page_size", "page"), ID)
        schema["properties"]["pagination"] = {"type": "object", "properties": counts, "required": [*counts]}
        schema["required"], schema["additionalProperties"] = ["status", "uuid"], False
        step = bulk["post"]["responses"]["201"]["content"]["application/json"]["schema"]
        step |= {"type": "object", "required": sorted(STEP), "additionalProperties": False}
    schemas["AsyncResourceError"] |= {"type": "object", "required": ["status", "uuid", "detail"]}
    uuid = copy.deepcopy(paths["/api/patients_list"]["get"]["parameters"])
    paths["/api/appointments_list"]["get"]["parameters"] = uuid


def _what_else_may_be_asked(it):
    """The file forgot these parameters, which the articles and the changelog name."""
    number, claim, text = {"type": "integer"}, {"type": "boolean"}, {"type": "string"}
    forgotten = {
        ("/api/patients", "get"): {"verbose": claim, "show_inactive": claim},
        ("/api/patients/{id}", "get"): {"verbose": claim},
        ("/api/appointments", "get"): {"fields": text},
        ("/api/appointments/{id}", "get"): {"verbose": claim},
        ("/api/patients_list", "post"): {"page": number, "show_inactive": claim},  # the latter inferred
        ("/api/appointments_list", "post"): {"page": number, "page_size": number, "verbose": claim},
    }
    for (path, method), given in forgotten.items():
        asked = it["paths"][path][method].setdefault("parameters", [])
        asked += [{"name": name, "in": "query", "schema": schema} for name, schema in given.items()]


def _consent_is_judged_here(it):
    """openapi-core knows no OAuth; the judge looks at the bearer itself."""
    for operations in it["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)


def _throttled_is_429(it):
    """Every call may be answered 429; no path says so."""
    for operations in it["paths"].values():
        for operation in operations.values():
            operation["responses"]["429"] = {"description": "throttled"}


def _appointments_tell_of_telehealth(it):
    """Live appointments have it."""
    it["components"]["schemas"]["Appointment"]["properties"]["is_telehealth"] = CLAIM


MENDS = (
    _computed_has_its_type, _appointments_tell_of_telehealth, _empty_is_null, _appointments_list_is_bulk,
    _records_are_results, _done_is_204, _a_body_is_taken, _a_document_comes_in_parts,
    _filters_filter_lists, _what_else_may_be_asked, _throttled_is_429, _consent_is_judged_here,
)  # fmt: skip


class Judge:
    """Says what of a request or an answer is not as DrChrono's OpenAPI says."""

    def __init__(self, document):
        self.openapi = OpenAPI.from_dict(document)
        self.known = {
            (path, method): {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        }

    def of_request(self, request: httpx.Request):
        """Give the faults of a request; a query parameter nobody declared is one too."""
        asked = _as_asked(request)
        faults = _said(self.openapi.iter_request_errors(asked))
        known = next((names for (path, method), names in self.known.items() if _fits(path, method, request)), set())
        faults += [f"query: {name} is not declared" for name in request.url.params if name not in known]
        return faults + ["header: no bearer"] * (not request.headers.get("authorization", "").startswith("Bearer "))

    def of_answer(self, answer: httpx.Response):
        """Give the faults of an answer; a status nobody declared is one too."""
        shown = MockResponse(answer.content, status_code=answer.status_code, headers=dict(answer.headers),
                             content_type=answer.headers.get("content-type", "").partition(";")[0])  # fmt: skip
        return _said(self.openapi.iter_response_errors(_as_asked(answer.request), shown))


def document():
    """Give the mended document, None when there is none to be had."""
    return mended(json.loads(PLACE.read_text())) if PLACE.is_file() else None


def _as_asked(request):
    query = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
    media = request.headers.get("content-type", "application/json")
    return MockRequest(
        HOST, request.method.lower(), request.url.path, args=query, headers=dict(request.headers),
        data=request.read() or None,
        content_type=media if media.startswith("multipart/") else media.partition(";")[0],  # its boundary is needed
    )  # fmt: skip


def _fits(path, method, request):
    parts, given = path.split("/"), request.url.path.split("/")
    same = len(parts) == len(given) and all(p in (g, "{id}") for p, g in zip(parts, given, strict=True))
    return same and method == request.method.lower()


def _said(errors):
    told = []
    for error in errors:
        inner = [error, *_causes(error)]
        told += [f"{type(one).__name__}: {one}" for one in inner]
    return told


def _causes(error: OpenAPIError):
    found = list(getattr(error, "schema_errors", ()))
    cause = error.__cause__
    return found + ([cause, *_causes(cause)] if cause is not None else [])
