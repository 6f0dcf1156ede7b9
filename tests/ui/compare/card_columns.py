"""The cards of a column where there is no browser, and what `cards.js` says of a press."""

from __future__ import annotations

import json
import re
from typing import Any

from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.testing.v1 import AppTest


def column(at: AppTest, slot: int) -> Any:
    """What the cards in this place were given; None when there are none."""
    element = _element(at, slot)
    return None if element is None else json.loads(element.proto.json)


def cards_html(at: AppTest, slot: int) -> str:
    """The HTML of the cards in this place; "" when there are none."""
    data = column(at, slot)
    return "" if data is None else str(data["html"])


def all_cards_html(at: AppTest) -> str:
    """The HTML of the cards of all columns."""
    elements = [e for e in at.get("bidi_component") if str(e.key).startswith("cards_")]
    return "\n".join(str(json.loads(element.proto.json)["html"]) for element in elements)


def menu_label(at: AppTest, slot: int, rank: int) -> str:
    """What stands on the menu of the document of that rank."""
    card = cards_html(at, slot).split(f'data-rank="{rank}"')[1]
    (label, *_) = re.findall(r'data-press="grade"[^>]*><span>([^<]*)</span>', card)
    return str(label)


def press(at: AppTest, slot: int, rank: int, event: str, /, **also: Any) -> AppTest:
    """Press the title ("open") or an option of the menu ("grade") of the document of that rank."""
    data, element = column(at, slot), _element(at, slot)
    (doc_id,) = re.findall(f'data-rank="{rank}" data-doc="([^"]*)"', data["html"])
    of = {"query": data["query"], "rank": rank, "doc": doc_id} | also
    states = at._tree.get_widget_states()
    pressed = states.widgets.add()
    pressed.id = _make_trigger_id(element.proto.id, "events")
    pressed.json_trigger_value = json.dumps([{"event": event, "value": of}])
    at._run(states)
    assert not at.exception, at.exception
    return at


def _element(at: AppTest, slot: int) -> Any:
    return next((e for e in at.get("bidi_component") if e.key == f"cards_{slot}"), None)
