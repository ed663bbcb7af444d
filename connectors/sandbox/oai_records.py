"""One resource as LOM and as Dublin Core, written as repositories write them: CELTS-42's habits included."""

from __future__ import annotations

from xml.sax.saxutils import escape as _escape

from connectors.sandbox.country import Resource

LOM = "http://ltsc.ieee.org/xsd/LOM"
CELTS = "http://www.imsglobal.org/xsd/imsmd_v1p2"
STAGES = {"PRIMARY": "小学", "JUNIOR": "初中", "SENIOR": "高中"}
CONTEXTS = {"PRIMARY": "小学教育", "JUNIOR": "初中教育", "SENIOR": "高中教育"}
MIME = {
    "mp4": "video/mp4", "mp3": "audio/mpeg", "pdf": "application/pdf",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}  # fmt: skip


def escape(text: str) -> str:
    """Text for an element or a quoted attribute."""
    return _escape(text, {'"': "&quot;"})


def celts(row: Resource) -> bool:
    """One in ten is written as CELTS-42 and IMS files are."""
    return row.index % 10 == 7


def landing(row: Resource) -> str:
    """Where people open it."""
    return f"https://resources.example.invalid/view?id={row.id}"


def dublin_core(row: Resource) -> str:
    """An oai_dc record (Dublin Core simple)."""
    head = (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/">'
    )
    pairs = [
        ("title", row.title), ("description", row.summary), ("type", row.type_name),
        ("format", MIME[row.format]),
        ("subject", STAGES[row.stage]), ("subject", row.subject_name), ("subject", row.grade_name),
        *(("subject", point) for point in row.knowledge_points),
        ("publisher", row.provider),
        ("creator", f"{row.contributor}（0000-1234567，{row.index}@example.invalid）"),
        ("date", row.published_on), ("identifier", landing(row)), ("identifier", f"urn:md5:{row.md5}"),
        ("rights", row.licence), ("relation", f"urn:smartedu:textbook:{row.textbook_id}"),
        ("relation", f"urn:smartedu:chapter:{row.chapter_id}"), ("language", "zh-CN"),
    ]  # fmt: skip
    body = "".join(f"<dc:{name}>{escape(text)}</dc:{name}>" for name, text in pairs if text)
    return f"{head}{body}</oai_dc:dc>"


def lom(row: Resource) -> str:
    """A LOM record (IEEE 1484.12.3), or one in ten in the older binding."""
    odd = celts(row)
    body = _general(row, odd) + _life(row, odd) + _technical(row, odd) + _educational(row, odd)
    licence = f"<rights><description>{_text(row.licence, odd)}</description></rights>"
    namespace = CELTS if odd else LOM
    return f'<lom xmlns="{namespace}">{body}{licence}{_classifications(row, odd)}</lom>'


def _text(text: str, odd: bool) -> str:
    if odd:
        return f'<langstring xml:lang="zh-CN">{escape(text)}</langstring>'
    return f'<string language="en"> </string><string language="zh-CN">{escape(text)}</string>'


def _word(text: str, odd: bool) -> str:
    value = f'<langstring xml:lang="x-none">{escape(text)}</langstring>' if odd else escape(text)
    return f"<source>{'CELTS-42' if odd else 'LOMv1.0'}</source><value>{value}</value>"


def _general(row: Resource, odd: bool) -> str:
    tag = "catalogentry" if odd else "identifier"
    ids = "".join(
        f"<{tag}><catalog>{catalog}</catalog><entry>{entry}</entry></{tag}>"
        for catalog, entry in (("URI", f"urn:uuid:{row.id}"), ("md5", row.md5))
    )
    labels = "".join(f"<keyword>{_text(label, odd)}</keyword>" for label in row.labels)
    return (
        f"<general>{ids}<title>{_text(row.title, odd)}</title><language>zh-CN</language>"
        f"<description>{_text(row.summary, odd)}</description>{labels}</general>"
    )


def _life(row: Resource, odd: bool) -> str:
    made = _contribute(row, "publisher", "出版者", f"ORG:{row.provider};资源部", odd)
    wrote = _contribute(row, "author", "作者", f"N:{row.contributor};;;;\r\nFN:{row.contributor}", odd)
    tag = "lifecycle" if odd else "lifeCycle"
    return f"<{tag}>{made}{wrote}</{tag}>"


def _contribute(row: Resource, role: str, celts_role: str, who: str, odd: bool) -> str:
    card = (
        f"BEGIN:VCARD\r\nVERSION:3.0\r\n{who}\r\nTEL;TYPE=CELL:0000-{row.index:07d}\r\n"
        f"EMAIL:u{row.index}@example.invalid\r\nADR:;;样例路1号;;;;\r\nEND:VCARD"
    )
    entity = f"<centity><vcard>{card}</vcard></centity>" if odd else f"<entity>{card}</entity>"
    tag = "datetime" if odd else "dateTime"
    date = f"<date><{tag}>{row.published_on}</{tag}></date>"
    return f"<contribute><role>{_word(celts_role if odd else role, odd)}</role>{entity}{date}</contribute>"


def _technical(row: Resource, odd: bool) -> str:
    return (
        f"<technical><format>{MIME[row.format]}</format><size>{row.size}</size>"
        f"<location>{escape(landing(row))}</location></technical>"
    )


def _educational(row: Resource, odd: bool) -> str:
    kind = "learningresourcetype" if odd else "learningResourceType"
    context = CONTEXTS[row.stage] if odd else "school"
    return (
        f"<educational><{kind}>{_word(row.type_name, odd)}</{kind}>"
        f"<context>{_word(context, odd)}</context></educational>"
    )


def _classifications(row: Resource, odd: bool) -> str:
    unit, lesson = row.chapter_path.split("/")
    points = [("", point) for point in row.knowledge_points]
    level = [("", STAGES[row.stage])]
    paths = [
        ("educational level", "学段", [] if odd else level),
        ("educational level", "年级", [(row.grade_code, row.grade_name)] if row.grade_code else []),
        ("discipline", "学科", [(row.subject_code, row.subject_name)]),
        ("discipline", "教材版本", [("", row.version_name)]),
        ("discipline", "册次", [("", row.volume)]),
        ("idea", "知识点", points),
        ("discipline", "教材章节",
         [(row.textbook_id, row.textbook_title), (unit, ""), (lesson, row.chapter_title)]),
    ]  # fmt: skip
    return "".join(_classification(*path, odd) for path in paths if path[2])


def _classification(purpose: str, source: str, taxons: list[tuple[str, str]], odd: bool) -> str:
    tag = "taxonpath" if odd else "taxonPath"
    path = _nested(taxons, odd) if odd else "".join(_taxon(key, name, "", odd) for key, name in taxons)
    return (
        f"<classification><purpose>{_word(purpose, odd)}</purpose>"
        f"<{tag}><source>{_text(source, odd)}</source>{path}</{tag}></classification>"
    )


def _nested(taxons: list[tuple[str, str]], odd: bool) -> str:
    """The older binding puts each taxon inside the one before it."""
    made = ""
    for key, name in reversed(taxons):
        made = _taxon(key, name, made, odd)
    return made


def _taxon(key: str, name: str, inside: str, odd: bool) -> str:
    entry = f"<entry>{_text(name, odd)}</entry>" if name else ""
    return f"<taxon>{f'<id>{key}</id>' if key else ''}{entry}{inside}</taxon>"
