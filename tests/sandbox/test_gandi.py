"""The simulated Gandi LiveDNS answers as the real one is known to."""

import json

import pytest

import client
from asking import APEX, BEARER, JSON, ROOT, ask, connect, gandi

# Who may ask

UNAUTHORIZED = {
    "code": 401, "object": "HTTPUnauthorized", "cause": "Unauthorized",
    "message": "The server could not verify that you authorized to access the document you "
               "requested. Either you supplied the wrong credentials (e.g., bad api key), or your "
               "access token has expired"}


@pytest.mark.parametrize("value", [
    None, "Bearer wrong", "Bearer sandbox-apikey", "Apikey sandbox-token", "Basic sandbox-token",
    "sandbox-token", "Bearer", "Bearer sandbox-toke\xf1"])
def test_wrong_credentials(box, value):
    headers = {"Authorization": value} if value else {}
    answer = ask(box, APEX, headers=headers)
    assert (answer.status, answer.json) == (401, UNAUTHORIZED)
    assert answer.headers["content-type"].startswith("application/json; charset=")
    assert "sandbox-tok" not in json.dumps(box.log())


def test_both_schemes_and_changed_tokens(box):
    assert ask(box, ROOT, headers=BEARER).status == 200
    assert ask(box, ROOT, headers={"Authorization": "Apikey sandbox-apikey"}).status == 200
    box.call("PUT", "/gandi/token", {"bearer": "another", "apikey": None})
    assert ask(box, ROOT, headers=BEARER).status == 401
    assert ask(box, ROOT, headers={"Authorization": "Apikey sandbox-apikey"}).status == 401
    assert ask(box, ROOT, headers={"Authorization": "Bearer another"}).status == 200
    assert [e["auth"] for e in box.log("gandi")] == ["Bearer", "Apikey", "Bearer", "Apikey",
                                                     "Bearer"]
    assert "sandbox-" not in json.dumps(box.log())


def test_forbidden_methods(box):
    box.call("PUT", "/gandi/forbid", {"methods": ["PUT"]})
    answer = gandi(box, "PUT", APEX, {"rrset_values": ["198.20.0.7"], "rrset_ttl": 300})
    assert answer.status == 403
    assert answer.json == {"object": "HTTPForbidden", "cause": "Forbidden", "code": 403,
                           "message": "Access was denied to this resource."}
    assert gandi(box, "GET", APEX).status == 404
    assert box.rrset("example.com", "@", "A") is None


# Reading

def test_a_missing_record_is_the_404_that_means_create(box):
    answer = gandi(box, "GET", f"{ROOT}/example.com/records/localhost/A")
    assert (answer.status, answer.json) == (404, {
        "code": 404, "object": "dns-record", "cause": "Not Found",
        "message": "Can't find the DNS record localhost/A in the zone"})


@pytest.mark.parametrize("path", [
    f"{ROOT}/example.net", f"{ROOT}/example.net/records/@/A", f"{ROOT}/www.example.com/records/@/A",
    f"{ROOT}/example.com/nothing", "/v5/livedns", "/v5/livedns/", "/v5/livedns/axfr"])
def test_an_unknown_zone_or_resource_is_the_other_404(box, path):
    answer = gandi(box, "GET", path)
    assert (answer.status, answer.json) == (404, {
        "code": 404, "object": "HTTPNotFound", "cause": "Not Found",
        "message": "The resource could not be found."})


def test_names_match_by_their_exact_spelling(box):
    assert gandi(box, "GET", f"{ROOT}/example.com/records/www/A").status == 200
    assert gandi(box, "GET", f"{ROOT}/example.com/records/WWW/A").status == 404


def test_domains_and_pages(box):
    for zone in ("a.example", "b.example"):
        box.call("PUT", f"/zones/{zone}", "")
    try:
        answer = gandi(box, "GET", f"{ROOT}?page=2&per_page=2")
        assert answer.headers["total-count"] == "3"
        base = f"http://127.0.0.1:{box.state['ports']['http']}{ROOT}/example.com"
        assert answer.json == [{"fqdn": "example.com", "domain_href": base,
                                "domain_records_href": f"{base}/records"}]
        assert gandi(box, "GET", f"{ROOT}?per_page=x").json["errors"][0]["name"] == "per_page"
    finally:
        for zone in ("a.example", "b.example"):
            box.call("DELETE", f"/zones/{zone}")
    answer = gandi(box, "GET", f"{ROOT}/example.com")
    assert answer.json == {"fqdn": "example.com", "automatic_snapshots": True, "domain_href": base,
                           "domain_keys_href": f"{base}/keys",
                           "domain_records_href": f"{base}/records"}


def test_records_of_the_zone(box):
    answer = gandi(box, "GET", f"{ROOT}/example.com/records")
    assert answer.headers["total-count"] == str(len(answer.json)) == str(len(box.zone()))
    assert {(r["rrset_name"], r["rrset_type"]) for r in answer.json} >= {
        ("@", "MX"), ("@", "NS"), ("@", "TXT"), ("www", "A"), ("mail", "AAAA")}
    only = gandi(box, "GET", f"{ROOT}/example.com/records?rrset_type=A&per_page=1")
    assert only.headers["total-count"] == "2" and len(only.json) == 1


# Writing

@pytest.mark.parametrize("at", ["@", "%40"])
def test_put_creates_and_reads_back(box, at):
    path = f"{ROOT}/example.com/records/{at}/A"
    answer = gandi(box, "PUT", path, {"rrset_values": ["198.20.0.7"], "rrset_ttl": 300,
                                      "rrset_name": "ignored"}, tls=True)
    assert (answer.status, answer.json) == (201, {"message": "DNS Record Created"})
    href = f"https://127.0.0.1:{box.state['ports']['https']}{ROOT}/example.com/records/%40/A"
    assert answer.headers["location"] == href
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert gandi(box, "GET", path, tls=True).json == {
        "rrset_type": "A", "rrset_ttl": 300, "rrset_name": "@", "rrset_href": href,
        "rrset_values": ["198.20.0.7"]}


def test_put_without_a_ttl_resets_it(box):
    gandi(box, "PUT", APEX, {"rrset_values": ["198.20.0.7"], "rrset_ttl": 300})
    assert gandi(box, "PUT", APEX, {"rrset_values": ["198.20.0.7"]}).status == 201
    assert box.rrset("example.com", "@", "A")["rrset_ttl"] == 10800


@pytest.mark.parametrize("ttl, description", [
    (299, "299 is less than minimum value 300"), (0, "0 is less than minimum value 300"),
    (-1, "-1 is less than minimum value 300"),
    (2592001, "2592001 is greater than maximum value 2592000"),
    ("300", '"300" is not a number'), (300.5, '"300.5" is not a number'),
    (True, '"True" is not a number'), (None, '"None" is not a number')])
def test_a_ttl_out_of_range_or_not_an_integer(box, ttl, description):
    answer = gandi(box, "PUT", APEX, {"rrset_values": ["198.20.0.7"], "rrset_ttl": ttl})
    assert (answer.status, answer.json) == (400, {"status": "error", "errors": [
        {"location": "body", "name": "rrset_ttl", "description": description}]})
    assert box.rrset("example.com", "@", "A") is None


@pytest.mark.parametrize("ttl", [300, 2592000])
def test_the_limits_of_a_ttl_are_allowed(box, ttl):
    assert gandi(box, "PUT", APEX, {"rrset_values": ["1.1.1.1"], "rrset_ttl": ttl}).status == 201


@pytest.mark.parametrize("values", [None, [], "198.20.0.7", [7], [""], ["1.2.3"], ["2001::1"],
                                    ["01.2.3.4"], ["198.20.0.7 "]])
def test_values_that_are_none(box, values):
    answer = gandi(box, "PUT", APEX, {"rrset_values": values, "rrset_ttl": 300})
    assert answer.status == 400 and answer.json["errors"][0]["name"].startswith("rrset_values")
    assert "code" not in answer.json and "message" not in answer.json


def test_any_address_is_taken(box):
    for address in ("127.0.0.1", "10.0.0.1", "0.0.0.0"):
        body = {"rrset_values": [address], "rrset_ttl": 300}
        assert gandi(box, "PUT", APEX, body).status == 201


def test_a_write_needs_its_content_type_and_json(box):
    body = '{"rrset_values":["198.20.0.7"],"rrset_ttl":300}'
    for kind in ({}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert ask(box, APEX, "PUT", body, BEARER | kind).status == 415
    kind = {"Content-Type": "application/json; charset=utf-8"}
    assert ask(box, APEX, "PUT", body, BEARER | kind).status == 201
    for body in ("", "{", "[]", '{"rrset_ttl":NaN}', "\xff"):
        assert ask(box, APEX, "PUT", body.encode("latin-1"), BEARER | JSON).status == 400


def test_an_unknown_type_or_name(box):
    body = {"rrset_values": ["198.20.0.7"], "rrset_ttl": 300}
    for kind in ("a", "AA", "A6"):
        answer = gandi(box, "PUT", f"{ROOT}/example.com/records/@/{kind}", body)
        assert answer.status == 400 and answer.json["errors"][0]["location"] == "path"
    assert gandi(box, "PUT", f"{ROOT}/example.com/records/a%20b/A", body).status == 404
    assert gandi(box, "PATCH", APEX, body).status == 405


def test_post_creates_once(box):
    body = {"rrset_values": ["198.20.0.7"], "rrset_ttl": 300}
    assert gandi(box, "POST", APEX, body).status == 201
    answer = gandi(box, "POST", APEX, body)
    assert answer.status == 409
    assert answer.json["message"] == "A DNS Record already exists with same value"
    answer = gandi(box, "POST", APEX, body | {"rrset_values": ["198.20.0.8"]})
    assert (answer.status, answer.json["message"]) == (409, "This record already exists")


def test_delete(box):
    www = f"{ROOT}/example.com/records/www/A"
    answer = gandi(box, "DELETE", www)
    assert (answer.status, answer.body) == (204, b"")
    assert gandi(box, "DELETE", www).json["object"] == "dns-record"


def test_the_dangerous_calls_really_replace(box):
    item = {"rrset_type": "A", "rrset_values": ["198.20.0.7"], "rrset_ttl": 300}
    assert gandi(box, "PUT", f"{ROOT}/example.com/records/mail", {"items": [item]}).status == 201
    assert box.rrset("example.com", "mail", "AAAA") is None
    assert box.rrset("example.com", "@", "MX") is not None
    item["rrset_name"] = "@"
    assert gandi(box, "PUT", f"{ROOT}/example.com/records", {"items": [item]}).status == 201
    assert [(r["rrset_name"], r["rrset_type"]) for r in box.zone()] == [("@", "A")]


def test_the_limit_of_requests():
    with client.Sandbox() as box:
        connection = connect(box)
        statuses = []
        for _ in range(1001):
            connection.request("GET", ROOT, headers=BEARER)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()
        assert set(statuses[:1000]) == {200} and statuses[1000] == 429


def test_a_hand_at_the_provider(box):
    box.edit("example.com", "@", "A", ["203.0.113.1"], 600)
    assert gandi(box, "GET", APEX).json["rrset_values"] == ["203.0.113.1"]
    box.erase("example.com", "@", "A")
    assert gandi(box, "GET", APEX).status == 404
    with pytest.raises(client.ControlError, match="less than minimum"):
        box.edit("example.com", "@", "A", ["203.0.113.1"], 299)
    box.call("DELETE", "/zones/example.com")
    assert gandi(box, "GET", APEX).json["object"] == "HTTPNotFound"
