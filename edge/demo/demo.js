// The demo page of the local stack: two venues, one widget each, three languages.
// Everything it knows of the stack is in config.json, which the stack writes.

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
      "Choose a room, a day and a time, take an extra, and try the code LABERINTO10 or ATTIC5.",
      "Pay on the sandbox's page. No card is needed.",
      "Find the confirmation in the {mailbox}, and open its link to move or cancel the booking.",
      "Open this page in two windows and take the same time in both.",
      "Twelve days from now nothing is free: join the waitlist.",
    ],
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
      "Elige sala, día y hora, añade un extra y prueba el código LABERINTO10 o ATTIC5.",
      "Paga en la página de pruebas. No hace falta tarjeta.",
      "Busca la confirmación en el {mailbox} y abre su enlace para cambiar o cancelar la reserva.",
      "Abre esta página en dos ventanas y elige la misma hora en las dos.",
      "Dentro de doce días no queda nada libre: apúntate a la lista de espera.",
    ],
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
      "Tria sala, dia i hora, afegeix un extra i prova el codi LABERINTO10 o ATTIC5.",
      "Paga a la pàgina de proves. No cal cap targeta.",
      "Busca la confirmació a la {mailbox} i obre'n l'enllaç per canviar o cancel·lar la reserva.",
      "Obre aquesta pàgina en dues finestres i tria la mateixa hora a totes dues.",
      "D'aquí a dotze dies no queda res lliure: apunta't a la llista d'espera.",
    ],
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
  byId("steps").replaceChildren(...text.steps.map((step) => listItem(step, config)));
  byId("venues").replaceChildren(
    ...config.calendars.map(({ slug, name }) => {
      const link = document.createElement("a");
      link.href = linkTo({ calendar: slug, lang: language });
      link.textContent = name;
      if (slug === calendar?.slug) link.setAttribute("aria-current", "page");
      return link;
    }),
  );
}

function listItem(step, config) {
  const item = document.createElement("li");
  const [before, after] = step.split("{mailbox}");
  item.append(before);
  if (after !== undefined) {
    const link = document.createElement("a");
    link.href = config.mailbox_url;
    link.textContent = texts[language].mailbox.toLowerCase();
    item.append(link, after);
  }
  return item;
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
  if (!calendar) return;

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
