"""Words for resources: what is taught with, from a national textbook to a school's own worksheet."""

from __future__ import annotations

from typing import Annotated

from schema.model.codes import LEVELS, Level, Stage
from schema.model.privacy import PrivacyClass
from schema.model.words import Date, DateTime, Kind, Link, Word, said

N, P, M, C, S = Level
PUBLIC, INTERNAL, PERSONAL, SENSITIVE = PrivacyClass


class ResourceFile(Word, zh="资源文件", en="File of a resource", privacy=PUBLIC, authority=LEVELS):
    """One file; `url` stays null where the source keeps it behind a login: the hub never signs for it."""

    format: Annotated[str, said("格式", "Format")]
    role: Annotated[str, said("用途：source、preview、transcode …", "Role: source, preview, transcode …")]
    size: Annotated[int, said("大小（字节）", "Size in bytes")]
    md5: Annotated[str, said("MD5", "MD5")]
    url: Annotated[str, said("公开地址", "Open address")]
    needs_login: Annotated[bool, said("是否须登录", "Whether behind a login")]


class ResourceTag(Word, zh="资源标签", en="Tag of a resource", privacy=PUBLIC, authority=(N, M)):
    """A tag in one dimension; `path` tells apart equal ids in different branches."""

    dimension: Annotated[str, said("维度", "Dimension")]
    tag_id: Annotated[str, said("标签标识", "Id of the tag")]
    name: Annotated[str, said("名称", "Name")]
    path: Annotated[str, said("完整路径", "Full path in the tree")]


class Resource(Word, kind=Kind.RESOURCE, zh="资源", en="Resource", privacy=PUBLIC, authority=LEVELS):
    """A digital learning resource of any level."""

    title: Annotated[str, said("标题", "Title")]
    summary: Annotated[str, said("简介", "Summary")]
    type_code: Annotated[str, said("类型", "Type, as its source names it")]
    format: Annotated[str, said("格式", "Format")]
    level: Annotated[Level, said("提供级别", "Level that provides it")]
    stage: Annotated[Stage, said("学段", "Stage")]
    subject_code: Annotated[str, said("学科", "Subject")]
    grade_code: Annotated[str, said("年级", "Grade")]
    version_name: Annotated[str, said("教材版本", "Textbook version")]
    volume: Annotated[str, said("册次", "Volume")]
    textbook_key: Annotated[str, said("教材键", "Key of the textbook", hidden=True)]
    chapter_keys: Annotated[list[str], said("章节键", "Keys of the chapters", hidden=True)]
    knowledge_points: Annotated[list[str], said("知识点", "Knowledge points by name", authority=(M,))]
    tags: Annotated[list[ResourceTag], said("标签", "Tags")]
    providers: Annotated[list[str], said("提供单位", "Providers")]
    contributor_name: Annotated[str, said("贡献者", "Contributor", INTERNAL)]
    published_on: Annotated[Date, said("发布日期", "Published on")]
    created_at: Annotated[DateTime, said("创建时间", "Created at")]
    updated_at: Annotated[DateTime, said("更新时间", "Updated at")]
    online: Annotated[bool, said("是否在线", "Whether online")]
    files: Annotated[list[ResourceFile], said("文件", "Files")]
    cover_url: Annotated[str, said("封面", "Cover")]
    landing_url: Annotated[str, said("访问页面", "Page to open it at its source")]
    page_count: Annotated[int, said("页数", "Pages")]
    rating: Annotated[float, said("评分（0–5）", "Rating, 0 to 5")]
    downloads: Annotated[int, said("下载次数", "Downloads")]
    licence: Annotated[str, said("许可", "Licence")]
    school_code: Annotated[str, said("所属学校", "School that made it")]
    region_code: Annotated[str, said("所属区划", "Region that made it")]
    parent_key: Annotated[str, said("所属专题", "Key of the resource it is part of", hidden=True)]
    content_hash: Annotated[str, said("内容指纹", "MD5 of its main file, to find the same work", hidden=True)]
    textbook: Annotated[Link, said("教材", "Its textbook")]
    chapters: Annotated[Link, said("章节", "Its chapters")]
    same_as: Annotated[Link, said("同一作品在别处", "The same work elsewhere")]
    school: Annotated[Link, said("制作学校", "The school that made it")]


class Textbook(
    Word, kind=Kind.TEXTBOOK, shared=True, zh="教材", en="Textbook", privacy=PUBLIC, authority=(N,)
):
    """A textbook. Key: its id at the national platform."""

    title: Annotated[str, said("书名", "Title")]
    stage: Annotated[Stage, said("学段", "Stage")]
    schooling_system: Annotated[str, said("学制", "Schooling system it is made for")]
    subject_code: Annotated[str, said("学科", "Subject")]
    grade_code: Annotated[str, said("年级", "Grade")]
    version_name: Annotated[str, said("版本", "Version, e.g. 统编版")]
    volume: Annotated[str, said("册次", "Volume")]
    edition_age: Annotated[str, said("新旧教材", "New or old edition")]
    providers: Annotated[list[str], said("出版单位", "Publishers")]
    has_pdf: Annotated[bool, said("是否有电子版", "Whether an electronic edition exists")]
    cover_url: Annotated[str, said("封面", "Cover")]
    landing_url: Annotated[str, said("访问页面", "Page to open it at its source")]
    chapters: Annotated[Link, said("目录", "Table of contents, top chapters")]


class Chapter(Word, kind=Kind.CHAPTER, shared=True, zh="章节", en="Chapter", privacy=PUBLIC, authority=(N,)):
    """A chapter of a textbook. Key: its node id in the national tree."""

    title: Annotated[str, said("标题", "Title")]
    order: Annotated[int, said("次序", "Order among its siblings, from 1")]
    page: Annotated[int, said("印刷页码", "Printed page")]
    path: Annotated[str, said("路径", "Path of node ids")]
    textbook_key: Annotated[str, said("教材键", "Key of the textbook", hidden=True)]
    parent_key: Annotated[str, said("上级章节键", "Key of the chapter above", hidden=True)]
    depth: Annotated[int, said("层次，从 0 起", "Depth, from 0")]
    textbook: Annotated[Link, said("教材", "Its textbook")]
    parent: Annotated[Link, said("上级章节", "The chapter above")]
    children: Annotated[Link, said("下级章节", "The chapters below")]
    resources: Annotated[Link, said("配套资源", "Resources for it, from all levels", authority=LEVELS)]


class KnowledgePoint(
    Word, kind=Kind.KNOWLEDGE_POINT, zh="知识点", en="Knowledge point", privacy=PUBLIC, authority=(M,)
):
    """A node of the city's knowledge graph."""

    name: Annotated[str, said("名称", "Name")]
    subject_code: Annotated[str, said("学科", "Subject")]
    stage: Annotated[Stage, said("学段", "Stage")]
    parent_key: Annotated[str, said("上级", "Key of the point above", hidden=True)]
    prerequisite_keys: Annotated[list[str], said("前置", "Keys of what comes before", hidden=True)]
    parent: Annotated[Link, said("上级", "The point above")]
    prerequisites: Annotated[Link, said("前置知识点", "What should be known before")]


class ResourceCollection(
    Word, kind=Kind.RESOURCE_COLLECTION, zh="资源专栏", en="Collection", privacy=PUBLIC, authority=LEVELS
):
    """A column or library of resources."""

    name: Annotated[str, said("名称", "Name")]
    level: Annotated[Level, said("级别", "Level")]
    audience: Annotated[str, said("面向", "For whom")]
    resource_count: Annotated[int, said("资源数", "Resources in it")]
    landing_url: Annotated[str, said("访问页面", "Page")]


class Application(Word, kind=Kind.APPLICATION, zh="应用", en="Application", privacy=PUBLIC, authority=(P, N)):
    """An entry of an application centre."""

    name: Annotated[str, said("名称", "Name")]
    category: Annotated[str, said("类别", "Category")]
    origin: Annotated[str, said("来源：国家核心、上级通用、本级特色", "Origin")]
    access_level: Annotated[Level, said("接入级别", "Level it is admitted at")]
    url: Annotated[str, said("地址", "Address")]
    supplier: Annotated[str, said("提供方", "Supplier")]


class DatasetColumn(Word, zh="数据项", en="Column of a dataset", privacy=INTERNAL, authority=(P,)):
    """A column as the data centre's catalogue describes it; no data."""

    name: Annotated[str, said("列名", "Column")]
    label: Annotated[str, said("中文名", "Label")]
    data_type: Annotated[str, said("类型", "Type")]
    primary_key: Annotated[bool, said("是否主键", "Whether part of the primary key")]
    privacy_class: Annotated[PrivacyClass, said("隐私级别", "Privacy class")]


class Dataset(Word, kind=Kind.DATASET, zh="数据集", en="Dataset", privacy=INTERNAL, authority=(P,)):
    """A table of the provincial data centre, described (数据目录); never its rows."""

    name: Annotated[str, said("表名", "Table")]
    description: Annotated[str, said("说明", "Description")]
    themes: Annotated[list[str], said("主题", "Themes")]
    row_count: Annotated[int, said("行数", "Rows")]
    modified_at: Annotated[DateTime, said("更新时间", "Modified at")]
    region_code: Annotated[str, said("区划代码", "Region code")]
    columns: Annotated[list[DatasetColumn], said("数据项", "Columns")]
