"""The Explore tab: step through the scales of a picture, look inside, and change one token or one scale."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import gradio as gr
from gradio.components import Component

from ..shared.events import AT_ONCE, Renewal, Trigger, Widgets, in_words, wire
from ..shared.handover import CreateHandover, EditHandover, ExploreHandover, Giving
from ..shared.html import READY
from ..shared.models import Models
from ..shared.on_model import wire_in_turns
from ..shared.served_files import fresh_folder
from ..shared.static import FOLDER
from ..shared.visit_pictures import VisitPicture
from ..shared.visitor_files import VisitorFiles
from ..shared.widgets import Knob
from . import messages, trace_files
from .giving import picture_of
from .layout import Export, Source, View, left_column
from .page_acts import PageActs
from .painter import Painter
from .session import ExploreSession
from .sources import Sources
from .visit_sources import VisitSources


def tab(
    models: Models, files: VisitorFiles, tabs: gr.Tabs, here: gr.Tab, create: CreateHandover, edit: EditHandover
) -> ExploreHandover:
    """Lay out the tab, which stands in `here`, and wire it."""
    with gr.Row(elem_id="explore", elem_classes="tab"):
        with gr.Column(scale=3, min_width=320, elem_classes="settings"):
            source, sampling, reset, export = left_column(models.pipe.spec, lambda: models.default_sampling)
        with gr.Column(scale=7, min_width=320, elem_classes="stage"):
            bar = gr.HTML(READY, elem_id="explore_bar")
            gr.HTML((FOLDER / "explorer.html").read_text(encoding="utf-8"), apply_default_css=False, elem_id="explorer")
    channel = gr.HTML(
        messages.hello_message(models.pipe),
        html_template="<i></i>",
        js_on_load="explorer.connect((wish) => trigger('act', wish), (wish) => trigger('hush', wish), watch, props);",
        visible="hidden",
    )
    # a value, not None: each visitor gets a copy with a stop flag of its own
    view = View(
        tabs,
        bar,
        channel,
        gr.State(ExploreSession()),
        source.run,
        source.stop,
        source.class_name,
        source.seed,
        sampling,
    )
    Path(source.shelf.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
    cache = source.shelf.GRADIO_CACHE
    sources, acts = VisitSources(models, cache, files), PageActs(models, cache, files)
    _wire_sources(sources, acts, view, source, here)
    _wire_acts(acts, view, reset, export)
    _wire_ways(sources, view, create, edit)
    ways = [partial(_wire_way, sources, view, act) for act in (sources.from_photo, sources.from_race)]

    def keep(session: ExploreSession) -> list[VisitPicture]:
        with in_words(), fresh_folder(cache) as folder:
            return [picture_of(models.pipe, session, folder)]

    def uses(trigger: Trigger, shown: gr.State) -> None:
        wire(trigger, sources.take, [shown], [tabs, source.class_name, source.seed, source.lock, sampling], AT_ONCE)

    return ExploreHandover(
        renewal=Renewal(sources.renew, [view.class_name, view.channel, sampling]),
        gives=Giving(export.keep.click, [view.session], keep),
        uses=uses,
        opens_picture=partial(_wire_way, sources, view, sources.from_visit),
        opens_photo=ways[0],
        opens_race=ways[1],
    )


def _wire_sources(sources: Sources, acts: PageActs, view: View, source: Source, here: gr.Tab) -> None:
    session = view.session
    _begin(sources, view, here.select, sources.enter, [session, source.class_name])
    asked: list[Widgets] = [session, source.class_name, source.seed, source.lock, view.sampling]
    _begin(sources, view, source.run.click, sources.draw, asked)
    _begin(sources, view, source.picture.upload, sources.picture, [session, source.picture, source.class_name])
    _begin(sources, view, source.file.upload, sources.file, [session, source.file])
    _begin(sources, view, source.shelf.select, sources.example, [session])
    source.stop.click(acts.stop, session, [view.bar, source.stop], **AT_ONCE)


def _wire_acts(acts: PageActs, view: View, reset: Trigger, export: Export) -> None:
    act = partial(view.channel.act, trigger_mode="multiple")  # else what is clicked while another act runs is lost
    _begin(acts, view, act, acts.act, [view.session])
    view.channel.hush(acts.hush, view.session, None, trigger_mode="multiple", **AT_ONCE)
    for trigger in [*(turn for knob in view.sampling.values() for turn in turns(knob)), reset]:
        _begin(acts, view, trigger, acts.turn, [view.session, view.sampling])
    asked = [view.session]
    for kind in trace_files.EXPORT_SUFFIXES:
        trigger = getattr(export, kind).click
        write, file = partial(acts.exported, kind), [export.file]
        saved = wire_in_turns(acts.models.desk, trigger, write, asked, file, view.bar, small=True)
        saved.success(None, None, None, js="() => document.querySelector('#explore_ready').click()")


def turns(knob: Knob) -> list[Trigger]:
    """Return the events of a setting's widget, of any kind, after which its value counts."""
    if isinstance(knob, gr.Number):  # a number that is being typed is none yet
        return [knob.submit, knob.blur]
    moves = [knob.input, knob.release] if isinstance(knob, gr.Slider) else [knob.input]
    return [partial(move, trigger_mode="always_last") for move in moves]  # of a knob being turned the last place counts


def _wire_ways(sources: Sources, view: View, create: CreateHandover, edit: EditHandover) -> None:
    """Wire the ways here from the tabs before this one."""
    way = partial(_wire_way, sources, view)
    way(sources.from_create, create.explore.click, [create.run, create.chosen])
    way(sources.from_edit, edit.explore.click, [edit.result, edit.chosen])


def _wire_way(
    sources: Sources, view: View, act: Callable[..., object], trigger: Trigger, inputs: Sequence[Component]
) -> None:
    """Wire a way here from another tab."""
    _begin(sources, view, trigger, act, [*inputs, view.session])


def _begin(
    painter: Painter, view: View, trigger: Trigger, act: Callable[..., object], inputs: Sequence[Widgets]
) -> None:
    """Wire something that changes the session: one after another, so that none is lost.

    After an error all is as it was.
    """
    begun = wire_in_turns(painter.models.desk, trigger, act, inputs, view, view.bar, small=True)
    wire(begun.failure, painter.failed, [], view, AT_ONCE)
