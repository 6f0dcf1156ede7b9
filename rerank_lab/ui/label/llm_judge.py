"""The LLM judge on the Label page: cost, judging, the comparison with people, letting it count."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.table import JobState
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.judging.llm_judge.prompts import judge_prompt_names, judge_prompt_text
from rerank_lab.judging.llm_judge.trust import JudgeTrust
from rerank_lab.judging.scales import SCALES
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.pipeline import pipelines as parsed_pipelines
from rerank_lab.services import llm_judging, llm_trust, prompts
from rerank_lab.services.access import Action
from rerank_lab.services.llm_judging import LLMJudgingRequest
from rerank_lab.services.llm_trust import TrustRequest
from rerank_lab.ui.compare.cards import escape
from rerank_lab.ui.label.asked_model import model_boxes
from rerank_lab.ui.shared import parts, resources, visitor
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import come_back, running, short_key, watch
from rerank_lab.views import llm_judge as views

_PLAN = "llm_judge_plan"
_DEPTHS = (1, 3, 5, 10, 20, 50)


def draw(screen: Screen, corpus: Corpus) -> None:
    """The judges that there are, then the three steps of one."""
    st.caption(
        "A language model grades documents faster than people do, and is wrong in its own ways. "
        "Its labels stand under its own name, and count only after it was compared with people. "
        "Where a person graded a document, the person's grade counts."
    )
    store = JudgmentStore.open(resources.engine().home)
    _judges(corpus, store)
    if not visitor.welcome_to(Action.EDIT):
        return
    if not corpus.queries:
        st.info("This corpus has no queries. Add some under Query sets.", icon=":material/info:")
        return
    st.markdown("**Set up a judge**")
    model = model_boxes("llm_judge")
    try:
        chosen = _how(screen, corpus, model)
        if chosen is not None:
            _judging(chosen, corpus, store)
            _comparing(chosen, corpus, store)
    except LabError as error:
        parts.error_card(error, key="llm_judge")


def _judges(corpus: Corpus, store: JudgmentStore) -> None:
    """Each judge with what it did, how it compares, and the button that lets it count."""
    lines = views.judge_lines(resources.labels(corpus.name), store.comparisons(corpus.name))
    counting = st.session_state.get("llm") or ()
    for line in lines:
        with st.container(border=True, key=f"llm_judge_{short_key(line.judge)}", gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{parts.literal(line.judge)}**", width="stretch")
                _count_button(line, counts=line.judge in counting)
            st.markdown(parts.literal(line.words))
            if line.trust is not None:
                with st.expander("Compared with people", key=f"trust_{short_key(line.judge)}"):
                    _trust(line.trust)


def _count_button(line: views.LLMJudgeLine, *, counts: bool) -> None:
    if not line.may_count:
        st.badge("Does not count", color="gray")
        return
    st.button(
        "Let it count no more" if counts else "Let it count",
        key=f"llm_counts_{short_key(line.judge)}",
        icon=":material/done_all:" if counts else ":material/add_task:",
        on_click=_count,
        args=(line.judge, not counts),
        help="Its grades stand in where no person gave one, on all pages. The choice is also at "
        "the side and in the link.",
    )


def _count(judge: str, counts: bool) -> None:
    others = [name for name in st.session_state.get("llm") or () if name != judge]
    st.session_state["llm"] = [*others, judge] if counts else others


def _how(screen: Screen, corpus: Corpus, model: JudgeModel | None) -> LLMJudgingRequest | None:
    """The prompt, the scale, and what is judged; None while no model is named."""
    on_screen = [str(spec) for spec in screen.pipelines]
    specs = st.multiselect(
        "Pipelines whose results are judged", on_screen, default=on_screen, wrap=True,
        key="llm_judge_pipelines", accept_new_options=True,
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        depth = st.selectbox("Documents of each", _DEPTHS, index=3, key="llm_judge_depth",
                             width=150)  # fmt: skip
        most = len(corpus.queries)
        limit = st.number_input("Queries at most", 1, most, most,
                                key=f"llm_judge_limit_{most}", width=150)  # fmt: skip
        prompt = st.selectbox(
            "Prompt", judge_prompt_names(), key="llm_judge_prompt", width=180,
            help="umbrela: intent, match, trust, then one grade from 0 to 3. direct: the scale "
            "and guidelines that people read.",
        )  # fmt: skip
        scales = ["umbrela"] if prompt == "umbrela" else list(SCALES)
        scale = st.selectbox(
            "Scale", scales, format_func=lambda one: SCALES[one].title,
            key=f"llm_judge_scale_{prompt}", width=300,
            index=0 if prompt == "umbrela" else scales.index("graded"),
        )  # fmt: skip
        _prompt_text(str(prompt))
    if model is None:
        return None
    return LLMJudgingRequest(
        replace(model, prompt=str(prompt)),
        tuple(pipeline.spec for pipeline in parsed_pipelines(specs)),
        int(depth or 10),
        SCALES[str(scale)],
        limit=int(limit),
    )


def _prompt_text(prompt: str) -> None:
    """The YAML of the prompt, to read, and to change under a name of one's own."""
    with st.popover("Prompt text", icon=":material/edit_note:", width="content"):
        st.text_area(
            "YAML",
            judge_prompt_text(prompt),
            height=380,
            width=640,
            key=f"llm_judge_text_{prompt}",
        )
        st.text_input(
            "Keep as",
            key="llm_judge_prompt_name",
            placeholder="my-judge",
            help="Small letters, digits and hyphens.",
        )
        st.button(
            "Keep this prompt", key="llm_judge_prompt_keep", on_click=_keep_prompt, args=(prompt,)
        )
        problem = st.session_state.pop("llm_judge_prompt_problem", None)
        if isinstance(problem, LabError):
            parts.error_card(problem, key="llm_judge_prompt")


def _keep_prompt(editing: str) -> None:
    name = str(st.session_state["llm_judge_prompt_name"]).strip()
    try:
        prompts.save(name, str(st.session_state[f"llm_judge_text_{editing}"]), editing)
    except LabError as error:
        st.session_state["llm_judge_prompt_problem"] = error
        return
    st.session_state["llm_judge_prompt"] = name


def _judging(request: LLMJudgingRequest, corpus: Corpus, store: JudgmentStore) -> None:
    """The first step: what judging costs, then the job, which goes on where it stopped."""
    with st.container(border=True, key="llm_judge_depth_step"):
        st.markdown("**Judge to a depth**")
        jobs = llm_judging.jobs_of(request, corpus, session())
        job = running(jobs)
        if job is not None:
            watch(job)
            st.caption("You may leave: this goes on without you, and each answer is kept at once.")
            return
        if jobs:
            last = jobs[-1]
            if last.state is JobState.DONE and last.result is not None:
                for line in views.judged_lines(last.result):
                    st.markdown(parts.literal(line))
            elif last.error is not None and last.state is JobState.FAILED:
                parts.error_card(last.error, key="llm_judge_job")
            else:
                st.markdown("It was cancelled. What was judged by then is kept.")
        _plan(request, corpus, store, again=bool(jobs))


def _plan(request: LLMJudgingRequest, corpus: Corpus, store: JudgmentStore, *, again: bool) -> None:
    key = st.session_state.get(_PLAN)
    job = resources.jobs().get(key) if key is not None and key.request == request else None
    if job is not None and not job.state.ended:
        watch(job)
        return
    planned = job.result if job is not None else None
    if job is not None and job.error is not None and job.state is JobState.FAILED:
        parts.error_card(job.error, key="llm_judge_plan")
    if planned is not None:
        st.markdown(f":material/cloud: {parts.literal(views.plan_words(planned))}")
    with st.container(horizontal=True):
        if planned is not None and planned.keys and st.button(
            "Go on judging" if again else "Start judging", type="primary",
            key="llm_judge_start", icon=":material/play_arrow:",
        ):  # fmt: skip
            started = llm_judging.start(request, corpus, session(), store)
            come_back(started.key)
            st.session_state.pop(_PLAN, None)
            st.rerun()
        if planned is None and st.button(
            "Estimate the cost", key="llm_judge_estimate", icon=":material/calculate:",
            help="Ranks the queries and counts what is left to judge. The judge is asked nothing.",
        ):  # fmt: skip
            st.session_state[_PLAN] = llm_judging.start_plan(request, corpus, session(), store).key
            st.rerun()


def _comparing(judging: LLMJudgingRequest, corpus: Corpus, store: JudgmentStore) -> None:
    """The second step: the same documents as people, with what it would cost."""
    with st.container(border=True, key="llm_judge_trust_step"):
        st.markdown("**Compare it with people**")
        sample = st.select_slider("Documents to compare on", [30, 50, 100, 200, 500, 1000], 200,
                                  key="llm_judge_sample", width=300)  # fmt: skip
        request = TrustRequest(
            judging.judge, judging.pipelines, judging.scale, judging.guidelines,
            sample=int(sample or 200),
        )  # fmt: skip
        jobs = llm_trust.jobs_of(request, corpus, session())
        job = running(jobs)
        if job is not None:
            watch(job)
            return
        if jobs and jobs[-1].state is JobState.FAILED and jobs[-1].error is not None:
            parts.error_card(jobs[-1].error, key="llm_trust_job")
        try:
            planned = llm_trust.plan(request, corpus, resources.engine(), store)
        except LabError as error:
            st.caption(f"{parts.literal(error.message)} {parts.literal(error.hint)}")
            return
        st.markdown(f":material/cloud: {parts.literal(views.comparison_words(planned))}")
        if st.button("Compare with people", key="llm_trust_start", icon=":material/balance:"):
            come_back(llm_trust.start(request, corpus, session(), store).key)
            st.rerun()


def _trust(trust: JudgeTrust) -> None:
    """The comparison: verdict, agreement, bias by grade, what was probed, warnings."""
    st.markdown(f"**{parts.literal(views.verdict(trust))}**")
    st.markdown(
        f"{parts.literal(views.kappa_words(trust))} {parts.literal(views.bias_words(trust))}"
    )
    for warning in trust.vendors:
        st.warning(parts.literal(warning), icon=":material/warning:")
    st.html(confusion_table(trust))
    for what, words in views.probe_words(trust):
        st.markdown(f"- {parts.literal(what)}: {parts.literal(words)}")
    st.caption(
        f"With {parts.literal(views.AGAINST[trust.against])}, {trust.pairs:,} documents of "
        f"{trust.queries:,} queries, {trust.abstained:,} without a grade; "
        f"{trust.compared_at:%Y-%m-%d %H:%M} UTC."
    )


def confusion_table(trust: JudgeTrust) -> str:
    """How often people gave a grade (row) and the judge another (column)."""
    heads, rows = views.confusion_cells(trust)
    head = "".join(f'<th scope="col" class="rl-n">{escape(one)}</th>' for one in heads)
    body = "".join(
        "<tr>" + "".join(f'<td class="rl-n">{escape(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    return (
        '<div class="rl-strip"><table class="rl-table"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
