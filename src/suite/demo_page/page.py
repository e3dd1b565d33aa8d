"""What is on the page: its title, a tab for each way through the models, and what the models are."""

from collections.abc import Sequence

import gradio as gr

from suite.demo_page.panel import Panel, Tries
from suite.demo_page.trained import Trained, Way, ways_of
from suite.run.console import capital

CSS = """
.gradio-container {max-width: 1100px !important; margin: auto !important}
.made img {width: 100% !important; height: 100% !important; object-fit: contain}
"""

# An empty pad of Gradio's waits for somebody to find its brush: here the brush is taken whenever one is shown.
JS = """
() => new MutationObserver(() => {
  for (const empty of document.querySelectorAll(".pad .empty")) {
    empty.closest(".pad").querySelector(".toolbar-wrap button")?.click();
  }
}).observe(document.body, {childList: true, subtree: true})
"""


def build(trained: Sequence[Trained], tries: Tries) -> gr.Blocks:
    """The page of some models, which all translate what is put there. Raises UserError where they read no one thing."""
    ways = ways_of(trained)
    with gr.Blocks(title=_title(ways), analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(f"# {_title(ways)}\n{_to_do(ways)}")
        if len(ways) == 1:
            Panel(ways[0], trained, tries)
        else:
            with gr.Tabs():
                for way in ways:
                    with gr.Tab(capital(way.title)):
                        Panel(way, trained, tries)
        if len(trained) == 1:
            gr.Markdown(trained[0].said())
    return page


def _title(ways: Sequence[Way]) -> str:
    directions = [direction for way in ways for direction in way.directions.values()]
    return capital(ways[0].title) + (", and back" if directions == ["a2b", "b2a"] else "")


def _to_do(ways: Sequence[Way]) -> str:
    begin = "Draw something, or upload a picture" if any(way.draws for way in ways) else "Upload a picture"
    return f"{begin}, and press Translate. Pictures stay on the machine that this page comes from."
