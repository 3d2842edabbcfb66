/** The languages that the widget speaks, and how a text stands in all of them. */

export const languages = ["es", "en", "ca"] as const;
export type Language = typeof languages[number];

export type Said<T> = Readonly<Record<Language, T>>;

/** A text stands once, with its translations side by side: none can be forgotten. */
export function say<T>(en: T, es: T, ca: T): Said<T> {
  return { en, es, ca };
}

export const count = (number: number, one: string, other: string) =>
  `${number} ${number === 1 ? one : other}`;

export type InLanguage<Texts> = {
  readonly [Key in keyof Texts]: Texts[Key] extends Said<infer Text> ? Text : never;
};

export function inLanguage<T extends Record<string, Said<unknown>>>(
  said: T,
  language: Language,
): InLanguage<T> {
  const texts = Object.entries(said).map(([name, text]) => [name, text[language]]);
  return Object.fromEntries(texts) as InLanguage<T>;
}

/** The first candidate that the widget speaks; regional forms count (`es-MX` is `es`). */
export function pickLanguage(candidates: readonly unknown[]): Language {
  for (const candidate of candidates) {
    // Whatever a page or a browser calls it: `en_US`, `en-US@posix`, `en.UTF-8`.
    const base = String(candidate ?? "").trim().toLowerCase().split(/[^a-z]/)[0];
    const language = languages.find((known) => known === base);
    if (language) return language;
  }
  return "en";
}
