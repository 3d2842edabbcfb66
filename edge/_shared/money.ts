/**
 * How many digits an amount has, as it is charged. A browser's own data differs from one to the
 * next and shows the dinar of Serbia without any, so it is never asked. The database's table is
 * sql/00_foundation (currencies); a test compares the two.
 */

const none = "BIF CLP DJF GNF ISK JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF";
const three = "BHD IQD JOD KWD LYD OMR TND";

/** Digits behind the decimal point: "cents" are the amount times 10 to this power. */
export function digitsOf(currency: string): number {
  return none.includes(currency) ? 0 : three.includes(currency) ? 3 : 2;
}

/** Minor units as an amount: 8950 of EUR are 89.5. */
export function toUnits(cents: number, currency: string): number {
  return cents / 10 ** digitsOf(currency);
}

/**
 * An amount in minor units as people of a locale read it.
 *
 * @param short Without decimals when they are zero: for tight places.
 */
export function formatMoney(tag: string, cents: number, currency: string, short = false): string {
  const digits = digitsOf(currency);
  const amount = toUnits(cents, currency);
  const shown = short && Number.isInteger(amount) ? 0 : digits;
  return new Intl.NumberFormat(tag, {
    style: "currency",
    currency,
    minimumFractionDigits: shown,
    maximumFractionDigits: shown,
  }).format(amount);
}
