"""What a deployment may set for the national platform, and where its documents lie (DOMAIN 2.1)."""

from __future__ import annotations

from connectors.base import Options

MIRRORS = tuple(f"https://s-file-{n}.ykt.cbern.com.cn" for n in (1, 2, 3))
STORES = tuple(f"https://r{n}-ndr.ykt.cbern.com.cn" for n in (1, 2, 3))

BOOKS_VERSION = "/zxx/ndrs/resources/tch_material/version/data_version.json"
BOOK_TAGS = "/zxx/ndrs/tags/tch_material_tag.json"

VERSIONS = {
    "national_lesson": "/zxx/ndrs/national_lesson/teachingmaterials/version/data_version.json",
    "prepare_lesson": "/zxx/ndrs/prepare_lesson/teachingmaterials/version/data_version.json",
}
DETAILS = {
    "national_lesson": "/zxx/ndrv2/national_lesson/resources/details/{}.json",
    "prepare_lesson": "/zxx/ndrv2/prepare_sub_type/resources/details/{}.json",
    "elite_lesson": "/zxx/ndrv2/resources/{}.json",
}
LESSONS = {
    "national_lesson": "/zxx/ndrs/national_lesson/teachingmaterials/{}/resources/part_100.json",
    "prepare_lesson": "/zxx/ndrs/prepare_lesson/teachingmaterials/{}/resources/parts.json",
}
PAGES = {
    "national_lesson": "/syncClassroom/classActivity?activityId=",
    "prepare_lesson": "/syncClassroom/prepare/detail?resourceId=",
    "elite_lesson": "/qualityCourse?courseId=",
}


class SmartEduOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one joined national platform."""

    bases: tuple[str, ...] = MIRRORS
    """Addresses of the mirrors, any of which may fail; paths begin behind them."""
    file_bases: tuple[str, ...] = ()
    """Addresses of the file stores' mirrors; empty: the platform's own, or `bases` where those are set."""
    modules: tuple[str, ...] = ("national_lesson", "prepare_lesson")
    """What is read as resources, asked in this order: national_lesson, prepare_lesson, elite_lesson."""
    landing: str = "https://basic.smartedu.cn"
    """Where people open what is found."""
    recheck: float = 600.0
    """Seconds after which a version is asked for again."""
    load_within: float = 60.0
    """Seconds that one shared document may take, however little time the first asker has."""
    part_bytes: int = 64 * 1024 * 1024
    """Most bytes of one part."""
    most_trees: int = 6000
    """Most chapter trees read to find whose a chapter is."""

    def __post_init__(self) -> None:
        """Refuse what could never work, when the settings are read."""
        if not 1 <= len(self.bases) <= 8:
            raise ValueError("bases: one to eight addresses / 镜像地址应为 1–8 个")
        unknown = set(self.modules) - DETAILS.keys()
        if unknown or not self.modules:
            raise ValueError(f"modules: one or more of {', '.join(DETAILS)} / 未知的资源模块")

    @property
    def stores(self) -> tuple[str, ...]:
        """Mirrors of the file stores."""
        return self.file_bases or (STORES if self.bases == MIRRORS else self.bases)
