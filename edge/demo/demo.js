// The demo page of the local stack: two venues, one widget each, three languages.
// Everything it knows of the stack is in config.json, which the stack writes.

import { invitation, takeInvitation } from "./invitation.js";

const texts = {
  en: {
    mailbox: "Mailbox",
    title: "Two venues, one booking widget",
    intro:
      "Everything here is real: the rooms, the prices and what is still free come from the database. Only the money is play money.",
    venues: "Venues",
    languages: "Language",
    tryTitle: "What to try",
    steps: [
      "Choose a time, add an extra and apply the code {coupon}.",
      "Pay on the sandbox's page. No card is needed.",
      "Find the confirmation in the {mailbox}. By its link you move the booking, pay what is still open, or cancel.",
      "{day} is full: join the waitlist for it, then {spare}. The offer comes to the {mailbox}.",
      "Book {room}: there everybody signs a waiver before they play.",
      "Buy a {vouchers}: it comes to the {mailbox} with its paper, and its code pays a booking.",
      "Open this page in two windows and take the same time in both.",
      "Look at the venue's {reports} as its owner: what was sold, when, and what was not.",
    ],
    vouchers: "gift voucher",
    reports: "reports",
    spare: "cancel the booking that is in the way",
    embedTitle: "On your own page",
    embedText:
      "One script, one element. It takes the font and the colour scheme of the page around it.",
    copy: "Copy",
    copied: "Copied",
    noConfig: "The stack has not written config.json: start it with make up.",
  },
  es: {
    mailbox: "Buzón",
    title: "Dos locales, un solo widget de reservas",
    intro:
      "Aquí todo es de verdad: las salas, los precios y lo que queda libre salen de la base de datos. Solo el dinero es de mentira.",
    venues: "Locales",
    languages: "Idioma",
    tryTitle: "Qué probar",
    steps: [
      "Elige una hora, añade un extra y aplica el código {coupon}.",
      "Paga en la página de pruebas. No hace falta tarjeta.",
      "Busca la confirmación en el {mailbox}. Con su enlace cambias la reserva, pagas lo que falte o la cancelas.",
      "{day} está completo: apúntate a su lista de espera y luego {spare}. La oferta llega al {mailbox}.",
      "Reserva {room}: allí todos firman una exención antes de jugar.",
      "Compra un {vouchers}: llega al {mailbox} con su hoja, y su código paga una reserva.",
      "Abre esta página en dos ventanas y elige la misma hora en las dos.",
      "Mira los {reports} del local como su propietario: qué se vendió, cuándo y qué no.",
    ],
    vouchers: "vale regalo",
    reports: "informes",
    spare: "cancela la reserva que estorba",
    embedTitle: "En tu propia página",
    embedText: "Un script y un elemento. Toma la letra y el tema de la página que lo rodea.",
    copy: "Copiar",
    copied: "Copiado",
    noConfig: "El entorno no ha escrito config.json: arráncalo con make up.",
  },
  ca: {
    mailbox: "Bústia",
    title: "Dos locals, un sol giny de reserves",
    intro:
      "Aquí tot és de veritat: les sales, els preus i el que queda lliure surten de la base de dades. Només els diners són de mentida.",
    venues: "Locals",
    languages: "Idioma",
    tryTitle: "Què pots provar",
    steps: [
      "Tria una hora, afegeix un extra i aplica el codi {coupon}.",
      "Paga a la pàgina de proves. No cal cap targeta.",
      "Busca la confirmació a la {mailbox}. Amb el seu enllaç canvies la reserva, pagues el que falti o la cancel·les.",
      "{day} és ple: apunta't a la seva llista d'espera i després {spare}. L'oferta arriba a la {mailbox}.",
      "Reserva {room}: allà tothom signa una exempció abans de jugar.",
      "Compra un {vouchers}: arriba a la {mailbox} amb el seu full, i el codi paga una reserva.",
      "Obre aquesta pàgina en dues finestres i tria la mateixa hora a totes dues.",
      "Mira els {reports} del local com el seu propietari: què es va vendre, quan i què no.",
    ],
    vouchers: "val regal",
    reports: "informes",
    spare: "cancel·la la reserva que fa nosa",
    embedTitle: "A la teva pàgina",
    embedText: "Un script i un element. Agafa la lletra i el tema de la pàgina que l'envolta.",
    copy: "Copia",
    copied: "Copiat",
    noConfig: "L'entorn no ha escrit config.json: engega'l amb make up.",
  },
};

const byId = (id) => document.getElementById(id);
const address = () => new URL(location.href);

function preferredLanguage() {
  const wanted = [address().searchParams.get("lang"), ...navigator.languages];
  const known = wanted.map((tag) => tag?.slice(0, 2)).find((tag) => tag in texts);
  return known ?? "en";
}

let language = preferredLanguage();

/** A link within the demo that keeps its language, and nothing of a booking. */
function linkTo(parameters) {
  const target = new URL(location.pathname, location.href);
  target.search = new URLSearchParams(parameters).toString();
  return target.href;
}

function write(config, calendar) {
  const text = texts[language];
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text[element.dataset.text];
  }
  byId("languages").setAttribute("aria-label", text.languages);
  byId("venues").setAttribute("aria-label", text.venues);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  byId("steps").replaceChildren(
    ...text.steps.map((step) => listItem(step, config, calendar)).filter(Boolean),
  );
  byId("venues").replaceChildren(
    ...config.calendars.map(({ slug, name }) => {
      const link = anchor(linkTo({ calendar: slug, lang: language }), name);
      if (slug === calendar?.slug) link.setAttribute("aria-current", "page");
      return link;
    }),
  );
}

/** A step with what its {words} stand for; null when the calendar has nothing of the kind. */
function listItem(step, config, calendar) {
  const item = document.createElement("li");
  for (const [index, part] of step.split(/[{}]/).entries()) {
    const piece = index % 2 === 0 ? part : word(part, config, calendar);
    if (piece === null) return null;
    item.append(piece);
  }
  return item;
}

function word(name, config, calendar) {
  const text = texts[language];
  switch (name) {
    case "mailbox":
      return anchor(config.mailbox_url, text.mailbox.toLowerCase());
    case "reports":
      return anchor(new URL(`reports/?lang=${language}`, location.href).href, text.reports);
    case "coupon":
      return calendar?.coupon ? tag("code", calendar.coupon) : null;
    case "vouchers":
      return calendar
        ? anchor(linkTo({ calendar: calendar.slug, lang: language, vouchers: "" }), text.vouchers)
        : null;
    case "room":
      return calendar?.waiver_room ? tag("strong", calendar.waiver_room) : null;
    case "day": {
      // A stack that has lain for some days: what was full is over.
      const day = calendar?.full_day ?? "";
      return day >= new Date().toISOString().slice(0, 10) ? tag("strong", longDay(day)) : null;
    }
    case "spare":
      return calendar?.spare_url
        ? anchor(`${calendar.spare_url.replace("#", `&lang=${language}#`)}`, text.spare)
        : null;
    default:
      return null;
  }
}

function longDay(day) {
  const format = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, {
    weekday: "long",
    day: "numeric",
    month: "long",
    timeZone: "UTC",
  });
  const text = format.format(new Date(`${day}T12:00:00Z`));
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function tag(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function anchor(href, text) {
  const link = tag("a", text);
  link.href = href;
  return link;
}

function widget(config, calendar) {
  const element = document.createElement("escape-booking");
  element.setAttribute("calendar", calendar.slug);
  element.setAttribute("api-url", config.supabase_url);
  element.setAttribute("service-url", config.service_url);
  element.setAttribute("publishable-key", config.publishable_key);
  element.setAttribute("lang", language);
  return element;
}

/** The script under its own hash, so that the browser keeps it and checks it. */
async function loadWidget(base) {
  const manifest = await (await fetch(`${base}/manifest.json`)).json();
  const script = document.createElement("script");
  script.src = `${base}/${manifest.file}`;
  script.integrity = manifest.integrity;
  script.crossOrigin = "anonymous";
  document.head.append(script);
}

function snippet(config, calendar) {
  return `<script src="${config.supabase_url}/functions/v1/booking-widget" async></script>

<escape-booking
  calendar="${calendar.slug}"
  api-url="${config.supabase_url}"
  service-url="${config.service_url}"
  publishable-key="${config.publishable_key}"
></escape-booking>`;
}

async function start() {
  const invited = takeInvitation();
  const response = await fetch("config.json").catch(() => null);
  if (!response?.ok) {
    write({ calendars: [], mailbox_url: "" }, null);
    const sorry = document.createElement("p");
    sorry.textContent = texts[language].noConfig;
    byId("stage").append(sorry);
    return;
  }
  const config = await response.json();
  const asked = address().searchParams.get("calendar");
  const calendar = config.calendars.find(({ slug }) => slug === asked) ?? config.calendars[0];
  byId("mailbox").href = config.mailbox_url;
  byId("mailbox").hidden = !config.mailbox_url;
  write(config, calendar);
  if (invited) byId("stage").append(invitation(config, invited, language));
  if (invited || !calendar) return;

  const element = widget(config, calendar);
  byId("stage").append(element);
  byId("snippet").textContent = snippet(config, calendar);
  await loadWidget(`${config.supabase_url}/functions/v1/booking-widget`);

  byId("languages").addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-language]")?.dataset.language;
    if (!chosen) return;
    language = chosen;
    const here = address();
    here.searchParams.set("lang", language);
    history.replaceState(history.state, "", here);
    element.setAttribute("lang", language);
    write(config, calendar);
  });
  byId("copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(byId("snippet").textContent);
    byId("copy").textContent = texts[language].copied;
    setTimeout(() => byId("copy").textContent = texts[language].copy, 1500);
  });
}

await start();
