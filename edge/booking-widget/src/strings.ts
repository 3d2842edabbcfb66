/**
 * Every word that every visitor may see, in every language that the widget speaks. What is said only
 * where a booking is managed, moved, waited or signed for is in `strings_more.ts`.
 */
import { count, type InLanguage, inLanguage, type Language, say } from "./language.ts";

const texts = {
  title: say(
    "Book your game",
    "Reserva tu partida",
    "Reserva la teva partida",
  ),
  stepWhen: say(
    "Date and time",
    "Fecha y hora",
    "Data i hora",
  ),
  stepDetails: say(
    "Your details",
    "Tus datos",
    "Les teves dades",
  ),
  stepPay: say(
    "Payment",
    "Pago",
    "Pagament",
  ),
  stepOf: say(
    (step: number, total: number) => `Step ${step} of ${total}`,
    (step, total) => `Paso ${step} de ${total}`,
    (step, total) => `Pas ${step} de ${total}`,
  ),
  loading: say(
    "Loading…",
    "Cargando…",
    "Carregant…",
  ),
  back: say(
    "Back",
    "Atrás",
    "Enrere",
  ),
  retry: say(
    "Try again",
    "Reintentar",
    "Torna-ho a provar",
  ),
  notSetUp: say(
    (attribute: string) => `This booking calendar is not set up: ${attribute} is missing.`,
    (attribute) => `Este calendario de reservas no está configurado: falta ${attribute}.`,
    (attribute) => `Aquest calendari de reserves no està configurat: falta ${attribute}.`,
  ),
  chooseRoom: say(
    "Room",
    "Sala",
    "Sala",
  ),
  players: say(
    "Players",
    "Jugadores",
    "Jugadors",
  ),
  fewer: say(
    "One player fewer",
    "Un jugador menos",
    "Un jugador menys",
  ),
  more: say(
    "One player more",
    "Un jugador más",
    "Un jugador més",
  ),
  playerCount: say(
    (count_: number) => count(count_, "player", "players"),
    (number) => count(number, "jugador", "jugadores"),
    (number) => count(number, "jugador", "jugadors"),
  ),
  playerRange: say(
    (low: number, high: number) => low === high ? `${low} players` : `${low}–${high} players`,
    (low, high) => low === high ? `${low} jugadores` : `${low}–${high} jugadores`,
    (low, high) => low === high ? `${low} jugadors` : `${low}–${high} jugadors`,
  ),
  perPerson: say(
    (price: string) => `${price} per person`,
    (price) => `${price} por persona`,
    (price) => `${price} per persona`,
  ),
  perGroup: say(
    (price: string) => `${price} per group`,
    (price) => `${price} por grupo`,
    (price) => `${price} per grup`,
  ),
  difficulty: say(
    (level: number) => `Difficulty ${level} of 5`,
    (level) => `Dificultad ${level} de 5`,
    (level) => `Dificultat ${level} de 5`,
  ),
  ages: say(
    (alone: number, withAdult: number) =>
      alone === withAdult ? `Age ${alone}+` : `Age ${alone}+ (with an adult ${withAdult}+)`,
    (alone, withAdult) =>
      alone === withAdult ? `+${alone} años` : `+${alone} años (con un adulto, +${withAdult})`,
    (alone, withAdult) =>
      alone === withAdult ? `+${alone} anys` : `+${alone} anys (amb un adult, +${withAdult})`,
  ),
  fear: say(
    (level: number) => `Fear ${level}/5`,
    (level) => `Miedo ${level}/5`,
    (level) => `Por ${level}/5`,
  ),
  accessible: say(
    "Wheelchair accessible",
    "Accesible en silla de ruedas",
    "Accessible amb cadira de rodes",
  ),
  shared: say(
    "Shared with other groups",
    "Compartida con otros grupos",
    "Compartida amb altres grups",
  ),
  fromPrice: say(
    (price: string) => `from ${price}`,
    (price) => `desde ${price}`,
    (price) => `des de ${price}`,
  ),
  chooseDay: say(
    "Day",
    "Día",
    "Dia",
  ),
  previousMonth: say(
    "Previous month",
    "Mes anterior",
    "Mes anterior",
  ),
  nextMonth: say(
    "Next month",
    "Mes siguiente",
    "Mes següent",
  ),
  dayFree: say(
    (times: number) => count(times, "free time", "free times"),
    (times) => count(times, "hora libre", "horas libres"),
    (times) => count(times, "hora lliure", "hores lliures"),
  ),
  dayFull: say(
    "nothing free",
    "nada libre",
    "res lliure",
  ),
  dayToday: say(
    "today",
    "hoy",
    "avui",
  ),
  legendFree: say(
    "Free",
    "Libre",
    "Lliure",
  ),
  legendFew: say(
    "Almost full",
    "Casi lleno",
    "Gairebé ple",
  ),
  legendFull: say(
    "Nothing free",
    "Nada libre",
    "Res lliure",
  ),
  monthFree: say(
    (month: string, days: number) => `${month}: ${count(days, "day", "days")} with free times`,
    (month, days) => `${month}: ${count(days, "día", "días")} con horas libres`,
    (month, days) => `${month}: ${count(days, "dia", "dies")} amb hores lliures`,
  ),
  monthFull: say(
    (month: string) => `Nothing free in ${month}`,
    (month) => `Nada libre en ${month.toLowerCase()}`,
    (month) => `Res lliure: ${month.toLowerCase()}`,
  ),
  searchNext: say(
    "Find the next free day",
    "Buscar el próximo día libre",
    "Busca el pròxim dia lliure",
  ),
  searchNone: say(
    (day: string) => `There is nothing free until ${day}.`,
    (day) => `No hay nada libre hasta el ${day.toLowerCase()}.`,
    (day) => `No hi ha res lliure fins al ${day.toLowerCase()}.`,
  ),
  loadingTimes: say(
    "Loading free times…",
    "Cargando horas libres…",
    "Carregant hores lliures…",
  ),
  unreachable: say(
    "The free times could not be loaded.",
    "No se han podido cargar las horas libres.",
    "No s'han pogut carregar les hores lliures.",
  ),
  chooseTime: say(
    "Time",
    "Hora",
    "Hora",
  ),
  pickDay: say(
    "Choose a day to see its free times.",
    "Elige un día para ver sus horas libres.",
    "Tria un dia per veure'n les hores lliures.",
  ),
  priceNote: say(
    (players: string) => `Total for ${players}, tax included.`,
    (players) => `Total para ${players}, impuestos incluidos.`,
    (players) => `Total per a ${players}, impostos inclosos.`,
  ),
  zoneNote: say(
    (zone: string) => `Times of the venue: ${zone}.`,
    (zone) => `Hora del local: ${zone}.`,
    (zone) => `Hora del local: ${zone}.`,
  ),
  zoneDiffers: say(
    "This is not your own time zone.",
    "No es tu zona horaria.",
    "No és la teva zona horària.",
  ),
  seatsLeft: say(
    (seats: number) => count(seats, "seat left", "seats left"),
    (seats) => count(seats, "plaza libre", "plazas libres"),
    (seats) => count(seats, "plaça lliure", "places lliures"),
  ),
  soldOut: say("Sold out", "Agotada", "Exhaurida"),
  waitHere: say("Waitlist", "Lista de espera", "Llista d'espera"),
  nightOf: say(
    (day: string) => `${day} night`,
    (day) => `noche del ${day}`,
    (day) => `nit de ${day}`,
  ),
  pictures: say(
    (room: string) => `Pictures of ${room}`,
    (room) => `Imágenes de ${room}`,
    (room) => `Imatges de ${room}`,
  ),
  picture: say(
    (room: string, number: number, total: number) => `${room}, picture ${number} of ${total}`,
    (room, number, total) => `${room}, imagen ${number} de ${total}`,
    (room, number, total) => `${room}, imatge ${number} de ${total}`,
  ),
  previousPicture: say("Previous picture", "Imagen anterior", "Imatge anterior"),
  nextPicture: say("Next picture", "Imagen siguiente", "Imatge següent"),
  picturesShort: say("Pictures", "Imágenes", "Imatges"),
  aboutRoom: say("About this room", "Sobre esta sala", "Sobre aquesta sala"),
  waitTitle: say(
    "Join the waitlist",
    "Apúntate a la lista de espera",
    "Apunta't a la llista d'espera",
  ),
  waitOffer: say(
    "Nothing free? We write to you as soon as a place opens up.",
    "¿Nada libre? Te escribimos en cuanto se libere una plaza.",
    "Res lliure? T'escrivim de seguida que s'alliberi una plaça.",
  ),
  linkAgain: say(
    "Already booked? Get your link again",
    "¿Ya has reservado? Pide tu enlace",
    "Ja has reservat? Demana l'enllaç",
  ),
  name: say(
    "Full name",
    "Nombre y apellidos",
    "Nom i cognoms",
  ),
  email: say(
    "E-mail",
    "Correo electrónico",
    "Correu electrònic",
  ),
  emailHint: say(
    "Your confirmation goes here.",
    "Aquí recibirás la confirmación.",
    "Aquí rebràs la confirmació.",
  ),
  phone: say(
    "Phone",
    "Teléfono",
    "Telèfon",
  ),
  optional: say(
    "optional",
    "opcional",
    "opcional",
  ),
  requiredName: say(
    "Tell us your name.",
    "Dinos tu nombre.",
    "Digue'ns el teu nom.",
  ),
  requiredEmail: say(
    "Tell us your e-mail.",
    "Dinos tu correo electrónico.",
    "Digue'ns el teu correu electrònic.",
  ),
  invalidEmail: say(
    "Check this address: it cannot receive mail.",
    "Revisa esta dirección: no puede recibir correo.",
    "Revisa aquesta adreça: no pot rebre correu.",
  ),
  invalidPhone: say(
    "This phone number does not look right.",
    "Este teléfono no parece correcto.",
    "Aquest telèfon no sembla correcte.",
  ),
  invalidName: say(
    "Only a name here, please: no links, no symbols alone.",
    "Aquí solo un nombre, por favor: sin enlaces ni solo símbolos.",
    "Aquí només un nom, si us plau: sense enllaços ni només símbols.",
  ),
  invalidField: say(
    "Please check this field.",
    "Revisa este campo.",
    "Revisa aquest camp.",
  ),
  invalidNumber: say(
    "This must be a number.",
    "Tiene que ser un número.",
    "Ha de ser un número.",
  ),
  requiredField: say(
    "Please fill this in.",
    "Rellena este campo.",
    "Omple aquest camp.",
  ),
  requiredChoice: say(
    "Please choose one.",
    "Elige una opción.",
    "Tria una opció.",
  ),
  requiredTick: say(
    "Please tick this to go on.",
    "Márcalo para continuar.",
    "Marca-ho per continuar.",
  ),
  checkFields: say(
    (fields: number) =>
      fields === 1 ? "One field needs another look." : `${fields} fields need another look.`,
    (fields) => fields === 1 ? "Revisa un campo." : `Revisa ${fields} campos.`,
    (fields) => fields === 1 ? "Revisa un camp." : `Revisa ${fields} camps.`,
  ),
  extras: say(
    "Extras",
    "Extras",
    "Extres",
  ),
  perBooking: say(
    "per booking",
    "por reserva",
    "per reserva",
  ),
  each: say(
    "per person",
    "por persona",
    "per persona",
  ),
  upTo: say(
    (most: number) => `up to ${most}`,
    (most) => `máximo ${most}`,
    (most) => `màxim ${most}`,
  ),
  fewerOf: say(
    (name: string) => `One fewer: ${name}`,
    (name) => `Uno menos: ${name}`,
    (name) => `Un menys: ${name}`,
  ),
  moreOf: say(
    (name: string) => `One more: ${name}`,
    (name) => `Uno más: ${name}`,
    (name) => `Un més: ${name}`,
  ),
  extraLeft: say(
    (left: number) =>
      left > 0
        ? `Only ${left} of this extra can still be had. We have changed your booking.`
        : "One of the extras is sold out. We have taken it out of your booking.",
    (left) =>
      left > 0
        ? `De este extra solo quedan ${left}. Hemos cambiado tu reserva.`
        : "Uno de los extras se ha agotado. Lo hemos quitado de tu reserva.",
    (left) =>
      left > 0
        ? `D'aquest extra només en queden ${left}. Hem canviat la teva reserva.`
        : "Un dels extres s'ha exhaurit. L'hem tret de la teva reserva.",
  ),
  exclusive: say(
    "Only for your group",
    "Solo para vuestro grupo",
    "Només per al vostre grup",
  ),
  exclusiveHint: say(
    (price: string) => `Nobody else joins the session, for ${price}.`,
    (price) => `Nadie más se une a la sesión, por ${price}.`,
    (price) => `Ningú més s'uneix a la sessió, per ${price}.`,
  ),
  note: say(
    "Note to the venue",
    "Nota para el local",
    "Nota per al local",
  ),
  noteHint: say(
    "Anything that they should know beforehand.",
    "Lo que deban saber de antemano.",
    "El que hagin de saber abans.",
  ),
  choose: say(
    "Choose…",
    "Elige…",
    "Tria…",
  ),
  code: say(
    "Discount or gift voucher code",
    "Código de descuento o tarjeta regalo",
    "Codi de descompte o targeta regal",
  ),
  apply: say(
    "Apply",
    "Aplicar",
    "Aplica",
  ),
  codeApplied: say(
    "The code has been applied.",
    "El código se ha aplicado.",
    "El codi s'ha aplicat.",
  ),
  totalNow: say(
    (total: string) => `The total is now ${total}.`,
    (total) => `El total es ahora ${total}.`,
    (total) => `El total és ara ${total}.`,
  ),
  coupon: say(
    "Discount code",
    "Código de descuento",
    "Codi de descompte",
  ),
  voucher: say(
    "Gift voucher",
    "Tarjeta regalo",
    "Targeta regal",
  ),
  removeCode: say(
    (code: string) => `Remove ${code}`,
    (code) => `Quitar ${code}`,
    (code) => `Treu ${code}`,
  ),
  termsLabel: say(
    (venue: string) => `I have read and accept the terms of ${venue}.`,
    (venue) => `He leído y acepto las condiciones de ${venue}.`,
    (venue) => `He llegit i accepto les condicions de ${venue}.`,
  ),
  termsRead: say(
    "Read the terms",
    "Leer las condiciones",
    "Llegeix les condicions",
  ),
  requiredTerms: say(
    "Please accept the terms to book.",
    "Acepta las condiciones para reservar.",
    "Accepta les condicions per reservar.",
  ),
  marketingLabel: say(
    (venue: string) => `${venue} may send me news and offers by e-mail.`,
    (venue) => `${venue} puede enviarme novedades y ofertas por correo electrónico.`,
    (venue) => `${venue} em pot enviar novetats i ofertes per correu electrònic.`,
  ),
  summary: say(
    "Your booking",
    "Tu reserva",
    "La teva reserva",
  ),
  room: say(
    "Room",
    "Sala",
    "Sala",
  ),
  total: say(
    "Total",
    "Total",
    "Total",
  ),
  includesTax: say(
    (amount: string, rate: string) => `Includes ${amount} tax${rate && ` (${rate})`}`,
    (amount, rate) => `Incluye ${amount} de IVA${rate && ` (${rate})`}`,
    (amount, rate) => `Inclou ${amount} d'IVA${rate && ` (${rate})`}`,
  ),
  dueNow: say(
    "To pay now",
    "A pagar ahora",
    "A pagar ara",
  ),
  dueLater: say(
    "To pay at the venue",
    "A pagar en el local",
    "A pagar al local",
  ),
  reserve: say(
    "Continue to payment",
    "Continuar al pago",
    "Continua al pagament",
  ),
  reserveFree: say(
    "Confirm booking",
    "Confirmar la reserva",
    "Confirma la reserva",
  ),
  reserving: say(
    "Reserving your time…",
    "Reservando tu hora…",
    "Reservant la teva hora…",
  ),
  reserveHint: say(
    (minutes: number) => `We keep the time for you for ${minutes} minutes while you pay.`,
    (minutes) => `Te guardamos la hora ${minutes} minutos mientras pagas.`,
    (minutes) => `Et guardem l'hora ${minutes} minuts mentre pagues.`,
  ),
  totalChanged: say(
    (old: string, now: string) => `The price has changed from ${old} to ${now}.`,
    (old, now) => `El precio ha cambiado de ${old} a ${now}.`,
    (old, now) => `El preu ha canviat de ${old} a ${now}.`,
  ),
  acceptTotal: say(
    (now: string) => `Book for ${now}`,
    (now) => `Reservar por ${now}`,
    (now) => `Reserva per ${now}`,
  ),
  bookedUnseen: say(
    (reference: string) => `Your booking ${reference} is confirmed all the same.`,
    (reference) => `Tu reserva ${reference} está confirmada de todos modos.`,
    (reference) => `La teva reserva ${reference} està confirmada igualment.`,
  ),
  bookAnother: say(
    "Book another game",
    "Reservar otra partida",
    "Reserva una altra partida",
  ),
};

/**
 * By the stable codes of the database and the service, and a few of the widget's own. Those that few
 * visitors meet are in `strings_more.ts`.
 */
const errors = {
  network: say(
    "There is no connection. Check it and try again.",
    "No hay conexión. Compruébala e inténtalo de nuevo.",
    "No hi ha connexió. Comprova-la i torna-ho a provar.",
  ),
  unexpected: say(
    "Something went wrong on our side. Try again in a moment.",
    "Algo ha fallado por nuestra parte. Inténtalo dentro de un momento.",
    "Alguna cosa ha fallat per part nostra. Torna-ho a provar d'aquí a un moment.",
  ),
  key_refused: say(
    "This booking calendar is not set up: publishable-key is wrong.",
    "Este calendario de reservas no está configurado: publishable-key no vale.",
    "Aquest calendari de reserves no està configurat: publishable-key no val.",
  ),
  slot_taken: say(
    "Somebody was faster: this time has just been taken. Here is what is still free.",
    "Alguien ha sido más rápido: acaban de reservar esta hora. Esto es lo que queda libre.",
    "Algú ha estat més ràpid: acaben de reservar aquesta hora. Això és el que queda lliure.",
  ),
  slot_in_past: say(
    "This time has already passed.",
    "Esta hora ya ha pasado.",
    "Aquesta hora ja ha passat.",
  ),
  slot_not_offered: say(
    "This time is not offered any more. Here is what is free.",
    "Esta hora ya no se ofrece. Esto es lo que hay libre.",
    "Aquesta hora ja no s'ofereix. Això és el que hi ha lliure.",
  ),
  notice_too_short: say(
    "This time is too soon to be booked here.",
    "Falta demasiado poco para reservar esta hora aquí.",
    "Falta massa poc per reservar aquesta hora aquí.",
  ),
  too_far_ahead: say(
    "This date cannot be booked yet.",
    "Esta fecha todavía no se puede reservar.",
    "Aquesta data encara no es pot reservar.",
  ),
  party_size_invalid: say(
    "This number of players does not fit the room.",
    "Este número de jugadores no cabe en la sala.",
    "Aquest nombre de jugadors no hi cap a la sala.",
  ),
  customer_invalid: say(
    "Please check your details.",
    "Revisa tus datos.",
    "Revisa les teves dades.",
  ),
  calendar_not_found: say(
    "This booking calendar is not available.",
    "Este calendario de reservas no está disponible.",
    "Aquest calendari de reserves no està disponible.",
  ),
  room_not_found: say(
    "This room cannot be booked now.",
    "Esta sala no se puede reservar ahora.",
    "Aquesta sala no es pot reservar ara.",
  ),
  booking_not_found: say(
    "We cannot find this booking. Open it by the link in your e-mail.",
    "No encontramos esta reserva. Ábrela con el enlace de tu correo.",
    "No trobem aquesta reserva. Obre-la amb l'enllaç del teu correu.",
  ),
  rate_limited: say(
    "That was a lot at once. Wait a minute and try again.",
    "Han sido muchas peticiones seguidas. Espera un minuto e inténtalo de nuevo.",
    "Han estat moltes peticions seguides. Espera un minut i torna-ho a provar.",
  ),
  extras_invalid: say(
    "What can be added has changed. Please choose again.",
    "Lo que se puede añadir ha cambiado. Vuelve a elegir.",
    "El que es pot afegir ha canviat. Torna a triar.",
  ),
  code_required: say(
    "Type a code first.",
    "Escribe primero un código.",
    "Escriu primer un codi.",
  ),
};

export type Strings = InLanguage<typeof texts> & {
  readonly errors: Readonly<Record<string, string>>;
};

const made = new Map<Language, Strings>();

export function stringsFor(language: Language): Strings {
  let strings = made.get(language);
  if (!strings) {
    strings = { ...inLanguage(texts, language), errors: inLanguage(errors, language) };
    made.set(language, strings);
  }
  return strings;
}
