/**
 * What comes after the details, and what only some visitors need, as a script of its own: paying,
 * managing and moving a booking, asking for its link again, the waitlist, waivers, gift vouchers, shares of others. It shares no object
 * with the first script but the {@link Flow} that it is given.
 */
import { restOfApi } from "./api.ts";
import type { Child } from "./dom.ts";
import type { Flow } from "./flow.ts";
import type { Language } from "./language.ts";
import { Managing } from "./managing.ts";
import { Moving } from "./moving.ts";
import { Resending } from "./resending.ts";
import { Vouchers } from "./buying.ts";
import { Shares } from "./sharing.ts";
import { Waivers } from "./signing.ts";
import type { Step } from "./state.ts";
import type { Strings } from "./strings.ts";
import { type MoreStrings, withMoreStrings } from "./strings_more.ts";
import { moreStyles } from "./styles_more.ts";
import { confirming, elsewhere, mailed } from "./views/confirm.ts";
import { lost, resent } from "./views/lost.ts";
import { booked } from "./views/manage.ts";
import { move, moveQuote } from "./views/move.ts";
import type { MoreView } from "./views/parts.ts";
import { pay } from "./views/pay.ts";
import { agreed } from "./views/terms.ts";
import { voucher, vouchers } from "./views/vouchers.ts";
import { leave, waiting, waitlist } from "./views/waitlist.ts";
import { share } from "./views/share.ts";
import { signed, waiver } from "./views/waiver.ts";
import { Waitlist } from "./waiting.ts";

export interface More {
  readonly managing: Managing;
  readonly moving: Moving;
  readonly resending: Resending;
  readonly waitlist: Waitlist;
  readonly waivers: Waivers;
  readonly vouchers: Vouchers;
  readonly shares: Shares;
  readonly views: Partial<Record<Step, (view: MoreView) => Child>>;
  /** What is agreed to, below what is to be booked. */
  readonly terms: typeof agreed;
  readonly styles: string;
  strings(strings: Strings, language: Language): MoreStrings;
}

export function createMore(flow: Flow): More {
  const { api } = flow.world;
  Object.assign(api, { ...restOfApi(api), ...api });
  const managing = new Managing(flow);
  return {
    managing,
    moving: new Moving(flow, managing),
    resending: new Resending(flow),
    waitlist: new Waitlist(flow),
    waivers: new Waivers(flow, managing),
    vouchers: new Vouchers(flow),
    shares: new Shares(flow),
    views: {
      pay,
      confirming,
      slow: confirming,
      mailed,
      elsewhere,
      lost,
      resent,
      booking: booked,
      move,
      moveQuote,
      waitlist,
      waiting,
      leave,
      left: leave,
      waiver,
      signed,
      vouchers,
      voucher,
      share,
    },
    terms: agreed,
    styles: moreStyles,
    strings: withMoreStrings,
  };
}
