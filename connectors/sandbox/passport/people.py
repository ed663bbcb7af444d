"""Who may sign in at which passport, with which password, and what a passport knows of them.

Rule 1: nobody is stored: who belongs to a passport, their password and their opaque number there follow from
the person alone.
Rule 2: the same person has another number at every passport, so that no two can be joined by it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from connectors.sandbox.country import Country, Person
from connectors.sandbox.country.dice import Dice

SELF_ASSERTED, NAMED, FACED = 1, 2, 3
"""How surely a passport knows somebody: their own word, name and number checked, face compared."""
BUREAU_ADMIN, SCHOOL_ADMIN = "bureau-admin", "school-admin"
UNPROVEN = "senior"
"""The persona whom the national passport does not know by real name yet."""

_SYLLABLES = [
    "an", "bo", "chen", "da", "fei", "gu", "hai", "he", "jia", "jin", "ke", "lan", "li", "lin", "ming", "mo",
    "ning", "pei", "qi", "qing", "ran", "rui", "shan", "shu", "song", "tao", "tian", "wan", "wei", "wen",
    "xi", "xing", "xue", "yan", "yi", "yu", "yun", "zhen", "zhi", "zhou",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passport:
    """One provider: whose it is, what its pages are called. Its name is its cookie's, too."""

    name: str
    level: str
    region: str
    title: str
    title_en: str
    colour: str


PASSPORTS = {
    one.name: one
    for one in (
        Passport(
            "nation-passport", "NATIONAL", "000000",
            "国家教育资源公共服务体系用户中心", "National user centre", "#a3262a",
        ),
        Passport(
            "province-passport", "PROVINCIAL", "370000", "山东省教育统一认证", "Provincial sign-in", "#1d5fa8"
        ),
        Passport(
            "city-passport", "MUNICIPAL", "371500", "聊城市智慧教育用户中心", "City user centre", "#0f766e"
        ),
        Passport(
            "county-passport", "COUNTY", "371502", "东昌府区教育统一身份认证", "District sign-in", "#6b4ba3"
        ),
        Passport("school-passport", "SCHOOL", "371502", "校园统一身份认证", "School sign-in", "#b45309"),
    )
}  # fmt: skip


def demo_password(person_id: str) -> str:
    """The person's password at every passport: two syllables and four digits."""
    dice, number = Dice(371500), _number(person_id)
    first, second = (dice.pick(_SYLLABLES, "password", number, place) for place in (1, 2))
    return f"{first}{second}{dice.below(10_000, 'password-digits', number):04d}"


def demo_users(country: Country) -> list[dict[str, str]]:
    """Where each persona has an account: persona, level, provider, login, password."""
    found = []
    for passport in PASSPORTS.values():
        accounts = Accounts(country, passport)
        for key, persona in country.personas().items():
            person = country.person(persona.person_id)
            if person is not None and accounts.belongs(person):
                found.append(
                    {
                        "persona": key,
                        "level": passport.level,
                        "provider": passport.name,
                        "login": person.login,
                        "password": demo_password(person.id),
                    }
                )
    return found


class Accounts:
    """The accounts of one passport."""

    def __init__(self, country: Country, passport: Passport) -> None:
        self._country, self._passport = country, passport
        self._dice = Dice(country.seed)
        self._school = country.schools[0].code
        self._unproven = country.personas()[UNPROVEN].person_id

    def by_login(self, login: str, password: str) -> Person | None:
        """Whose name and password these are; None says nothing about which of the two is wrong."""
        person = self._country.person_by_login(login)
        wanted = demo_password(person.id) if person else demo_password("nobody")
        right = hmac.compare_digest(wanted.encode(), password.encode("utf-8", "replace"))
        return person if person and right and self.belongs(person) else None

    def by_hub_id(self, hub_person_id: str) -> Person | None:
        """The holder of an account by the number of the national exchange."""
        person = self._country.person_by_hub_id(hub_person_id)
        return person if person and self.belongs(person) else None

    def belongs(self, person: Person) -> bool:
        """Nation and province know all, the city all but others' officers, county and school theirs."""
        level = self._passport.level
        if level == "MUNICIPAL":
            return person.role != "officer" or person.unit_code == self._passport.region
        if level == "COUNTY":
            return person.unit_code == self._passport.region
        if level == "SCHOOL":
            child = self._country.person(person.children_ids[0]) if person.children_ids else person
            return child is not None and child.school_code == self._school
        return True

    def number(self, person: Person) -> str:
        """The person's opaque number at this passport."""
        return self._dice.uuid(self._passport.name, _number(person.id))

    def surety(self, person: Person) -> int:
        """SELF_ASSERTED, NAMED or FACED; a school knows its own without checking anything."""
        level = self._passport.level
        if person.assurance != "VERIFIED" or level == "SCHOOL":
            return SELF_ASSERTED
        if level == "NATIONAL" and person.id == self._unproven:
            return SELF_ASSERTED
        return FACED if level == "PROVINCIAL" and person.role not in ("student", "guardian") else NAMED

    def role(self, person: Person) -> str:
        """What the person administers in the passport's own name; "" for nearly everybody."""
        if self._passport.level == "SCHOOL":
            return SCHOOL_ADMIN if person.role == "principal" else ""
        own = person.role == "officer" and person.unit_code == self._passport.region
        return BUREAU_ADMIN if own else ""


def _number(person_id: str) -> int:
    # 64 bits, so that no two of a city's millions meet.
    return int.from_bytes(hashlib.sha256(person_id.encode()).digest()[:8], "big")
