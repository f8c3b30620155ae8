"""A published table beside what is counted here, in markdown."""

from __future__ import annotations

from statistics import mean

from nonlocal_zoo.tables import to_markdown

from .base import Added, PaperTable

GIGA, MEGA = ("G", 1e9), ("M", 1e6)


def measure(table: PaperTable) -> dict[str, dict[str, Added]]:
    """{setting: {label: what is added}} of the rows with a block."""
    rows = {row.label: row for row in table.rows if row.added}  # networks of other depths: the same
    return {
        setting.name: {label: setting.cost(**row.block) for label, row in rows.items()}
        for setting in table.settings
    }


def deviations(table: PaperTable, counted: dict[str, dict[str, Added]], column: str) -> dict:
    """{setting: {label: counted / published - 1}}."""
    published = {row.label: getattr(row.added, column) for row in table.rows if row.added}
    return {
        setting: {
            label: getattr(added, column) / published[label] - 1 for label, added in rows.items()
        }
        for setting, rows in counted.items()
    }


def nearest(table: PaperTable, counted: dict[str, dict[str, Added]], column: str) -> str:
    """The setting with the smallest mean deviation, up or down."""
    off = deviations(table, counted, column)
    return min(off, key=lambda setting: mean(map(abs, off[setting].values())))


def cost_table(table: PaperTable, counted: dict[str, dict[str, Added]], column: str) -> str:
    """A row for each published row, a column for each setting, the mean deviation below."""
    off = deviations(table, counted, column)
    published = {row.label: getattr(row.added, column) for row in table.rows if row.added}
    unit, size = GIGA if max(published.values()) >= GIGA[1] else MEGA
    rows = [
        [label, f"{number / size:.2f} {unit}"]
        + [
            f"{getattr(counted[name][label], column) / size:.3f} {unit} ({off[name][label]:+.1%})"
            for name in counted
        ]
        for label, number in published.items()
    ]
    sums = [f"{mean(map(abs, off[name].values())):.1%}" for name in counted]
    return to_markdown(
        ["row", "published", *counted], [*rows, ["mean deviation, up or down", "", *sums]]
    )


def quoted_table(table: PaperTable) -> str:
    """The other columns, as they were printed."""
    names = list(table.rows[0].scores)
    rows = [[row.label, *(row.scores[name] for name in names)] for row in table.rows]
    return to_markdown(["row", *names], rows)


def to_report(table: PaperTable) -> str:
    """All of it, as a page."""
    counted = measure(table)
    parts = [f"# {table.title}", table.source]
    parts.append("\n".join(f"- **{setting.name}**: {setting.what}" for setting in table.settings))
    for column, title in (
        ("parameters", "Added parameters"),
        ("multiply_adds", f"Added multiply-adds at {table.size}"),
    ):
        parts += [f"## {title}", cost_table(table, counted, column)]
        parts.append(f"Nearest: {nearest(table, counted, column)}.")
    parts += ["## What this says", table.remarks, "## As printed", quoted_table(table)]
    return "\n\n".join(parts) + "\n"
