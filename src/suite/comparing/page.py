"""One page of HTML that needs nothing else: no server, no other file, no request to anywhere.

What runs say of themselves may be anyone's. All of it is escaped; and by the page's own policy no script runs but the
one that is known by its hash, and nothing is fetched.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from suite.comparing import curves, figures
from suite.comparing.pictures import Inputs, Made, Shot, Way, shot
from suite.comparing.runs import Arm, differing
from suite.run.console import capital, counted
from suite.run.loggers import read_metrics

_HERE = Path(__file__).parent
_COLOURS = 8  # that page.css has
_SMALL = 192  # pixels; what is narrower is shown larger than it is, with its pixels to be seen
_MANY = 40  # settings, as between two papers, which are folded away
_OPEN = ("Validation", "Losses")  # curves that are not folded away


def page(arms: Sequence[Arm], made: Mapping[Path, Made], inputs: Inputs | None) -> str:
    """The whole page. made: by folder of each run. inputs: None where nothing was translated.

    Raises UserError where the metrics of a run are damaged.
    """
    runs = [run for arm in arms for run in arm.runs]
    rows = {run.folder: read_metrics(run.last) for run in runs}
    sections = {
        "Runs": _runs(arms, made),
        "Pictures": "" if inputs is None else _pictures(arms, made, inputs),
        "Figures": _figures(arms, rows),
        "What differs": _differences(arms),
        "Curves": _curves(arms, rows),
    }
    there = {title: content for title, content in sections.items() if content}
    style, script = (_HERE.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return Template(_HERE.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(_title(arms)),
        lead=_lead(arms, len(runs)),
        nav="".join(f'<a href="#{_anchor(title)}">{title}</a>' for title in there),
        sections="\n".join(
            f'<section id="{_anchor(title)}"><h2>{title}</h2>{content}</section>' for title, content in there.items()
        ),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
    )


def _title(arms: Sequence[Arm]) -> str:
    titles = [arm.title for arm in arms]
    return " · ".join(titles[:4]) + (f" and {len(titles) - 4} more" if len(titles) > 4 else "")


def _lead(arms: Sequence[Arm], count: int) -> str:
    if count == 1:
        return "One run."
    differ = "in the seed alone" if len(arms) == 1 else f"in {counted(len(arms), 'arm')}"
    return f"{count} runs, {'which differ ' if len(arms) == 1 else ''}{differ}."


def _hash(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


# Runs and their settings ----------------------------------------------------------------------------------------------


def _runs(arms: Sequence[Arm], made: Mapping[Path, Made]) -> str:
    rows = []
    for number, arm in enumerate(arms):
        for run in arm.runs:
            of_run = made.get(run.folder, Made())
            steps = "" if of_run.steps is None else f"{of_run.steps:,}"
            notes = "; ".join(escape(note) for note in of_run.notes)
            stage = f" ({escape(run.last.name)})" if run.last != run.folder else ""
            rows.append(
                [f"{_badge(number, arm)} {escape(arm.title)}", escape(run.name) + stage, escape(run.seed), steps, notes]
            )
    columns = 5 if any(row[-1] for row in rows) else 4
    head = ["arm", "run", "seed", "steps", "to be known"][:columns]
    return _table(head, [row[:columns] for row in rows], numbers=(3,))


def _differences(arms: Sequence[Arm]) -> str:
    if len(arms) < 2:
        return ""
    rows = [
        [escape(key), *('<span class="n">–</span>' if value is None else escape(value) for value in values)]
        for key, values in differing(arms).items()
    ]
    folded = "" if len(rows) > _MANY else " open"
    told = f"{counted(len(rows), 'setting')} that {'is' if len(rows) == 1 else 'are'} not the same in all arms"
    return f"<details{folded}><summary>{told}</summary>{_table(['key', *_badges(arms)], rows)}</details>"


def _badges(arms: Sequence[Arm]) -> list[str]:
    return [f"{_badge(number, arm)} {escape(arm.title)}" for number, arm in enumerate(arms)]


def _badge(number: int, arm: Arm) -> str:
    return f'<span class="arm c{number % _COLOURS}">{arm.letter}</span>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        of = [' class="number"' if place in numbers else "" for place in range(len(row))]
        return "".join(f"<{tag}{kind}>{cell}</{tag}>" for cell, kind in zip(row, of, strict=True))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells(head, "th")}</tr></thead><tbody>{body}</tbody></table></div>'


# Pictures -------------------------------------------------------------------------------------------------------------


def _pictures(arms: Sequence[Arm], made: Mapping[Path, Made], inputs: Inputs) -> str:
    ways = dict.fromkeys(way for of_run in made.values() for way in of_run.shots)
    if not ways:
        return f"<p>No run makes anything of pictures {escape(inputs.whose)}: see the table above.</p>"
    several = any(len(arm.runs) > 1 for arm in arms)
    parts = [f"<p>{escape(capital(inputs.whose))}. A click shows one at full size; arrow keys go on to the next.</p>"]
    for way in ways:
        parts.append(f"<h3>{escape(_way_title(way))}</h3>")
        given, truths = inputs.of(way), inputs.truths(way)
        for place, name in enumerate(inputs.named(way)):
            row = [_figure(shot(f"{name}: input", given[place]), f"input, {escape(name)}")]
            for number, arm in enumerate(arms):
                for run in arm.runs:
                    if found := made[run.folder].shots.get(way):
                        title = arm.title + (f", seed {run.seed}" if several else "")
                        caption = f"{_badge(number, arm)} {escape(title)}"
                        row.append(_figure(shot(f"{name}: {arm.letter} {title}", found[place]), caption))
            if truths:
                row.append(_figure(shot(f"{name}: truth", truths[place]), "truth"))
            parts.append(f'<div class="shots">{"".join(row)}</div>')
        parts += [_lacking(way, number, arm, made) for number, arm in enumerate(arms)]
    return "".join(parts)


def _figure(of: Shot, caption: str) -> str:
    small = ' class="small"' if of.width < _SMALL else ""
    return (
        f'<figure><button type="button"><img{small} src="{of.uri}" alt="{escape(of.title)}" '
        f'width="{of.width}" height="{of.height}"></button>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _lacking(way: Way, number: int, arm: Arm, made: Mapping[Path, Made]) -> str:
    """A line on those runs of an arm that have no part in a way; empty where all have."""
    without = [run for run in arm.runs if way not in made[run.folder].shots]
    if not without:
        return ""
    others = dict.fromkeys(map(_way_title, (way for run in without for way in made[run.folder].shots)))
    why = f"it makes {', '.join(others)}" if others else "see the table of runs"
    some = "" if len(without) == len(arm.runs) else f" with seed {', '.join(run.seed for run in without)}"
    return f'<p class="faint">Not {_badge(number, arm)} {escape(f"{arm.title}{some}: {why}")}.</p>'


def _way_title(way: Way) -> str:
    source, target = way
    return f"{source} → {target}" if source else target.replace("_", " ")


# Figures and curves ---------------------------------------------------------------------------------------------------


def _figures(arms: Sequence[Arm], metrics: Mapping[Path, curves.Rows]) -> str:
    several = any(len(arm.runs) > 1 for arm in arms)
    parts = []
    for entry, table in figures.tables(arms, metrics).items():
        split, slash, how = entry.partition("/")
        title = f"{split}, {how.replace('/', ', ')} checkpoint" if slash else entry
        rows = [[_named(name), *(_cell(cell, several) for cell in cells)] for name, cells in table.items()]
        numbers = range(1, len(arms) + 1)
        parts.append(f"<h3>{escape(capital(title))}</h3>" + _table(["figure", *_badges(arms)], rows, numbers))
    if not parts:
        return ""
    how = "The mean of an arm's runs ± their standard deviation; n is how many runs. " if several else ""
    return f"<p>{how}↑ and ↓ say where better is.</p>" + "".join(parts)


def _named(name: str) -> str:
    return f"{escape(name)} {figures.better(name)}"


def _cell(cell: figures.Cell | None, several: bool) -> str:
    if cell is None:
        return '<span class="n">not measured</span>'
    runs = f"n {len(cell.values)}" if several else ""
    of = f"{cell.pictures} pictures" if cell.pictures else ""
    return f'{cell}<br><span class="n">{escape(", ".join(filter(None, (runs, of))))}</span>'


def _curves(arms: Sequence[Arm], metrics: Mapping[Path, curves.Rows]) -> str:
    rows = [(number % _COLOURS, metrics[run.folder]) for number, arm in enumerate(arms) for run in arm.runs]
    parts = []
    for title, columns in curves.by_group([of_run for _, of_run in rows]).items():
        charts = [
            curves.chart(column, [(number, curves.points(of_run, column)) for number, of_run in rows])
            for column in columns
        ]
        folded = " open" if title in _OPEN else ""
        parts.append(
            f'<details{folded}><summary>{title}</summary><div class="charts">{"".join(charts)}</div></details>'
        )
    legend = "".join(f"{badge}&ensp; " for badge in _badges(arms))
    return f"<p>{legend}</p>{''.join(parts)}" if parts else ""
