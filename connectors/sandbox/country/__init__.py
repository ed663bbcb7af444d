"""One small deterministic country: five levels, synthetic people, shaped like Liaocheng.

    country = Country(scale="demo" | "city", today=date | None, seed=371500, resources=int | None)

demo: 44 schools, 6,000 pupils and staff, 5,000 provincial resources.
city: 1,200 schools, 860,000 pupils and staff, 6,600,000 provincial resources.
`resources` replaces the number of provincial resources; guardians come on top of the people counted.
Everything follows from (seed, kind, index) and `today`, so nothing is stored and everything is reached in
O(1); sequences are `Lazy`: length known, slices lazy, items made when touched. Values are frozen; codes are
strings, dates ISO, moments carry +08:00. "|None" means that an unknown key gives None, never an error.

    scale seed today month school_year units             plain attributes
    totals() -> dict                                     schools classes pupils staff people resources_<level>
    schools; schools_of(unit_code); school(code)|None    School
    classes(school); class_group(key)|None               ClassGroup, key c-<school>-<number from 1>
    pupils(class_group); teachers(school)                Person; the first of the staff is the principal
    guardians_of(pupil) -> list                          Guardian
    person(id)|None                                      u-<school>-<class>-<seat>, -g1 father, -g2 mother,
                                                         -g3 grandmother; u-<school>-t<n>, t0 the principal;
                                                         u-officer, u-city-officer, u-county-officer
    person_by_hub_id, person_by_login, person_by_student_id (.)|None
    personas() -> dict; oddities() -> dict               who signs in; where the odd ones are
    textbooks(); textbook(id)|None; textbooks_of(class)  Textbook; the books a class uses this term
    focus_textbook; chapters(textbook) -> list           fifth-grade mathematics of this term; units, lessons
    tag_tree() -> TagNode                                root, stage, subject, version, grade, volume
    resources(level, owner=None); resource(id)|None      Resource; COUNTY needs a unit code, SCHOOL a school
                                                         code; LookupError for an unknown level or owner
    resources_since(level, moment) -> int                first index updated at or after an ISO moment;
                                                         `updated_at` never falls with the index
    knowledge_points() collections()                     lists
    activities notices live_sessions homework_stats platform_usage monthly_counts (month=this one) -> list
    statements(school, day) -> Sequence[Event]           empty after `today`; sums to monthly_counts exactly
    now() -> datetime                                    twins serve nothing later: the clock's moment, or the
                                                         end of `today` where it was chosen
    told_by(level, school) -> School                     as the register of that level has it
    disagreements() -> list[Disagreement]                what levels tell otherwise than is so
    learning_spaces(school)                              staff first, then pupils
    communities() honours() applications() organizations() datasets() metrics()
    statistics() stage_table() migration()               as printed: 26,057 + 8,226 is not 34,285

Nobody is real: resident IDs use area 999999 with a valid check digit, given names end in a stem, a branch or
a rare character, telephone numbers begin with 0000, addresses say 样例. No two people share a resident ID.

What is odd, on purpose
* a pupil with a J or L number has no resident ID (""); the zones' pupils carry 371502 in `student_id`;
* `relation` is GB/T 4761 (51, 52, 62), `relation_local` and the end of `member_id` the province's 1, 2, 3;
* 茌平区 schools with `old_region_name` are listed under the withdrawn 茌平县;
* under 五四 (S54) grade 6 is JUNIOR; both systems stand side by side in one county;
* levels disagree about schools: the city platform writes 茌平县 in names of 茌平区, and two names without the
  county; one county roster (371521) has a name of before; the province has last month's number of pupils of
  two schools of 371524, and of a third an old address and one class less;
* two units share a school name; two pupils share name and birth date; one pupil's `roll_school_code` differs;
* national resources: of eleven in a row one is a compound `parent` and two are `sub` without tags; some are
  `tombstone`s; tag ids repeat across branches; some textbooks have no PDF;
* one provincial resource in 211 is `deleted`; one in twenty provincial and municipal ones repeats a national
  work (same title, md5 and `work_key`).
"""

from __future__ import annotations

from connectors.sandbox.country.dice import Lazy, check_digit, resident_id
from connectors.sandbox.country.disagreements import Disagreement
from connectors.sandbox.country.entities import (
    Chapter,
    ClassGroup,
    Guardian,
    Person,
    Persona,
    Resource,
    RollChange,
    School,
    Tag,
    TagNode,
    Textbook,
    Unit,
)
from connectors.sandbox.country.nation import Country
from connectors.sandbox.country.records import (
    Activity,
    Application,
    Collection,
    Column,
    Community,
    Dataset,
    Event,
    HomeworkStat,
    Honour,
    KnowledgePoint,
    LearningSpace,
    LiveSession,
    Metric,
    MigrationFlow,
    Notice,
    Organization,
    PlatformUsage,
    StageStatistic,
    Statistics,
    UnitMonth,
)

__all__ = [
    "Activity",
    "Application",
    "Chapter",
    "ClassGroup",
    "Collection",
    "Column",
    "Community",
    "Country",
    "Dataset",
    "Disagreement",
    "Event",
    "Guardian",
    "HomeworkStat",
    "Honour",
    "KnowledgePoint",
    "Lazy",
    "LearningSpace",
    "LiveSession",
    "Metric",
    "MigrationFlow",
    "Notice",
    "Organization",
    "Person",
    "Persona",
    "PlatformUsage",
    "Resource",
    "RollChange",
    "School",
    "StageStatistic",
    "Statistics",
    "Tag",
    "TagNode",
    "Textbook",
    "Unit",
    "UnitMonth",
    "check_digit",
    "resident_id",
]
