"""What a ticket provider may answer instead of the truth, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

from auth.broker.ticket import SIGNED_IN, USER
from auth.broker.ticket_gateway import LARGEST, SPELLINGS
from tests.auth.broker.puppet import Answer, elsewhere, fixed, slow

TICKET = "one-time-ticket-0001"
TOKEN = SPELLINGS["camel"].token


def say(code: Any = "000000", **parts: Any) -> Answer:
    """An answer of that retCode."""
    return fixed(json.dumps({"retCode": code, **parts}))


TOLD = {"userId": "371500000000000001", "name": "丙"}
HONEST: dict[str, Answer] = {
    TOKEN: say(data={"accessToken": "at-1", "validTime": "7200"}),
    SIGNED_IN: say(data=TOLD),
    USER: say(data={**TOLD, "userIdentity": "0"}),
}
DEEP = json.dumps({"retCode": "000000", "data": TOLD})[:-1] + ',"more":' + "[" * 200 + "]" * 200 + "}"
TWICE = '{"retCode":"300001","retCode":"000000","data":{"userId":"1","name":"x"}}'
LIES: dict[str, tuple[str, Answer, str, int]] = {
    "a retCode that is a number": (SIGNED_IN, say(0, data=TOLD), "answer-unusable", 502),
    "a retCode that is true": (SIGNED_IN, say(True, data=TOLD), "answer-unusable", 502),
    "a retCode that is a list": (SIGNED_IN, say(["000000"], data=TOLD), "answer-unusable", 502),
    "a retCode with a blank": (SIGNED_IN, say("000000 ", data=TOLD), "answer-unusable", 502),
    "no retCode": (SIGNED_IN, fixed(json.dumps({"data": TOLD})), "answer-unusable", 502),
    "two retCodes": (SIGNED_IN, fixed(TWICE), "answer-unusable", 502),
    "a user beside a refusal": (SIGNED_IN, say("300001", data=TOLD), "ticket-refused", 400),
    "a user beside a retCode of fewer noughts": (SIGNED_IN, say("0", data=TOLD), "ticket-refused", 400),
    "patience asked for": (SIGNED_IN, say("900001", data=TOLD), "unavailable", 503),
    "our key refused": (SIGNED_IN, say("100002"), "refuses-us", 502),
    "every token called spent": (SIGNED_IN, say("100004"), "refuses-us", 502),
    "no user": (SIGNED_IN, say(), "answer-unusable", 502),
    "a list of users": (SIGNED_IN, say(data=[TOLD, TOLD]), "answer-unusable", 502),
    "a user without a number": (SIGNED_IN, say(data={"name": "丙"}), "claim-sub", 400),
    "an empty number": (SIGNED_IN, say(data={"userId": "", "name": "丙"}), "claim-sub", 400),
    "a number that is null": (SIGNED_IN, say(data={"userId": None}), "claim-sub", 400),
    "a number that is an object": (SIGNED_IN, say(data={"userId": {"$ne": 1}}), "claim-sub", 400),
    "a number that is true": (SIGNED_IN, say(data={"userId": True}), "claim-sub", 400),
    "a number that is a fraction": (SIGNED_IN, say(data={"userId": 1.5}), "claim-sub", 400),
    "a number of 300 digits": (SIGNED_IN, say(data={"userId": "1" * 300}), "claim-sub", 400),
    "a number with a line break": (SIGNED_IN, say(data={"userId": "1\n2"}), "claim-sub", 400),
    "the other spelling": (SIGNED_IN, say(userInfo={"personId": "1"}), "answer-unusable", 502),
    "not known by real name, and who": (SIGNED_IN, say("300027", data={"certUrl": "x"}), "claim-sub", 400),
    "another user's record": (USER, say(data={**TOLD, "userId": "371500000000000002"}), "another-user", 400),
    "a record of nobody": (USER, say(data={"name": "丙"}), "claim-sub", 400),
    "a record refused": (USER, say("300001"), "ticket-refused", 400),
    "a token that is a number": (TOKEN, say(data={"accessToken": 1}), "answer-unusable", 502),
    "an empty token": (TOKEN, say(data={"accessToken": ""}), "answer-unusable", 502),
    "a token that splits a request": (TOKEN, say(data={"accessToken": "a\r\nb"}), "answer-unusable", 502),
    "a token at another place": (TOKEN, say(tokenInfo={"token": "at"}), "answer-unusable", 502),
    "a token beside a refusal": (TOKEN, say("100001", data={"accessToken": "a"}), "refuses-us", 502),
    "an answer nested without an end": (SIGNED_IN, fixed(DEEP), "answer-unusable", 502),
    "a list": (SIGNED_IN, fixed("[]"), "answer-unusable", 502),
    "nothing": (SIGNED_IN, fixed(""), "answer-unusable", 502),
    "half of it": (SIGNED_IN, fixed('{"retCode":"000000","data":{'), "answer-unusable", 502),
    "a number that is none": (SIGNED_IN, fixed('{"retCode":"000000","data":NaN}'), "answer-unusable", 502),
    "no UTF-8": (SIGNED_IN, fixed(b'{"retCode":"000000","data":{"userId":"\xff"}}'), "answer-unusable", 502),
    "a page for people": (SIGNED_IN, fixed("<html>维护中</html>"), "answer-unusable", 502),
    "more than is read": (SIGNED_IN, say(data={**TOLD, "x": "x" * LARGEST}), "answer-unusable", 502),
    "thirty megabytes": (USER, fixed(b"x" * 30_000_000), "answer-unusable", 502),
    "a redirect": (SIGNED_IN, elsewhere, "refuses-us", 502),
    "500": (SIGNED_IN, fixed("boom", 500), "answer-unusable", 502),
    "503": (TOKEN, fixed("busy", 503), "unavailable", 503),
    "success with 403": (SIGNED_IN, fixed(json.dumps({"retCode": "000000", "data": TOLD}), 403),
                         "refuses-us", 502),
    "nothing in time": (USER, slow, "timeout", 503),
}  # fmt: skip
