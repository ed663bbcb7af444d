"""What the city platform keeps, in its vendor's own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property

from starlette.requests import Request

from connectors.sandbox.country import Country, Resource, School
from connectors.sandbox.rest.listing import Fault, Listing, Params, Row, values_of, window

MONTHS = 6  # months of activities, notices, live sessions and figures that the platform keeps

_LEVEL = {"NATIONAL": "1", "PROVINCIAL": "2", "MUNICIPAL": "3", "COUNTY": "4", "SCHOOL": "5"}
_ACTIVITY = {"PLAZA": "01", "HABIT": "02", "CONTEST": "03", "TRAINING": "04", "LIVE": "05", "RESEARCH": "06"}
_EDUCATION = {"MORAL": "德", "INTELLECTUAL": "智", "PHYSICAL": "体", "AESTHETIC": "美", "LABOUR": "劳"}
_STAGE = {"PRIMARY": "1", "JUNIOR": "2", "SENIOR": "3"}
_SUBJECT = {
    "CHINESE": "13", "MATH": "14", "ENGLISH": "41", "MORALITY_LAW": "11", "POLITICS": "12", "SCIENCE": "15",
    "PHYSICS": "16", "CHEMISTRY": "17", "BIOLOGY": "18", "GEOGRAPHY": "20", "HISTORY": "21", "PE": "22",
    "MUSIC": "24", "FINE_ARTS": "25", "IT": "26",
}  # fmt: skip
_LIVE = {
    "SYNCHRONOUS": "tbkt",
    "MASTER": "mskt",
    "DELIVERED": "zdkt",
    "DUAL_TEACHER": "sskt",
    "LECTURE": "jz",
}
_ROLE = {"student": "xs", "teacher": "js", "principal": "js"}
_AUDIENCE = {"STUDENT": "学生", "TEACHER": "教师", "FAMILY": "家长"}
_ORIGIN = {"NATIONAL_CORE": "国家核心应用", "SUPERIOR_COMMON": "上级通用应用", "LOCAL": "本级特色应用"}


class Books:
    """What the platform keeps, in the vendor's own words; made when first asked for."""

    def __init__(self, country: Country) -> None:
        self._country = country

    @cached_property
    def _months(self) -> list[str]:
        first, found = self._country.today.replace(day=1), []
        for _ in range(MONTHS):
            found.append(f"{first:%Y-%m}")
            first = (first - timedelta(days=1)).replace(day=1)
        return found[::-1]

    @cached_property
    def activities(self) -> list[Row]:
        return [
            {
                "hdid": one.id.replace("-", ""), "hdmc": one.title, "hdlx": _ACTIVITY[one.kind],
                "hdjb": _LEVEL[one.level], "zbdw": one.organizer, "qhdm": one.region_code,
                "wy": _EDUCATION[one.education], "kssj": f"{one.starts_on} 08:00:00",
                "jssj": f"{one.ends_on} 18:00:00", "cyrc": str(one.participations), "dw": "人次",
                "hddz": f"https://lc-platform.example.invalid/hd/{one.id}", "bz": None,
            }
            for month in self._months
            for one in self._country.activities(month)
        ]  # fmt: skip

    @cached_property
    def notices(self) -> list[Row]:
        return [
            {
                "ggid": one.id, "bt": one.title, "jb": _LEVEL[one.level],
                "fbdw": self._publisher(one.level),
                "qhdm": one.region_code, "xxdm": one.school_code, "fbsj": _naive(one.published_at),
            }
            for month in self._months
            for one in self._country.notices(month)
        ]  # fmt: skip

    def _publisher(self, level: str) -> str:
        return {"MUNICIPAL": "市教育和体育局", "COUNTY": "区县教育和体育局"}.get(level, "学校办公室")

    @cached_property
    def lives(self) -> list[Row]:
        return [
            {
                "zbid": one.id, "bt": one.title, "lx": _LIVE[one.kind], "jb": _LEVEL[one.level],
                "zjr": self._name(one.host_id), "qhdm": one.region_code,
                "xkm": _SUBJECT.get(one.subject_code),
                "kbsj": _naive(one.starts_at), "sc": _minutes(one.starts_at, one.ends_at),
                "hfdz": f"https://live.example.invalid/{one.id}" if one.replay else "",
                "gkrc": f"{one.viewers:,}",
            }
            for month in self._months
            for one in self._country.live_sessions(month)
        ]  # fmt: skip

    def _name(self, person_id: str) -> str:
        person = self._country.person(person_id)
        return person.name if person else ""

    @cached_property
    def communities(self) -> list[Row]:
        return [
            {
                "gztid": one.id, "mc": one.name, "lx": "名师工作室" if one.kind == "STUDIO" else "教研社区",
                "jb": _LEVEL[one.level], "qhdm": one.region_code, "xd": _STAGE.get(one.stage),
                "xkm": _SUBJECT.get(one.subject_code), "zcr": self._name(one.lead_person_id),
                "cys": str(one.member_count), "clrq": one.founded_on.replace("-", "/"),
            }
            for one in self._country.communities()
        ]  # fmt: skip

    def spaces(self, params: Params, _: Request) -> Row:
        """Learning spaces of one school; the platform wants its code."""
        school = self._country.school(str(params.get("xxdm") or ""))
        if not params.get("xxdm"):
            raise Fault("40001", "缺少参数 xxdm")
        rows: list[Row] = [] if school is None else list(self._spaces(school))
        length = int(params.get("size", 20))
        return window(params, (int(params.get("current", 1)) - 1) * length, length, rows)

    def _spaces(self, school: School) -> Iterator[Row]:
        for one in self._country.learning_spaces(school):
            owner = self._country.person(one.owner_id)
            assert owner is not None
            yield {
                "kjid": one.id, "yhid": owner.id, "yhlx": _ROLE[one.role],
                "zjhm": owner.roll_no or owner.resident_id,
                "csrq": owner.birth_date.replace("-", ""), "ktrq": one.opened_on,
                "sfsm": int(one.real_name),
                "kjdz": f"https://space.example.invalid/{one.id}", "xxdm": one.school_code,
                "qhdm": school.unit_code,
            }  # fmt: skip

    @cached_property
    def homework(self) -> list[Row]:
        return [
            {
                "qhdm": one.region_code, "yf": one.month.replace("-", ""), "bzs": str(one.published),
                "cyrc": str(one.participations), "pjs": str(one.evaluations),
            }
            for month in self._months
            for one in self._country.homework_stats(month)
        ]  # fmt: skip

    @cached_property
    def usage(self) -> list[Row]:
        return [
            {
                "pt": one.platform, "qhdm": one.region_code, "yf": one.month.replace("-", ""),
                "lll": f"{one.page_views / 10_000:.4f}万", "fwl": str(one.app_visits), "dbl": str(one.plays),
                "hyyh": str(one.active_users),
            }
            for month in self._months
            for one in self._country.platform_usage(month)
            if one.level == "MUNICIPAL"
        ]  # fmt: skip

    @cached_property
    def metrics(self) -> list[Row]:
        said = {"EXACT": "准确", "APPROX": "约", "LOWER_BOUND": "超过"}
        return [
            {
                "zbm": one.key, "zbmc": one.name, "qhdm": one.region_code, "sj": one.period,
                "sz": str(one.value),
                "dw": one.unit, "jqd": said[one.qualifier], "yw": one.printed,
            }
            for one in self._country.metrics()
        ]  # fmt: skip

    @cached_property
    def honours(self) -> list[Row]:
        return [
            {
                "ryid": one.id, "rymc": one.title, "jb": _LEVEL[one.level], "sydw": one.awarded_by,
                "wh": one.doc_no,
                "syrq": one.awarded_on, "qhdm": one.region_code, "xxdm": one.school_code,
            }
            for one in self._country.honours()
        ]  # fmt: skip

    @cached_property
    def collections(self) -> list[Row]:
        return [
            {
                "zlid": one.id, "mc": one.title, "jb": _LEVEL[one.level],
                "mx": _AUDIENCE.get(one.audience, "其他"),
                "zysl": str(len(one.resource_ids)),
                "dz": f"https://lc-platform.example.invalid/zl/{one.id}",
            }
            for one in self._country.collections()
            if one.level == "MUNICIPAL"
        ]  # fmt: skip

    def collection(self, _: Params, request: Request) -> Row:
        """One collection, or code 40400."""
        for row in self.collections:
            if row["zlid"] == request.path_params["id"]:
                return row
        raise Fault("40400", "数据不存在")

    @cached_property
    def points(self) -> list[Row]:
        return [
            {
                "id": one.id, "zsdmc": one.name, "xkm": _SUBJECT.get(one.subject_code),
                "sjid": one.parent_id,
                "qzids": list(one.prerequisite_ids),
            }
            for one in self._country.knowledge_points()
        ]  # fmt: skip

    @cached_property
    def applications(self) -> list[Row]:
        return [
            {
                "yyid": one.id, "yymc": one.name, "yylb": one.category, "ly": _ORIGIN[one.origin],
                "jrjb": _LEVEL[one.access_level], "dz": one.url, "tgf": one.provider,
            }
            for one in self._country.applications()
        ]  # fmt: skip

    @cached_property
    def schools(self) -> list[Row]:
        """As users write it: the county's name, sometimes the withdrawn one, or none."""
        return [
            {
                "xxdm": one.code, "xxmc": one.name, "qxmc": one.listed_region_name,
                "xd": ",".join(_STAGE[stage] for stage in one.level), "bjs": str(one.class_count),
                "xss": str(one.student_count), "gxsj": _naive(one.updated_at),
            }
            for one in (self._country.told_by("MUNICIPAL", school) for school in self._country.schools)
        ]  # fmt: skip

    def resources(self, params: Params, _: Request) -> Row:
        """The city's resources, by id directly, else page by page."""
        size, number = int(params.get("pageSize", 20)), int(params.get("pageNo", 1))
        if params.get("zyids"):
            made = (self._country.resource(one) for one in values_of(params["zyids"]))
            rows: Sequence[Row] = [
                _resource(one) for one in made if one is not None and one.level == "MUNICIPAL"
            ]
            return window(params, (number - 1) * size, size, sorted(rows, key=lambda row: str(row["zyid"])))
        by = {"zj": "zjids", "xkm": "xkm", "xd": "xd", "nj": "nj"}
        filtered = any(params.get(name) for name in (*by, "gjc"))
        if not filtered:  # no need to make what is not on the page
            every = self._country.resources("MUNICIPAL")
            part = [_resource(every[n]) for n in range((number - 1) * size, min(number * size, len(every)))]
            window(params, (number - 1) * size, size, ())
            return {"list": part or None, "total": str(len(every))}
        found = Listing(lambda: self._shelf, by, ("zymc", "zyjj")).found(params)
        return window(params, (number - 1) * size, size, found)

    @cached_property
    def _shelf(self) -> list[Row]:
        return [_resource(one) for one in self._country.resources("MUNICIPAL")]


def _resource(one: Resource) -> Row:
    return {
        "zyid": one.id, "zymc": one.title, "zyjj": one.summary, "zylx": one.type_code, "gs": one.format,
        "xd": _STAGE.get(one.stage), "xkm": _SUBJECT.get(one.subject_code),
        "nj": one.grade_code.lstrip("G0"),
        "bb": one.version_name, "cb": one.volume, "jcid": one.textbook_id, "zjids": [one.chapter_id],
        "zsd": "、".join(one.knowledge_points), "tgdw": one.provider, "gxz": one.contributor,
        "fbrq": one.published_on, "cjsj": _naive(one.created_at), "gxsj": _naive(one.updated_at),
        "zxzt": "1", "wj": [{"wjgs": one.format, "yt": "source", "dx": str(one.size), "md5": one.md5,
        "sfdl": 1}],
        "bq": [{"wd": tag.dimension, "id": tag.id, "mc": tag.name} for tag in one.tags],
        "dz": f"https://lc-platform.example.invalid/zy/{one.id}", "ys": str(one.page_count),
        "pf": str(one.rating), "xzcs": f"{one.downloads:,}", "xk_xy": one.licence,
    }  # fmt: skip


def _naive(moment: str) -> str:
    """2026-11-22T08:00:00+08:00 -> 2026-11-22 08:00:00."""
    return moment[:19].replace("T", " ")


def _minutes(start: str, end: str) -> str:
    day = date.fromisoformat(end[:10]) - date.fromisoformat(start[:10])
    clock = (int(end[11:13]) - int(start[11:13])) * 60 + int(end[14:16]) - int(start[14:16])
    return f"{day.days * 1440 + clock}"
