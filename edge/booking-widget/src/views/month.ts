/** The month: which days have something free, and from what price. */
import { addMonths, moveByKey, weeks } from "../dates.ts";
import { h, type VNode } from "../dom.ts";
import { button, icon, type View } from "./parts.ts";

/** A day with so few times left (or fewer) is shown as almost full. */
const FEW = 2;

export function monthPanel(view: View): VNode {
  const { state, strings, format, flow } = view;
  if (state.unreachable) return unreachable(view);
  const turn = (by: number, label: string, name: "left" | "right") => {
    const month = addMonths(state.month, by);
    return h(
      "button",
      {
        type: "button",
        class: "round",
        key: name,
        "aria-label": label,
        "aria-disabled": flow.choosing.canShow(month) ? undefined : "true",
        onclick: () => void flow.choosing.showMonth(month),
      },
      icon(name),
    );
  };
  const names = format.weekdays();
  const open = state.days?.filter((day) => day.free > 0);
  const empty = open?.length === 0 && !state.busy;
  // A price under each day tells something only where the days differ.
  const prices = new Set(open?.flatMap((day) => [day.price_cents, day.highest_price_cents]));
  return h(
    "section",
    { class: "month", "aria-label": strings.chooseDay },
    h(
      "div",
      { class: "month-head" },
      h("h3", { class: "month-name", id: "month" }, format.month(state.month)),
      h(
        "div",
        { class: "month-turn" },
        turn(-1, strings.previousMonth, "left"),
        turn(1, strings.nextMonth, "right"),
      ),
    ),
    h(
      "table",
      {
        class: "grid",
        role: "grid",
        "aria-labelledby": "month",
        "aria-busy": state.days === null ? "true" : "false",
        onkeydown: (event: KeyboardEvent) => onGridKey(event, view),
      },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          names.map((name) =>
            h(
              "th",
              { scope: "col", key: name.long },
              h("span", { "aria-hidden": "true" }, name.short),
              h("span", { class: "sr" }, name.long),
            )
          ),
        ),
      ),
      h(
        "tbody",
        {},
        weeksToCome(view).map((week, row) =>
          h(
            "tr",
            { key: `week-${row}` },
            week.map((day, column) => dayCell(view, day, column, prices.size > 1)),
          )
        ),
      ),
    ),
    empty
      ? h(
        "div",
        { class: "month-empty" },
        h("p", {}, strings.monthFull(format.month(state.month))),
        h(
          "div",
          { class: "actions" },
          button({
            kind: "plain",
            label: strings.searchNext,
            press: () => void flow.choosing.findNextFree(),
          }),
        ),
      )
      : h(
        "ul",
        { class: "legend", "aria-hidden": "true" },
        h("li", { "data-kind": "free" }, strings.legendFree),
        h("li", { "data-kind": "few" }, strings.legendFew),
        h("li", { "data-kind": "none" }, strings.legendFull),
      ),
  );
}

/** The weeks of the month; those that are over are left out, so that a phone shows what is left. */
function weeksToCome({ state, format, flow }: View): (string | null)[][] {
  const all = weeks(state.month, format.weekStart);
  const { first } = flow.range;
  return all.filter((week) => week.some((day) => day !== null && day >= first));
}

/** Arrow keys and their kin move; nothing else is taken from the browser. */
function onGridKey(event: KeyboardEvent, view: View): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const to = moveByKey(view.state.focusDay, event.key, view.format.weekStart);
  if (to === null) return;
  event.preventDefault();
  void view.flow.choosing.moveFocus(to);
}

function dayCell(view: View, day: string | null, column: number, priced: boolean): VNode {
  const { state, strings, format, flow } = view;
  if (day === null) return h("td", { key: `blank-${column}`, class: "blank" });
  const offered = flow.choosing.dayOf(day);
  const times = offered?.free ?? 0;
  const known = state.days !== null;
  const kind = times === 0 ? "none" : times <= FEW ? "few" : "free";
  const today = day === flow.range.first;
  const cents = offered?.price_cents ?? null;
  const price = cents !== null && format.shortMoney(cents, state.calendar?.currency ?? "EUR");
  const several = cents !== offered?.highest_price_cents;
  const label = [
    format.day(day),
    today ? strings.dayToday : "",
    known ? times > 0 ? strings.dayFree(times) : strings.dayFull : "",
    price ? several ? strings.fromPrice(price) : price : "",
  ];
  return h(
    "td",
    {
      key: day,
      role: "gridcell",
      "aria-selected": day === state.day ? "true" : "false",
    },
    h(
      "button",
      {
        type: "button",
        class: "day",
        "data-kind": known ? kind : "wait",
        // Written by the style sheet; the label says it to those who hear it.
        "data-price": priced && price,
        "data-focus": `day-${day}`,
        "aria-label": label.filter(Boolean).join(", "),
        "aria-current": today && "date",
        "aria-pressed": day === state.day ? "true" : "false",
        "aria-disabled": flow.choosing.canSelect(day) ? undefined : "true",
        tabindex: day === state.focusDay ? 0 : -1,
        onclick: () => {
          void flow.choosing.selectDay(day);
          view.reveal(".times");
        },
      },
      h("span", { class: "day-number" }, Number(day.slice(8))),
    ),
  );
}

/** Nobody knows what is free: that is not the same as nothing. */
function unreachable({ strings, flow }: View): VNode {
  return h(
    "section",
    { class: "month", "aria-label": strings.chooseDay },
    h(
      "div",
      { class: "month-empty", key: "unreachable" },
      h("p", {}, strings.unreachable),
      h(
        "div",
        { class: "actions" },
        button({
          kind: "plain",
          label: strings.retry,
          press: () => void flow.choosing.loadMonth(),
        }),
      ),
    ),
  );
}
