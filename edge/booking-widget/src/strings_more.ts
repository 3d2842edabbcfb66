/** The words of the second script: managing, moving, waiting, signing. */
import { count, type InLanguage, inLanguage, type Language, say } from "./language.ts";
import type { Strings } from "./strings.ts";

const texts = {
  backToTimes: say(
    "Back to the calendar",
    "Volver al calendario",
    "Torna al calendari",
  ),
  shareTitle: say(
    "Your share of the game",
    "Tu parte de la partida",
    "La teva part de la partida",
  ),
  shareLead: say(
    (organizer: string) => `${organizer} booked and splits the payment. This page pays your share.`,
    (organizer) => `${organizer} ha reservado y reparte el pago. Aquí pagas tu parte.`,
    (organizer) => `${organizer} ha reservat i reparteix el pagament. Aquí pagues la teva part.`,
  ),
  shareAmount: say("Your share", "Tu parte", "La teva part"),
  shareRoom: say("Room", "Sala", "Sala"),
  shareWhen: say("When", "Cuándo", "Quan"),
  shareUntil: say("Pay by", "Pagar hasta", "Pagar fins a"),
  shareBack: say("Goes back to you", "Se te devuelve", "Se't torna"),
  sharePaidTitle: say("Your share is paid", "Tu parte está pagada", "La teva part està pagada"),
  sharePaid: say(
    (organizer: string) => `Thank you. ${organizer} is told; there is nothing left to do.`,
    (organizer) => `Gracias. Avisamos a ${organizer}; no tienes que hacer nada más.`,
    (organizer) => `Gràcies. Avisem ${organizer}; no has de fer res més.`,
  ),
  shareLateTitle: say("It is too late to pay", "Ya es tarde para pagar", "Ja és tard per pagar"),
  shareLate: say(
    (organizer: string) => `The time for this share is over. Ask ${organizer} how to go on.`,
    (organizer) => `El plazo de esta parte ha terminado. Habla con ${organizer}.`,
    (organizer) => `El termini d'aquesta part s'ha acabat. Parla amb ${organizer}.`,
  ),
  shareOverTitle: say(
    "Nothing is left to pay",
    "No queda nada por pagar",
    "No queda res per pagar",
  ),
  shareOver: say(
    (organizer: string) => `This share is not needed any more. Ask ${organizer} if in doubt.`,
    (organizer) => `Esta parte ya no hace falta. Si dudas, habla con ${organizer}.`,
    (organizer) => `Aquesta part ja no cal. Si tens dubtes, parla amb ${organizer}.`,
  ),
  shareReturnedTitle: say(
    "Your money goes back",
    "Te devolvemos el dinero",
    "Et tornem els diners",
  ),
  shareReturned: say(
    "It goes back to where you paid from, mostly within five to ten days.",
    "Vuelve a la tarjeta o cuenta con la que pagaste, normalmente en cinco a diez días.",
    "Torna a la targeta o el compte amb què vas pagar, normalment en cinc a deu dies.",
  ),
  shareSlow: say(
    "The bank has not told us yet. Look again in a moment: you are not charged twice.",
    "El banco aún no nos ha avisado. Mira de nuevo en un momento: no se te cobra dos veces.",
    "El banc encara no ens ha avisat. Mira-ho d'aquí a un moment: no se't cobra dues vegades.",
  ),
  shareElsewhere: say(
    "Open your share by the link that you were sent to see that it is paid.",
    "Abre tu parte con el enlace que te enviaron para ver que está pagada.",
    "Obre la teva part amb l'enllaç que et van enviar per veure que està pagada.",
  ),
  heldTitle: say(
    "It is yours for now",
    "Es tuya, de momento",
    "És teva, de moment",
  ),
  heldText: say(
    "We are keeping this time for you. Pay to confirm it.",
    "Te guardamos esta hora. Paga para confirmarla.",
    "Et guardem aquesta hora. Paga per confirmar-la.",
  ),
  offerText: say(
    "A place has opened up, and we are keeping it for you. Confirm it in time.",
    "Se ha liberado una plaza y te la guardamos. Confírmala a tiempo.",
    "S'ha alliberat una plaça i te la guardem. Confirma-la a temps.",
  ),
  timeLeft: say(
    "Time left",
    "Tiempo restante",
    "Temps restant",
  ),
  timeLeftSpoken: say(
    (minutes: number, seconds: number) =>
      minutes > 0
        ? `${count(minutes, "minute", "minutes")} left to pay.`
        : `${seconds} seconds left to pay.`,
    (minutes, seconds) =>
      minutes > 0
        ? `Te quedan ${count(minutes, "minuto", "minutos")} para pagar.`
        : `Te quedan ${seconds} segundos para pagar.`,
    (minutes, seconds) =>
      minutes > 0
        ? `Et queden ${count(minutes, "minut", "minuts")} per pagar.`
        : `Et queden ${seconds} segons per pagar.`,
  ),
  pay: say(
    (amount: string) => `Pay ${amount}`,
    (amount) => `Pagar ${amount}`,
    (amount) => `Paga ${amount}`,
  ),
  payAll: say(
    (amount: string) => `Pay all of it now: ${amount}`,
    (amount) => `Pagarlo todo ahora: ${amount}`,
    (amount) => `Paga-ho tot ara: ${amount}`,
  ),
  othersPay: say(
    "Nothing is left for you to pay now: others are paying their shares.",
    "Ahora no te queda nada por pagar: los demás pagan sus partes.",
    "Ara no et queda res per pagar: els altres paguen les seves parts.",
  ),
  opening: say(
    "Opening the payment page…",
    "Abriendo la página de pago…",
    "Obrint la pàgina de pagament…",
  ),
  payHint: say(
    "You pay on the secure page of our payment provider and come back here.",
    "Pagas en la página segura de nuestro proveedor de pagos y vuelves aquí.",
    "Pagues a la pàgina segura del nostre proveïdor de pagaments i tornes aquí.",
  ),
  paidElsewhere: say(
    "The payment page is open in another tab. This page goes on once it is paid. If paying does not work there, copy the link into a new window.",
    "La página de pago está abierta en otra pestaña. Esta página sigue cuando esté pagado. Si allí no puedes pagar, copia el enlace en una ventana nueva.",
    "La pàgina de pagament és oberta en una altra pestanya. Aquesta pàgina continua quan estigui pagat. Si allà no pots pagar, copia l'enllaç en una finestra nova.",
  ),
  cannotLeave: say(
    "This page does not let us open the payment. Open it with the button; if nothing happens or paying does not work there, copy the link into a new window.",
    "Esta página no nos deja abrir el pago. Ábrelo con el botón; si no pasa nada o allí no puedes pagar, copia el enlace en una ventana nueva.",
    "Aquesta pàgina no ens deixa obrir el pagament. Obre'l amb el botó; si no passa res o allà no pots pagar, copia l'enllaç en una finestra nova.",
  ),
  openPayment: say(
    "Open the payment page",
    "Abrir la página de pago",
    "Obre la pàgina de pagament",
  ),
  release: say(
    "Give this time up and choose another",
    "Dejar esta hora y elegir otra",
    "Deixa aquesta hora i tria'n una altra",
  ),
  paymentCancelled: say(
    "The payment was not completed. Your time is still kept.",
    "El pago no se ha completado. Seguimos guardando tu hora.",
    "El pagament no s'ha completat. Encara et guardem l'hora.",
  ),
  givenBack: say(
    "We no longer keep this time for you. Continue to keep it again.",
    "Ya no te guardamos esta hora. Continúa para volver a guardarla.",
    "Ja no et guardem aquesta hora. Continua per tornar-la a guardar.",
  ),
  holdEnded: say(
    "The time we were keeping for you has run out.",
    "Se ha acabado el tiempo que te guardábamos la hora.",
    "S'ha acabat el temps que et guardàvem l'hora.",
  ),
  holdEndedText: say(
    "Nothing was charged. It may still be free: choose it again.",
    "No se ha cobrado nada. Puede que siga libre: vuelve a elegirla.",
    "No s'ha cobrat res. Potser encara és lliure: torna-la a triar.",
  ),
  chooseAgain: say(
    "Choose a time",
    "Elegir una hora",
    "Tria una hora",
  ),
  paid: say(
    "Paid",
    "Pagado",
    "Pagat",
  ),
  copy: say("Copy the link", "Copiar el enlace", "Copia l'enllaç"),
  copied: say("Copied", "Copiado", "Copiat"),
  share: say("Share", "Compartir", "Comparteix"),
  mailedTitle: say(
    "Look at your mail",
    "Mira tu correo",
    "Mira el teu correu",
  ),
  mailedText: say(
    (email: string, time: string) =>
      `Open the link in the mail we sent to ${email} before ${time}. That confirms your booking.`,
    (email, time) =>
      `Abre el enlace del correo que hemos enviado a ${email} antes de las ${time}. Así confirmas tu reserva.`,
    (email, time) =>
      `Obre l'enllaç del correu que hem enviat a ${email} abans de les ${time}. Així confirmes la teva reserva.`,
  ),
  mailedHint: say(
    "We keep the place for you until then. No mail? Look among the unwanted ones.",
    "Hasta entonces te guardamos la plaza. ¿No hay correo? Mira entre los no deseados.",
    "Fins aleshores et guardem la plaça. No hi ha correu? Mira entre els no desitjats.",
  ),
  notOpened: say(
    "The link has not been opened yet.",
    "El enlace todavía no se ha abierto.",
    "L'enllaç encara no s'ha obert.",
  ),
  confirmingTitle: say(
    "Confirming your payment",
    "Confirmando tu pago",
    "Confirmant el teu pagament",
  ),
  confirmingText: say(
    "This takes a few seconds. You do not need to do anything.",
    "Tarda unos segundos. No tienes que hacer nada.",
    "Triga uns segons. No has de fer res.",
  ),
  slowTitle: say(
    "Your payment is on its way",
    "Tu pago está en camino",
    "El teu pagament està en camí",
  ),
  slowText: say(
    "It takes longer than usual. We will write to you as soon as it is confirmed; you can close this page.",
    "Tarda más de lo normal. Te escribiremos en cuanto se confirme; puedes cerrar esta página.",
    "Triga més del normal. T'escriurem quan es confirmi; pots tancar aquesta pàgina.",
  ),
  checkAgain: say(
    "Check again",
    "Comprobar otra vez",
    "Comprova-ho un altre cop",
  ),
  lateText: say(
    "Your payment came after the time ran out. If the place is gone, you get all of it back.",
    "Tu pago llegó cuando el tiempo se había acabado. Si la plaza ya no está, te lo devolvemos todo.",
    "El teu pagament va arribar quan el temps s'havia acabat. Si la plaça ja no hi és, t'ho tornem tot.",
  ),
  elsewhereTitle: say(
    "Thank you",
    "Gracias",
    "Gràcies",
  ),
  elsewhereText: say(
    "This page does not know your booking. Open it by the link in your e-mail.",
    "Esta página no conoce tu reserva. Ábrela con el enlace de tu correo.",
    "Aquesta pàgina no coneix la teva reserva. Obre-la amb l'enllaç del teu correu.",
  ),
  lostTitle: say(
    "Get your link again",
    "Recibe otra vez tu enlace",
    "Rep un altre cop el teu enllaç",
  ),
  lostLead: say(
    "Give the address that you booked with. We mail you the links of your coming bookings.",
    "Escribe la dirección con la que reservaste. Te enviamos los enlaces de tus próximas reservas.",
    "Escriu l'adreça amb què vas reservar. T'enviem els enllaços de les teves properes reserves.",
  ),
  lostSend: say(
    "Send me the link",
    "Enviarme el enlace",
    "Envia'm l'enllaç",
  ),
  lostSending: say(
    "Sending…",
    "Enviando…",
    "Enviant…",
  ),
  resentText: say(
    (email: string) => `If there are bookings under ${email}, the links are on their way.`,
    (email) => `Si hay reservas con ${email}, los enlaces están en camino.`,
    (email) => `Si hi ha reserves amb ${email}, els enllaços estan en camí.`,
  ),
  resentHint: say(
    "No mail? Look among the unwanted ones. We send it once an hour at most.",
    "¿No hay correo? Mira entre los no deseados. Lo enviamos una vez por hora como máximo.",
    "No hi ha correu? Mira entre els no desitjats. L'enviem un cop per hora com a màxim.",
  ),
  otherAddress: say(
    "Use another address",
    "Usar otra dirección",
    "Fes servir una altra adreça",
  ),
  paidText: say(
    "Thank you, we have received your payment.",
    "Gracias, hemos recibido tu pago.",
    "Gràcies, hem rebut el teu pagament.",
  ),
  payAtVenue: say(
    "What is still open can be paid at the venue.",
    "Lo que falta se puede pagar en el local.",
    "El que falta es pot pagar al local.",
  ),
  waitLead: say(
    "If a place opens up we keep it for you for a while and send you an e-mail.",
    "Si se libera una plaza, te la guardamos un rato y te escribimos un correo.",
    "Si s'allibera una plaça, te la guardem una estona i t'escrivim un correu.",
  ),
  waitFrom: say(
    "From",
    "Desde",
    "Des de",
  ),
  waitTo: say(
    "Until",
    "Hasta",
    "Fins a",
  ),
  anyRoom: say(
    "Any room",
    "Cualquier sala",
    "Qualsevol sala",
  ),
  waitJoin: say(
    "Put me on the waitlist",
    "Apuntarme a la lista de espera",
    "Apunta'm a la llista d'espera",
  ),
  joining: say(
    "One moment…",
    "Un momento…",
    "Un moment…",
  ),
  invalidDates: say(
    "The last day must not be before the first.",
    "El último día no puede ser anterior al primero.",
    "L'últim dia no pot ser anterior al primer.",
  ),
  waitingTitle: say(
    "You are on the waitlist",
    "Estás en la lista de espera",
    "Ets a la llista d'espera",
  ),
  waitingText: say(
    (email: string, from: string, to: string) =>
      from === to
        ? `We write to ${email} when a place opens up on ${from}.`
        : `We write to ${email} when a place opens up between ${from} and ${to}.`,
    (email, from, to) =>
      from === to
        ? `Escribiremos a ${email} si se libera una plaza el ${from.toLowerCase()}.`
        : `Escribiremos a ${email} si se libera una plaza entre el ${from.toLowerCase()} y el ${to.toLowerCase()}.`,
    (email, from, to) =>
      from === to
        ? `Escriurem a ${email} si s'allibera una plaça el ${from.toLowerCase()}.`
        : `Escriurem a ${email} si s'allibera una plaça entre el ${from.toLowerCase()} i el ${to.toLowerCase()}.`,
  ),
  leaveTitle: say(
    "Leave the waitlist?",
    "¿Salir de la lista de espera?",
    "Vols sortir de la llista d'espera?",
  ),
  leaveNow: say("Leave the waitlist", "Salir de la lista de espera", "Surt de la llista d'espera"),
  leaveYes: say("Yes, leave it", "Sí, salir", "Sí, surt-ne"),
  leftTitle: say(
    "You are off the waitlist",
    "Ya no estás en la lista de espera",
    "Ja no ets a la llista d'espera",
  ),
  confirmedTitle: say(
    "You are booked",
    "Reserva confirmada",
    "Reserva confirmada",
  ),
  confirmedText: say(
    (email: string) => `We have sent the confirmation to ${email}.`,
    (email) => `Hemos enviado la confirmación a ${email}.`,
    (email) => `Hem enviat la confirmació a ${email}.`,
  ),
  bookingTitle: say(
    "Your booking",
    "Tu reserva",
    "La teva reserva",
  ),
  reference: say(
    "Reference",
    "Referencia",
    "Referència",
  ),
  venue: say(
    "Venue",
    "Local",
    "Local",
  ),
  where: say("Where", "Dónde", "On"),
  directions: say("Getting there", "Cómo llegar", "Com arribar-hi"),
  venuePhone: say("Phone", "Teléfono", "Telèfon"),
  arrival: say("On arrival", "Al llegar", "En arribar"),
  bookedBy: say(
    "Booked by",
    "A nombre de",
    "A nom de",
  ),
  refunded: say(
    "Refunded",
    "Devuelto",
    "Retornat",
  ),
  addToCalendar: say(
    "Add to calendar",
    "Añadir al calendario",
    "Afegeix al calendari",
  ),
  cancel: say(
    "Cancel booking",
    "Cancelar la reserva",
    "Cancel·la la reserva",
  ),
  cancelTitle: say(
    "Cancel this booking?",
    "¿Cancelar esta reserva?",
    "Vols cancel·lar aquesta reserva?",
  ),
  cancelFull: say(
    (amount: string) => `You get all of it back: ${amount}.`,
    (amount) => `Te devolvemos todo: ${amount}.`,
    (amount) => `T'ho tornem tot: ${amount}.`,
  ),
  cancelPart: say(
    (percent: string, amount: string) => `You get ${percent} back: ${amount}.`,
    (percent, amount) => `Te devolvemos el ${percent}: ${amount}.`,
    (percent, amount) => `Et tornem el ${percent}: ${amount}.`,
  ),
  cancelNone: say(
    "It is too late for a refund: you get nothing back.",
    "Es demasiado tarde para una devolución: no se devuelve nada.",
    "És massa tard per a una devolució: no es torna res.",
  ),
  termsOther: say(
    "This text is not the one that you ticked. Read it and tick again.",
    "Este texto no es el que marcaste. Léelo y vuelve a marcar.",
    "Aquest text no és el que vas marcar. Llegeix-lo i torna a marcar.",
  ),
  cancelLost: say(
    (amount: string) => `Your bank has given ${amount} of what you paid back to you already.`,
    (amount) => `Tu banco ya te ha devuelto ${amount} de lo que pagaste.`,
    (amount) => `El teu banc ja t'ha tornat ${amount} del que vas pagar.`,
  ),
  cancelNothing: say(
    "There is nothing to give back.",
    "No hay nada que devolver.",
    "No hi ha res a tornar.",
  ),
  policy: say(
    "Cancelling",
    "Cancelación",
    "Cancel·lació",
  ),
  policyTier: say(
    (time: string, percent: string) =>
      `Cancel ${time ? `up to ${time} before` : "before the start"}: ${
        percent ? `${percent} back` : "all of it back"
      }`,
    (time, percent) =>
      `Si cancelas ${time ? `hasta ${time} antes` : "antes de empezar"}: ${
        percent ? `te devolvemos el ${percent}` : "te devolvemos todo"
      }`,
    (time, percent) =>
      `Si cancel·les ${time ? `fins a ${time} abans` : "abans de començar"}: ${
        percent ? `et tornem el ${percent}` : "t'ho tornem tot"
      }`,
  ),
  noShow: say(
    (percent: string) => `If you do not come: ${percent} of the price`,
    (percent) => `Si no venís: el ${percent} del precio`,
    (percent) => `Si no veniu: el ${percent} del preu`,
  ),
  cancelFree: say(
    "Nothing was charged.",
    "No se ha cobrado nada.",
    "No s'ha cobrat res.",
  ),
  cancelYes: say(
    "Yes, cancel it",
    "Sí, cancelarla",
    "Sí, cancel·la-la",
  ),
  cancelNo: say(
    "Keep it",
    "Mantenerla",
    "Mantén-la",
  ),
  cancelling: say(
    "Cancelling…",
    "Cancelando…",
    "Cancel·lant…",
  ),
  cancelledTitle: say(
    "Your booking is cancelled",
    "Tu reserva está cancelada",
    "La teva reserva està cancel·lada",
  ),
  disputed: say(
    (amount: string) =>
      `Of it, ${amount} is disputed at your bank, which decides: either it gives you the money back, or we do then.`,
    (amount) =>
      `De ello, ${amount} están reclamados en tu banco, y decide él: o te los devuelve el banco, o te los devolvemos entonces.`,
    (amount) =>
      `D'això, ${amount} estan reclamats al teu banc, i decideix ell: o te'ls torna el banc, o te'ls tornem llavors.`,
  ),
  cancelledRefund: say(
    (amount: string) => `You get ${amount} back. On a card it takes a few days.`,
    (amount) => `Te devolvemos ${amount}. En una tarjeta tarda unos días.`,
    (amount) => `Et tornem ${amount}. En una targeta triga uns dies.`,
  ),
  cancelledText: say(
    "Nobody is waiting for you any more.",
    "Ya no te esperamos.",
    "Ja no t'esperem.",
  ),
  move: say(
    "Change date or players",
    "Cambiar fecha o jugadores",
    "Canvia la data o els jugadors",
  ),
  moveTitle: say(
    "Change your booking",
    "Cambia tu reserva",
    "Canvia la teva reserva",
  ),
  moveNow: say(
    (when: string) => `Now: ${when}`,
    (when) => `Ahora: ${when}`,
    (when) => `Ara: ${when}`,
  ),
  keepTime: say(
    "Keep the time, only change the players",
    "Mantener la hora y cambiar solo los jugadores",
    "Mantén l'hora i canvia només els jugadors",
  ),
  moveQuoteTitle: say(
    "Change to this?",
    "¿Cambiar a esto?",
    "Vols canviar a això?",
  ),
  moveFrom: say(
    "Until now",
    "Hasta ahora",
    "Fins ara",
  ),
  moveNew: say(
    "New",
    "Nueva",
    "Nova",
  ),
  moveOwed: say(
    (amount: string) => `The new booking costs ${amount} more.`,
    (amount) => `La nueva reserva cuesta ${amount} más.`,
    (amount) => `La nova reserva costa ${amount} més.`,
  ),
  moveLess: say(
    (amount: string) => `The new booking costs ${amount} less.`,
    (amount) => `La nueva reserva cuesta ${amount} menos.`,
    (amount) => `La nova reserva costa ${amount} menys.`,
  ),
  moveOpen: say(
    (amount: string) => `Still to pay: ${amount}.`,
    (amount) => `Falta por pagar: ${amount}.`,
    (amount) => `Falta per pagar: ${amount}.`,
  ),
  moveBack: say(
    (amount: string) => `You get ${amount} back.`,
    (amount) => `Te devolvemos ${amount}.`,
    (amount) => `Et tornem ${amount}.`,
  ),
  moveDisputed: say(
    (amount: string) =>
      `${amount} of what you paid is disputed at your bank, which decides: either it gives you the money back, or we do then.`,
    (amount) =>
      `${amount} de lo que pagaste están reclamados en tu banco, y decide él: o te los devuelve el banco, o te los devolvemos entonces.`,
    (amount) =>
      `${amount} del que vas pagar estan reclamats al teu banc, i decideix ell: o te'ls torna el banc, o te'ls tornem llavors.`,
  ),
  moveSame: say(
    "The price stays the same.",
    "El precio es el mismo.",
    "El preu és el mateix.",
  ),
  moveYes: say(
    "Yes, change it",
    "Sí, cambiarla",
    "Sí, canvia-la",
  ),
  moveYesOwed: say(
    (amount: string) => `Change it for ${amount} more`,
    (amount) => `Cambiarla por ${amount} más`,
    (amount) => `Canvia-la per ${amount} més`,
  ),
  moved: say(
    "Your booking has been changed. The new confirmation comes by mail in a few minutes.",
    "Hemos cambiado tu reserva. La nueva confirmación te llegará por correo en unos minutos.",
    "Hem canviat la teva reserva. La nova confirmació t'arribarà per correu d'aquí a uns minuts.",
  ),
  moveTerms: say(
    "Changing it, you accept other conditions for cancelling than your booking has now:",
    "Al cambiarla aceptas otras condiciones de cancelación que las que tiene ahora tu reserva:",
    "En canviar-la acceptes altres condicions de cancel·lació que les que té ara la teva reserva:",
  ),
  open: say(
    "Still to pay",
    "Falta por pagar",
    "Falta per pagar",
  ),
  waiver: say(
    "Waiver",
    "Exención de responsabilidad",
    "Exempció de responsabilitat",
  ),
  waiverSigned: say(
    (signed: number, needed: number) => `${signed} of ${needed} signed`,
    (signed, needed) => `${signed} de ${needed} firmadas`,
    (signed, needed) => `${signed} de ${needed} signades`,
  ),
  waiverSign: say(
    "Sign the waiver",
    "Firmar la exención",
    "Signa l'exempció",
  ),
  waiverShare: say(
    "Pass the waiver on to the others",
    "Pasar la exención a los demás",
    "Passa l'exempció als altres",
  ),
  waiverName: say(
    "Your full name",
    "Tu nombre y apellidos",
    "El teu nom i cognoms",
  ),
  minors: say(
    "I also sign for these minors",
    "Firmo también por estos menores",
    "Signo també per aquests menors",
  ),
  minor: say(
    (number: number) => `Full name of minor ${number}`,
    (number) => `Nombre y apellidos del menor ${number}`,
    (number) => `Nom i cognoms del menor ${number}`,
  ),
  birthYear: say("Year of birth", "Año de nacimiento", "Any de naixement"),
  onlyMinors: say(
    "I only sign for the minors and do not play.",
    "Solo firmo por los menores y no juego.",
    "Només signo pels menors i no jugo.",
  ),
  invalidYear: say(
    "This must be the year of birth of a minor.",
    "Tiene que ser el año de nacimiento de un menor.",
    "Ha de ser l'any de naixement d'un menor.",
  ),
  addMinor: say(
    "Add a minor",
    "Añadir un menor",
    "Afegeix un menor",
  ),
  removeMinor: say(
    (number: number) => `Remove minor ${number}`,
    (number) => `Quitar al menor ${number}`,
    (number) => `Treu el menor ${number}`,
  ),
  signature: say(
    "Signature",
    "Firma",
    "Signatura",
  ),
  drawIt: say(
    "Draw it",
    "Dibujarla",
    "Dibuixa-la",
  ),
  typeIt: say(
    "Type it",
    "Escribirla",
    "Escriu-la",
  ),
  drawHint: say(
    "Draw your signature here with a finger or the mouse.",
    "Dibuja aquí tu firma con el dedo o el ratón.",
    "Dibuixa aquí la teva signatura amb el dit o el ratolí.",
  ),
  typeHint: say(
    "Your full name above counts as your signature.",
    "Tu nombre completo de arriba vale como firma.",
    "El teu nom complet de dalt val com a signatura.",
  ),
  clearSignature: say(
    "Clear",
    "Borrar",
    "Esborra",
  ),
  waiverAgree: say(
    "I have read the text above and agree to it.",
    "He leído el texto y estoy de acuerdo.",
    "He llegit el text i hi estic d'acord.",
  ),
  requiredSignature: say(
    "Draw your signature, or choose to type it.",
    "Dibuja tu firma o elige escribirla.",
    "Dibuixa la signatura o tria escriure-la.",
  ),
  invalidSignature: say(
    "This signature could not be read. Draw it again, in fewer strokes, or type it.",
    "Esta firma no se ha podido leer. Dibújala otra vez, con menos trazos, o escríbela.",
    "Aquesta signatura no s'ha pogut llegir. Torna-la a dibuixar, amb menys traços, o escriu-la.",
  ),
  sign: say(
    "Sign",
    "Firmar",
    "Signa",
  ),
  signedTitle: say(
    "Signed, thank you",
    "Firmada, gracias",
    "Signada, gràcies",
  ),
  signedText: say(
    "Everybody who plays signs for themselves: pass this link on.",
    "Cada jugador firma por sí mismo: comparte este enlace.",
    "Cada jugador signa per si mateix: comparteix aquest enllaç.",
  ),
  signAnother: say(
    "Somebody else signs here",
    "Otra persona firma aquí",
    "Una altra persona signa aquí",
  ),
  done: say(
    "Done",
    "Listo",
    "Fet",
  ),
  giftTitle: say("Gift vouchers", "Vales regalo", "Vals regal"),
  giftOne: say("Gift voucher", "Vale regalo", "Val regal"),
  giftOf: say(
    (venue: string) => `Gift voucher of ${venue}`,
    (venue) => `Vale regalo de ${venue}`,
    (venue) => `Val regal de ${venue}`,
  ),
  giftLead: say(
    (venue: string) =>
      `Give an adventure at ${venue}. Whoever gets it chooses room, date and party.`,
    (venue) => `Regala una aventura en ${venue}. Quien la recibe elige sala, fecha y grupo.`,
    (venue) => `Regala una aventura a ${venue}. Qui la rep tria sala, data i grup.`,
  ),
  giftBook: say("Book a game", "Reservar una partida", "Reserva una partida"),
  giftWhat: say("What you give", "Qué regalas", "Què regales"),
  giftOther: say("Another amount", "Otro importe", "Un altre import"),
  giftAmount: say(
    (currency: string) => `Amount (${currency})`,
    (currency) => `Importe (${currency})`,
    (currency) => `Import (${currency})`,
  ),
  giftRange: say(
    (least: string, most: string) => `From ${least} to ${most}.`,
    (least, most) => `De ${least} a ${most}.`,
    (least, most) => `De ${least} a ${most}.`,
  ),
  invalidAmount: say(
    "Choose an amount within these limits.",
    "Elige un importe dentro de estos límites.",
    "Tria un import dins d'aquests límits.",
  ),
  giftFor: say("For whom", "Para quién", "Per a qui"),
  giftMessage: say("A message", "Un mensaje", "Un missatge"),
  giftMessageHint: say(
    "It stands on the voucher. No links.",
    "Aparece en el vale. Sin enlaces.",
    "Apareix al val. Sense enllaços.",
  ),
  invalidMessage: say(
    "Write it without links.",
    "Escríbelo sin enlaces.",
    "Escriu-lo sense enllaços.",
  ),
  giftMail: say(
    "Send it to whoever gets it by e-mail, too",
    "Enviarlo también por correo a quien lo recibe",
    "Envia'l també per correu a qui el rep",
  ),
  giftMailHint: say(
    "You get the code in any case, to print it or to pass it on yourself.",
    "Tú recibes el código en cualquier caso, para imprimirlo o darlo en mano.",
    "Tu reps el codi en qualsevol cas, per imprimir-lo o donar-lo en mà.",
  ),
  giftAddress: say("Their e-mail", "Su correo electrónico", "El seu correu electrònic"),
  giftDay: say("On which day", "Qué día", "Quin dia"),
  giftDayHint: say(
    (zone: string) => `At 9:00, time of the venue: ${zone}. Left empty: as soon as it is paid.`,
    (zone) => `A las 9:00, hora del local: ${zone}. Si lo dejas vacío, en cuanto esté pagado.`,
    (zone) => `A les 9:00, hora del local: ${zone}. Si ho deixes buit, quan estigui pagat.`,
  ),
  invalidDelivery: say(
    "Choose a day from today on, within a year.",
    "Elige un día a partir de hoy, dentro de un año.",
    "Tria un dia a partir d'avui, dins d'un any.",
  ),
  giftBuyer: say("Who buys it", "Quién lo compra", "Qui el compra"),
  giftEmailHint: say(
    "The code comes here.",
    "Aquí recibirás el código.",
    "Aquí rebràs el codi.",
  ),
  giftRules: say("What counts", "Condiciones", "Condicions"),
  giftUse: say(
    "It pays for bookings until nothing is left on it.",
    "Paga reservas hasta que se agote el saldo.",
    "Paga reserves fins que s'esgoti el saldo.",
  ),
  giftValidity: say(
    (months: number) =>
      months > 0
        ? `It is valid for ${count(months, "month", "months")} from its payment on.`
        : "It does not expire.",
    (months) => months > 0 ? `Vale ${count(months, "mes", "meses")} desde el pago.` : "No caduca.",
    (months) =>
      months > 0 ? `Val ${count(months, "mes", "mesos")} des del pagament.` : "No caduca.",
  ),
  giftRefund: say(
    (days: number) =>
      days > 0
        ? `Unspent, it can be given back for ${count(days, "day", "days")}: ask the venue.`
        : "It cannot be given back.",
    (days) =>
      days > 0
        ? `Sin gastar, se puede devolver durante ${count(days, "día", "días")}: pídelo al local.`
        : "No se puede devolver.",
    (days) =>
      days > 0
        ? `Sense gastar, es pot tornar durant ${count(days, "dia", "dies")}: demana-ho al local.`
        : "No es pot tornar.",
  ),
  giftUnpaidTitle: say(
    "Your voucher is not paid yet",
    "Tu vale aún no está pagado",
    "El teu val encara no està pagat",
  ),
  giftUnpaid: say(
    "It exists as soon as it is paid. Nothing was charged so far.",
    "Existirá en cuanto esté pagado. Hasta ahora no se ha cobrado nada.",
    "Existirà quan estigui pagat. Fins ara no s'ha cobrat res.",
  ),
  giftValue: say("Value", "Importe", "Import"),
  giftDelivered: say("Delivered on", "Se entrega el", "S'entrega el"),
  giftUntil: say("Valid until", "Válido hasta", "Vàlid fins a"),
  giftBought: say(
    "Your gift voucher is ready",
    "Tu vale regalo está listo",
    "El teu val regal està llest",
  ),
  giftBoughtText: say(
    "We have sent it to you by e-mail, too.",
    "También te lo hemos enviado por correo.",
    "També te l'hem enviat per correu.",
  ),
  giftCodeHint: say(
    "The code is typed when booking. Whoever has it can use it.",
    "El código se escribe al reservar. Quien lo tenga puede usarlo.",
    "El codi s'escriu en reservar. Qui el tingui el pot fer servir.",
  ),
  giftCode: say("The code", "El código", "El codi"),
  giftCopy: say("Copy the code", "Copiar el código", "Copia el codi"),
  giftPrint: say("Print", "Imprimir", "Imprimeix"),
  giftAnother: say("Buy another one", "Comprar otro", "Compra'n un altre"),
  giftSlow: say(
    "It takes longer than usual. The code comes by e-mail as soon as the payment is confirmed; you can close this page.",
    "Tarda más de lo normal. El código llegará por correo en cuanto se confirme el pago; puedes cerrar esta página.",
    "Triga més del normal. El codi arribarà per correu quan es confirmi el pagament; pots tancar aquesta pàgina.",
  ),
  giftElsewhere: say(
    "As soon as your payment is confirmed, the voucher comes by e-mail.",
    "En cuanto se confirme tu pago, el vale llegará por correo.",
    "Quan es confirmi el teu pagament, el val arribarà per correu.",
  ),
  giftOverTitle: say(
    "The time to pay is over",
    "Se acabó el tiempo para pagar",
    "S'ha acabat el temps per pagar",
  ),
  giftOver: say(
    "This voucher was not paid, and nothing was charged.",
    "Este vale no se ha pagado y no se ha cobrado nada.",
    "Aquest val no s'ha pagat i no s'ha cobrat res.",
  ),
  giftWithdrawnTitle: say(
    "This voucher is not valid any more",
    "Este vale ya no es válido",
    "Aquest val ja no és vàlid",
  ),
  giftWithdrawn: say(
    "It was given back, or its payment is disputed. Ask the venue.",
    "Se ha devuelto o hay una disputa sobre su pago. Pregunta al local.",
    "S'ha tornat o hi ha una disputa sobre el seu pagament. Pregunta al local.",
  ),
};

const statuses = {
  held: say(
    "Waiting for payment",
    "Pendiente de pago",
    "Pendent de pagament",
  ),
  pending: say(
    "Payment in progress",
    "Pago en curso",
    "Pagament en curs",
  ),
  confirmed: say(
    "Confirmed",
    "Confirmada",
    "Confirmada",
  ),
  checked_in: say(
    "Arrived",
    "Habéis llegado",
    "Heu arribat",
  ),
  in_progress: say(
    "Playing",
    "En juego",
    "En joc",
  ),
  completed: say(
    "Played",
    "Jugada",
    "Jugada",
  ),
  expired: say(
    "Expired",
    "Caducada",
    "Caducada",
  ),
  cancelled: say(
    "Cancelled",
    "Cancelada",
    "Cancel·lada",
  ),
  no_show: say(
    "Not attended",
    "No presentada",
    "No presentada",
  ),
};

/** Of a move: while one books, what cannot be added is taken out and said. */
const notAdded = say(
  "What was added to your booking cannot be had then. Choose another time or room, or ask the venue.",
  "Lo que añadiste a tu reserva no está disponible entonces. Elige otra hora u otra sala, o pregunta al local.",
  "El que vas afegir a la reserva no està disponible aleshores. Tria una altra hora o sala, o pregunta al local.",
);

const offerOver = say(
  "This offer is over. You can join the waitlist again.",
  "Esta oferta ha terminado. Puedes apuntarte otra vez a la lista de espera.",
  "Aquesta oferta s'ha acabat. Et pots tornar a apuntar a la llista d'espera.",
);

const errors = {
  vouchers_not_sold: say(
    "The venue sells no gift vouchers online at the moment. Ask it.",
    "Ahora el local no vende vales regalo en línea. Pregúntale.",
    "Ara el local no ven vals regal en línia. Pregunta-li.",
  ),
  voucher_product_not_found: say(
    "This voucher is not sold any more. Choose another.",
    "Este vale ya no se vende. Elige otro.",
    "Aquest val ja no es ven. Tria'n un altre.",
  ),
  voucher_price_changed: say(
    "The price of this voucher has just changed. Look at it again before you go on.",
    "El precio de este vale acaba de cambiar. Míralo antes de continuar.",
    "El preu d'aquest val acaba de canviar. Mira'l abans de continuar.",
  ),
  voucher_order_not_found: say(
    "We cannot find this gift voucher. Open it by the link in your e-mail.",
    "No encontramos este vale regalo. Ábrelo con el enlace de tu correo.",
    "No trobem aquest val regal. Obre'l amb l'enllaç del teu correu.",
  ),
  share_not_found: say(
    "We cannot find this share. Open it by the link that you were sent, or ask for it again.",
    "No encontramos esta parte. Ábrela con el enlace que te enviaron o pídelo de nuevo.",
    "No trobem aquesta part. Obre-la amb l'enllaç que et van enviar o torna'l a demanar.",
  ),
  voucher_unpaid: say(
    "The payment page cannot be opened now. Nothing was charged: try again.",
    "No se puede abrir la página de pago. No se ha cobrado nada: inténtalo de nuevo.",
    "No es pot obrir la pàgina de pagament. No s'ha cobrat res: torna-ho a provar.",
  ),
  vouchers_rate_limited: say(
    "Too many vouchers have been ordered from here. Try again in an hour, or ask the venue.",
    "Se han pedido demasiados vales desde aquí. Inténtalo en una hora o pregunta al local.",
    "S'han demanat massa vals des d'aquí. Torna-ho a provar d'aquí a una hora o pregunta al local.",
  ),
  extra_sold_out: notAdded,
  extra_not_found: notAdded,
  extra_quantity_invalid: notAdded,
  exclusive_not_offered: notAdded,
  online_payment_unavailable: say(
    "The venue cannot be paid online at the moment. Please ask it.",
    "Ahora no se puede pagar al local en línea. Pregúntale.",
    "Ara no es pot pagar al local en línia. Pregunta-li.",
  ),
  plan_limit_reached: say(
    "No more bookings are taken online this month. Ask the venue.",
    "Este mes no se aceptan más reservas en línea. Pregunta al local.",
    "Aquest mes no s'accepten més reserves en línia. Pregunta al local.",
  ),
  waitlist_not_offered: say(
    "There is no waitlist here any more. Look at what is free.",
    "Aquí ya no hay lista de espera. Mira lo que queda libre.",
    "Aquí ja no hi ha llista d'espera. Mira què queda lliure.",
  ),
  waitlist_offer_not_found: offerOver,
  code_expired: say(
    "This code has expired.",
    "Este código ha caducado.",
    "Aquest codi ha caducat.",
  ),
  code_not_active: say(
    "This code is not active.",
    "Este código no está activo.",
    "Aquest codi no està actiu.",
  ),
  code_not_valid_yet: say(
    "This code is not valid yet.",
    "Este código todavía no es válido.",
    "Aquest codi encara no és vàlid.",
  ),
  code_max_uses: say(
    "This code has been used up.",
    "Este código se ha agotado.",
    "Aquest codi s'ha exhaurit.",
  ),
  code_max_uses_per_customer: say(
    "You have already used this code.",
    "Ya has usado este código.",
    "Ja has fet servir aquest codi.",
  ),
  code_min_amount: say(
    "This code needs a higher amount.",
    "Este código pide un importe mayor.",
    "Aquest codi demana un import més alt.",
  ),
  code_not_for_room: say(
    "This code is not for this room.",
    "Este código no es para esta sala.",
    "Aquest codi no és per a aquesta sala.",
  ),
  code_empty: say(
    "There is nothing left on this gift voucher.",
    "A esta tarjeta regalo no le queda saldo.",
    "A aquesta targeta regal no li queda saldo.",
  ),
  code_not_found: say(
    "We do not know this code. Check it for typing mistakes.",
    "No conocemos este código. Comprueba que esté bien escrito.",
    "No coneixem aquest codi. Comprova que estigui ben escrit.",
  ),
  coupon_min_amount: say(
    "With the discount code of this booking nothing cheaper can be had. Ask the venue.",
    "Con el código de descuento de esta reserva no se puede elegir nada más barato. Pregunta al local.",
    "Amb el codi de descompte d'aquesta reserva no es pot triar res més barat. Pregunta al local.",
  ),
  coupon_not_for_room: say(
    "The discount code of this booking is not for this room. Choose another, or ask the venue.",
    "El código de descuento de esta reserva no es para esta sala. Elige otra o pregunta al local.",
    "El codi de descompte d'aquesta reserva no és per a aquesta sala. Tria'n una altra o pregunta al local.",
  ),
  payment_unavailable: say(
    "The payment page cannot be opened now. Your time is still kept: try again.",
    "No se puede abrir la página de pago. Seguimos guardando tu hora: inténtalo de nuevo.",
    "No es pot obrir la pàgina de pagament. Encara et guardem l'hora: torna-ho a provar.",
  ),
  not_payable: say(
    "This booking cannot be paid any more.",
    "Esta reserva ya no se puede pagar.",
    "Aquesta reserva ja no es pot pagar.",
  ),
  nothing_due: say(
    "There is nothing left to pay.",
    "No queda nada por pagar.",
    "No queda res per pagar.",
  ),
  too_many_holds: say(
    "You are keeping several times already. Pay or give one up, or wait until one runs out.",
    "Ya te guardamos varias horas. Paga o deja alguna, o espera a que se acabe el tiempo.",
    "Ja et guardem unes quantes hores. Paga o deixa'n alguna, o espera que s'acabi el temps.",
  ),
  place_available: say(
    "There is a free place already: choose it here.",
    "Ya hay una plaza libre: elígela aquí.",
    "Ja hi ha una plaça lliure: tria-la aquí.",
  ),
  waitlist_offer_over: offerOver,
  checkout_closing: say(
    "The former payment page is being closed. Try again in a minute.",
    "Se está cerrando la página de pago anterior. Inténtalo en un minuto.",
    "S'està tancant la pàgina de pagament anterior. Torna-ho a provar d'aquí a un minut.",
  ),
  idempotency_key_reused: say(
    "Something has changed. Please try again.",
    "Algo ha cambiado. Inténtalo de nuevo.",
    "Alguna cosa ha canviat. Torna-ho a provar.",
  ),
  checkout_in_progress: say(
    "The payment page is being opened already. Try again in a minute.",
    "La página de pago ya se está abriendo. Inténtalo en un minuto.",
    "La pàgina de pagament ja s'està obrint. Torna-ho a provar d'aquí a un minut.",
  ),
  amount_too_small: say(
    "So small an amount cannot be paid online. Ask the venue to confirm your booking.",
    "Un importe tan pequeño no se puede pagar en línea. Pide al local que confirme tu reserva.",
    "Un import tan petit no es pot pagar en línia. Demana al local que confirmi la teva reserva.",
  ),
  too_many_unpaid_bookings: say(
    "You have several bookings here that nothing has been paid for. Cancel one, or ask the venue.",
    "Ya tienes varias reservas aquí sin ningún pago. Cancela alguna o pregunta al local.",
    "Ja tens unes quantes reserves aquí sense cap pagament. Cancel·la'n alguna o pregunta al local.",
  ),
  mail_limit_reached: say(
    "We cannot send any more mails for such bookings today. Try again tomorrow, or ask the venue.",
    "Hoy no podemos enviar más correos para estas reservas. Inténtalo mañana o pregunta al local.",
    "Avui no podem enviar més correus per a aquestes reserves. Torna-ho a provar demà o pregunta al local.",
  ),
  links_rate_limited: say(
    "Links have been asked for too often from here. Try again in an hour, or ask the venue.",
    "Se han pedido enlaces demasiadas veces desde aquí. Inténtalo en una hora o pregunta al local.",
    "S'han demanat enllaços massa vegades des d'aquí. Torna-ho a provar d'aquí a una hora o pregunta al local.",
  ),
  links_limit_reached: say(
    "No more of these mails can be sent today. Try again tomorrow, or ask the venue.",
    "Hoy no se pueden enviar más correos de estos. Inténtalo mañana o pregunta al local.",
    "Avui no es poden enviar més correus d'aquests. Torna-ho a provar demà o pregunta al local.",
  ),
  confirmation_too_late: say(
    "The link was opened too late, and your place is not kept any more. Here is what is free.",
    "El enlace se abrió demasiado tarde y ya no te guardamos la plaza. Esto es lo que hay libre.",
    "L'enllaç es va obrir massa tard i ja no et guardem la plaça. Això és el que hi ha lliure.",
  ),
  too_many_slots: say(
    "These are more times than can be shown at once. Choose one room.",
    "Son más horas de las que se pueden mostrar a la vez. Elige una sala.",
    "Són més hores de les que es poden mostrar alhora. Tria una sala.",
  ),
  not_cancellable: say(
    "This booking cannot be cancelled any more.",
    "Esta reserva ya no se puede cancelar.",
    "Aquesta reserva ja no es pot cancel·lar.",
  ),
  nothing_to_change: say(
    "This is what you have booked already. Choose something else.",
    "Es lo que ya tienes reservado. Elige otra cosa.",
    "És el que ja tens reservat. Tria una altra cosa.",
  ),
  too_many_waitlist_entries: say(
    "You are on the waitlist too many times already.",
    "Ya estás en la lista de espera demasiadas veces.",
    "Ja ets a la llista d'espera massa vegades.",
  ),
  waitlist_closed: say(
    "Nothing is sold on these days for so many players. Choose others.",
    "En estos días no se vende nada para tantos jugadores. Elige otros.",
    "Aquests dies no es ven res per a tants jugadors. Tria'n uns altres.",
  ),
  date_range_too_long: say(
    "Choose at most three months.",
    "Elige como máximo tres meses.",
    "Tria com a màxim tres mesos.",
  ),
  terms_changed: say(
    "What counts about cancelling has just changed. Read it before you go on.",
    "Las condiciones de cancelación acaban de cambiar. Léelas antes de continuar.",
    "Les condicions de cancel·lació acaben de canviar. Llegeix-les abans de continuar.",
  ),
  booking_changed: say(
    "This booking has just been changed. Look at it again.",
    "Esta reserva acaba de cambiar. Mírala otra vez.",
    "Aquesta reserva acaba de canviar. Torna-la a mirar.",
  ),
  waitlist_entry_not_found: say(
    "We cannot find you on the waitlist.",
    "No te encontramos en la lista de espera.",
    "No et trobem a la llista d'espera.",
  ),
  waiver_outdated: say(
    "The text has changed. Please read it again.",
    "El texto ha cambiado. Léelo otra vez, por favor.",
    "El text ha canviat. Torna'l a llegir, si us plau.",
  ),
  waiver_full: say(
    "Everybody has signed already.",
    "Ya han firmado todos.",
    "Ja ha signat tothom.",
  ),
  not_reschedulable: say(
    "This booking can no longer be changed here: it is too close to its start, or over. Ask the venue.",
    "Esta reserva ya no se puede cambiar aquí: falta muy poco o ya ha pasado. Pregunta al local.",
    "Aquesta reserva ja no es pot canviar aquí: falta molt poc o ja ha passat. Pregunta al local.",
  ),
  date_range_invalid: say(
    "Please check the dates.",
    "Revisa las fechas.",
    "Revisa les dates.",
  ),
  waiver_not_found: say(
    "We cannot find this waiver. Open it by the link in your e-mail.",
    "No encontramos esta exención. Ábrela con el enlace de tu correo.",
    "No trobem aquesta exempció. Obre-la amb l'enllaç del teu correu.",
  ),
  waiver_closed: say(
    "This waiver can no longer be signed.",
    "Esta exención ya no se puede firmar.",
    "Aquesta exempció ja no es pot signar.",
  ),
};

export type MoreStrings = Strings & InLanguage<typeof texts> & {
  readonly statuses: Readonly<Record<string, string>>;
};

const made = new Map<Language, MoreStrings>();

/** The first script's words and these. */
export function withMoreStrings(strings: Strings, language: Language): MoreStrings {
  let all = made.get(language);
  if (!all) {
    all = {
      ...strings,
      ...inLanguage(texts, language),
      statuses: inLanguage(statuses, language),
      errors: { ...strings.errors, ...inLanguage(errors, language) },
    };
    made.set(language, all);
  }
  return all;
}
