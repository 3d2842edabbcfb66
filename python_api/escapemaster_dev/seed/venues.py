"""The two venues of the demo: who works there, what they sell, and who comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Literal

#: Whose booking stands in the way on a venue's full day: whoever tries the demo may cancel it.
SPARE_GUEST = "Alex Demo"

#: Every demo account's. It is no secret: the seed works on this machine only.
PASSWORD = "escape-the-demo"  # noqa: S105

RoleKey = Literal["owner", "admin", "manager", "receptionist", "game_master"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works at a venue."""

    role: RoleKey
    full_name: str
    email: str


@dataclass(frozen=True, slots=True)
class Window:
    """Opening hours on some ISO weekdays; closing not after opening means the next day."""

    weekdays: tuple[int, ...]
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Picture:
    """A scene that can be drawn, and what is to be seen, by language."""

    scene: str
    alt: dict[str, str]


@dataclass(frozen=True, slots=True)
class Room:
    """A game; prices in minor units of the venue's currency, tax included."""

    slug: str
    name: str
    description: str
    pictures: tuple[Picture, ...]
    mode: Literal["private", "shared"]
    party: tuple[int, int]
    duration_minutes: int
    price_per: Literal["person", "session"]
    price_cents: int
    difficulty: int
    told: Mapping[str, object] = field(default_factory=dict)
    """What else it says of itself: columns of `public.rooms`."""
    is_published: bool = True
    deposit: tuple[Literal["full", "percent", "fixed", "person"], int] = ("full", 0)
    """What confirms a booking: all of it, per cent, an amount, or an amount a person."""


@dataclass(frozen=True, slots=True)
class Closure:
    """A day on which the whole location is closed, so many days from the seeding."""

    in_days: int
    reason: str


@dataclass(frozen=True, slots=True)
class Runner:
    """Whoever runs games: which rooms, by slug, and on which ISO weekdays, all day."""

    role: RoleKey
    rooms: tuple[str, ...]
    weekdays: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tier:
    """Another price of a room for parties of so many people or more."""

    room: str
    minimum_party: int
    price_cents: int


@dataclass(frozen=True, slots=True)
class Rule:
    """Another price on some ISO weekdays from a time on, in per cent or minor units."""

    name: str
    weekdays: tuple[int, ...]
    from_time: time
    kind: Literal["percent", "amount"]
    value: int
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Extra:
    """What a party may take beside its seats; names and descriptions by language."""

    names: dict[str, str]
    descriptions: dict[str, str]
    price_per: Literal["booking", "person"]
    price_cents: int
    maximum_quantity: int = 1
    stock_per_session: int | None = None


@dataclass(frozen=True, slots=True)
class Gift:
    """A gift voucher with a name."""

    names: dict[str, str]
    descriptions: dict[str, str]
    cents: int


@dataclass(frozen=True, slots=True)
class Question:
    """What a calendar asks beside name and address, and what the guests of the demo answer."""

    key: str
    kind: Literal["text", "select", "checkbox"]
    label: dict[str, str]
    answers: tuple[str | bool, ...]
    """One of these; empty or false: nothing."""
    required: bool = False
    help: dict[str, str] = field(default_factory=dict)
    options: dict[str, dict[str, str]] | None = None
    """Labels by value, of a select."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a calendar presents itself: what comes first, and its colour."""

    flow: Literal["room_first", "date_first"]
    accent_color: str


@dataclass(frozen=True, slots=True)
class Coupon:
    """A code that makes a booking cheaper, by per cent or minor units."""

    code: str
    kind: Literal["percent", "fixed"]
    value: int
    description: str
    maximum_uses: int | None = None


@dataclass(frozen=True, slots=True)
class Venue:
    """An organization with one location and one calendar; `slug` is the address of both."""

    slug: str
    name: str
    timezone: str
    currency: str
    locale: Literal["es", "en", "ca"]
    locales: tuple[str, ...]
    tax_rate_bp: int
    address: str
    city: str
    postal_code: str
    country: str
    place: Mapping[str, object]
    """What else its location says of itself: columns of `public.locations`."""
    business: Mapping[str, object]
    """What the organization says of itself: columns of `public.organizations`."""
    staff: tuple[Person, ...]
    rooms: tuple[Room, ...]
    windows: tuple[Window, ...]
    closures: tuple[Closure, ...]
    runners: tuple[Runner, ...]
    cancellation: tuple[tuple[int, int], ...]
    """Hours before the start, and the percentage refunded until then."""
    tiers: tuple[Tier, ...]
    rules: tuple[Rule, ...]
    extras: tuple[Extra, ...]
    coupon: Coupon
    voucher_cents: int
    """What a gift voucher is worth that somebody has bought."""
    gifts: tuple[Gift, ...]
    """Gift vouchers that are sold online under a name, beside amounts."""
    exclusive: tuple[str, int]
    """A shared room that a party may have for itself, and what that costs."""
    look: Look
    terms: dict[str, str]
    questions: tuple[Question, ...]
    waitlist_minutes: int
    waiver_room: str
    """The room in which nobody plays without having signed."""
    waiver: dict[str, str]
    desk_methods: tuple[str, ...]
    phone_prefix: str
    guests: tuple[str, ...]

    def person(self, role: RoleKey) -> Person:
        """Who works here in a role."""
        return next(one for one in self.staff if one.role == role)


_MONDAY, _TUESDAY, _WEDNESDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = range(1, 8)

CASA_LABERINTO = Venue(
    slug="casa-laberinto",
    name="Casa Laberinto",
    timezone="Europe/Madrid",
    currency="EUR",
    locale="es",
    locales=("es", "ca", "en"),
    tax_rate_bp=2100,
    address="Calle del Minotauro 12",
    city="Madrid",
    postal_code="28004",
    country="ES",
    place={
        "province": "Madrid",
        "latitude": 40.425,
        "longitude": -3.703,
        "arrival_hints": {
            "es": "Llamad al bajo izquierda: os abrimos diez minutos antes.",
            "en": "Ring at the ground floor, left: we open ten minutes before.",
            "ca": "Truqueu al baix esquerra: obrim deu minuts abans.",
        },
        "directions": {
            "es": "Metro Tribunal, salida Fuencarral: tres minutos a pie.",
            "en": "Tribunal metro station, Fuencarral exit: three minutes on foot.",
            "ca": "Metro Tribunal, sortida Fuencarral: tres minuts a peu.",
        },
    },
    business={
        "legal_name": "Casa Laberinto Demo, S.L.",
        "tax_id": "B-00000000",
        "website": "https://casa-laberinto.test/es",
        "contact_email": "hola@casa-laberinto.test",
        "phone": "+34 910 000 000",
        "descriptions": {
            "es": "Tres salas de escape y una en obras.",
            "en": "Three escape rooms and one being built.",
            "ca": "Tres sales d'escapada i una en obres.",
        },
    },
    staff=(
        Person("owner", "Elena Sanz", "owner@casa-laberinto.test"),
        Person("admin", "Marcos Vidal", "admin@casa-laberinto.test"),
        Person("manager", "Nuria Campos", "manager@casa-laberinto.test"),
        Person("receptionist", "Iván Prieto", "receptionist@casa-laberinto.test"),
        Person("game_master", "Carla Rey", "game-master@casa-laberinto.test"),
    ),
    rooms=(
        Room(
            slug="el-taller-del-relojero",
            name="El taller del relojero",
            description=(
                "El maestro relojero desapareció a las 10:10 y todos sus relojes se pararon con"
                " él. Poned en marcha el gran mecanismo antes de que dé la hora."
            ),
            pictures=(
                Picture(
                    "clockmaker",
                    {
                        "es": "Un gran reloj de pared entre ruedas dentadas de latón",
                        "en": "A great wall clock among brass gears",
                        "ca": "Un gran rellotge de paret entre rodes dentades de llautó",
                    },
                ),
                Picture(
                    "workshop",
                    {
                        "es": "El taller: relojes colgados, todos parados a las diez y diez",
                        "en": "The workshop: hanging clocks, all stopped at ten past ten",
                        "ca": "El taller: rellotges penjats, tots aturats a les deu i deu",
                    },
                ),
            ),
            mode="private",
            party=(2, 6),
            duration_minutes=60,
            price_per="person",
            price_cents=2200,
            difficulty=3,
            told={
                "names": {"en": "The Clockmaker's Workshop", "ca": "El taller del rellotger"},
                "theme": "mystery",
                "color": "#b3762b",
                "minimum_age": 12,
                "minimum_age_accompanied": 8,
                "fear": 1,
                "physical_level": 1,
                "languages": ["es", "ca", "en"],
                "is_accessible": True,
                "tags": ["Primera vez", "Familias"],
            },
            deposit=("percent", 30),
        ),
        Room(
            slug="la-biblioteca-prohibida",
            name="La biblioteca prohibida",
            description=(
                "Un solo libro abre la cámara secreta y nadie lo ha devuelto nunca. Para equipos"
                " con experiencia que leen entre líneas."
            ),
            pictures=(
                Picture(
                    "library",
                    {
                        "es": "Estanterías llenas de libros y una puerta secreta iluminada",
                        "en": "Shelves full of books and a lit secret door",
                        "ca": "Prestatges plens de llibres i una porta secreta il·luminada",
                    },
                ),
            ),
            mode="private",
            party=(2, 5),
            duration_minutes=75,
            price_per="session",
            price_cents=9600,
            difficulty=5,
            told={
                "names": {"en": "The Forbidden Library", "ca": "La biblioteca prohibida"},
                "theme": "horror",
                "color": "#4b2e83",
                "minimum_age": 16,
                "fear": 4,
                "physical_level": 2,
                "languages": ["es"],
                "has_actors": True,
                "tags": ["Experiencia"],
            },
        ),
        Room(
            slug="submarino-a-la-deriva",
            name="Submarino a la deriva",
            description=(
                "Sin motores, a trescientos metros y con aire para una hora. Compartís la sala con"
                " otros tripulantes: cuantos más, mejor."
            ),
            pictures=(
                Picture(
                    "submarine",
                    {
                        "es": "Un ojo de buey con peces al otro lado",
                        "en": "A porthole with fish behind it",
                        "ca": "Un ull de bou amb peixos a l'altra banda",
                    },
                ),
                Picture(
                    "engine-room",
                    {
                        "es": "La sala de máquinas: cuatro manómetros y una válvula naranja",
                        "en": "The engine room: four gauges and an orange valve",
                        "ca": "La sala de màquines: quatre manòmetres i una vàlvula taronja",
                    },
                ),
            ),
            mode="shared",
            party=(1, 8),
            duration_minutes=60,
            price_per="person",
            price_cents=1800,
            difficulty=2,
            told={
                "names": {"en": "Submarine Adrift", "ca": "Submarí a la deriva"},
                "theme": "adventure",
                "color": "#1f6f8b",
                "minimum_age": 10,
                "minimum_age_accompanied": 7,
                "fear": 2,
                "physical_level": 3,
                "languages": ["es", "en"],
            },
        ),
        Room(
            slug="el-invernadero",
            name="El invernadero",
            description="En construcción: algo crece donde no debería.",
            pictures=(),
            mode="private",
            party=(2, 6),
            duration_minutes=60,
            price_per="person",
            price_cents=2400,
            difficulty=4,
            is_published=False,
        ),
    ),
    windows=(
        Window((_TUESDAY, _WEDNESDAY, _THURSDAY), time(16, 30), time(22, 30)),
        Window((_FRIDAY,), time(16, 30), time(1, 0)),
        Window((_SATURDAY,), time(10, 30), time(1, 0)),
        Window((_SUNDAY,), time(10, 30), time(21, 0)),
    ),
    closures=(Closure(9, "Mantenimiento anual"),),
    runners=(
        Runner(
            "game_master",
            ("el-taller-del-relojero", "la-biblioteca-prohibida", "submarino-a-la-deriva"),
            (_TUESDAY, _WEDNESDAY, _FRIDAY, _SATURDAY),
        ),
        Runner(
            "receptionist",
            ("el-taller-del-relojero", "submarino-a-la-deriva"),
            (_THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY),
        ),
        Runner("manager", ("la-biblioteca-prohibida",), (_SATURDAY, _SUNDAY)),
    ),
    cancellation=((48, 100), (24, 50)),
    tiers=(
        Tier("el-taller-del-relojero", 4, 2000),
        Tier("el-taller-del-relojero", 6, 1800),
        Tier("la-biblioteca-prohibida", 4, 11200),
    ),
    rules=(
        Rule("Fin de semana", (_SATURDAY, _SUNDAY), time(0, 0), "percent", 10),
        Rule("Noche de viernes y sábado", (_FRIDAY, _SATURDAY), time(20, 0), "amount", 300, 10),
    ),
    extras=(
        Extra(
            {"es": "Foto enmarcada", "ca": "Foto emmarcada", "en": "Framed photo"},
            {
                "es": "La foto del equipo, lista al salir.",
                "ca": "La foto de l'equip, a punt en sortir.",
                "en": "Your team's picture, to go.",
            },
            "booking", 900, maximum_quantity=3,
        ),
        Extra(
            {"es": "Refresco", "ca": "Refresc", "en": "Soft drink"},
            {}, "person", 250, stock_per_session=12,
        ),
    ),
    coupon=Coupon("LABERINTO10", "percent", 10, "Bienvenida"),
    voucher_cents=6000,
    gifts=(
        Gift(
            {"es": "Escape para 4", "ca": "Escape per a 4", "en": "Escape for 4"},
            {"es": "Una hora de misterio, el día que quieran.", "en": "An hour of mystery."},
            8800,
        ),
    ),
    exclusive=("submarino-a-la-deriva", 11000),
    look=Look("room_first", "#b3462b"),
    terms={
        "es": (
            "1. Llegad diez minutos antes: la partida empieza a su hora.\n"
            "2. Hasta 48 horas antes se devuelve todo; hasta 24 horas antes, la mitad.\n"
            "3. Los menores de 14 años juegan con un adulto.\n"
            "4. Lo que se rompe a propósito se paga; lo que se resuelve, no."
        ),
        "ca": (
            "1. Arribeu deu minuts abans: la partida comença a l'hora.\n"
            "2. Fins a 48 hores abans es torna tot; fins a 24 hores abans, la meitat.\n"
            "3. Els menors de 14 anys juguen amb un adult.\n"
            "4. El que es trenca expressament es paga; el que es resol, no."
        ),
        "en": (
            "1. Come ten minutes early: the game starts on time.\n"
            "2. Up to 48 hours before you get all of it back; up to 24 hours before, half.\n"
            "3. Children under 14 play with an adult.\n"
            "4. What is broken on purpose is paid for; what is solved is not."
        ),
    },
    questions=(
        Question(
            "game_language", "select",
            {"es": "Idioma de la partida", "ca": "Idioma de la partida", "en": "Game language"},
            ("es", "es", "ca", "en"),
            required=True,
            options={
                "es": {"es": "Castellano", "ca": "Castellà", "en": "Spanish"},
                "ca": {"es": "Catalán", "ca": "Català", "en": "Catalan"},
                "en": {"es": "Inglés", "ca": "Anglès", "en": "English"},
            },
        ),
        Question(
            "occasion", "text",
            {"es": "¿Qué celebráis?", "ca": "Què celebreu?", "en": "What are you celebrating?"},
            ("", "", "", "Un cumpleaños", "Una despedida", "Que es viernes"),
            help={
                "es": "Preparamos una sorpresa.",
                "ca": "Preparem una sorpresa.",
                "en": "We prepare a surprise.",
            },
        ),
        Question(
            "first_time", "checkbox",
            {
                "es": "Es nuestro primer escape room",
                "ca": "És el nostre primer escape room",
                "en": "This is our first escape room",
            },
            (True, False, False),
        ),
    ),
    waitlist_minutes=60,
    waiver_room="la-biblioteca-prohibida",
    waiver={
        "es": (
            "En la biblioteca hay estanterías altas, poca luz y un suelo desigual.\n\n"
            "Juego bajo mi responsabilidad, sigo las indicaciones del game master y aviso si"
            " tengo claustrofobia, epilepsia o estoy embarazada. Puedo salir en todo momento."
        ),
        "ca": (
            "A la biblioteca hi ha prestatges alts, poca llum i un terra desigual.\n\n"
            "Jugo sota la meva responsabilitat, segueixo les indicacions del game master i aviso"
            " si tinc claustrofòbia, epilèpsia o estic embarassada. Puc sortir en tot moment."
        ),
        "en": (
            "The library has tall shelves, little light and an uneven floor.\n\n"
            "I play at my own risk, follow the game master's directions and say so if I have"
            " claustrophobia or epilepsy, or if I am pregnant. I can leave at any time."
        ),
    },
    desk_methods=("card_terminal", "card_terminal", "bizum", "bizum", "cash", "transfer"),
    phone_prefix="+34 600",
    guests=(
        "Lucía Moreno", "Álvaro Ruiz", "Marta Gil", "Pau Ferrer", "Sofía Navarro",
        "Hugo Romero", "Laia Puig", "Diego Castillo", "Irene Vega", "Adrián Molina",
        "Clara Ortega", "Mario Delgado", "Júlia Soler", "Javier Iglesias", "Noa Cabrera",
        "Sergio Fuentes", "Aitana Lozano", "Rubén Peña", "Carmen Nieto", "Marc Vila",
        "Valeria Cruz", "Bruno Herrero", "Alba Santana", "Óscar Méndez", "Paula Reyes",
    ),
)  # fmt: skip

THE_LOCKED_ATTIC = Venue(
    slug="the-locked-attic",
    name="The Locked Attic",
    timezone="Europe/London",
    currency="GBP",
    locale="en",
    locales=("en", "es"),
    tax_rate_bp=2000,
    address="3 Candlemaker Yard",
    city="London",
    postal_code="E1 6AA",
    country="GB",
    place={
        "phone": "+44 20 7946 0000",
        "latitude": 51.515,
        "longitude": -0.072,
        "arrival_hints": {"en": "Ring the bell of number 3 and wait in the yard."},
        "directions": {"en": "Aldgate East, exit 3: five minutes on foot."},
    },
    business={
        "legal_name": "The Locked Attic Demo Ltd",
        "tax_id": "GB 000 0000 00",
        "website": "https://the-locked-attic.test",
        "contact_email": "hello@the-locked-attic.test",
        "phone": "+44 20 7946 0000",
        "descriptions": {"en": "Escape rooms below the roof of an old warehouse."},
    },
    staff=(
        Person("owner", "Harriet Locke", "owner@locked-attic.test"),
        Person("admin", "Tom Okafor", "admin@locked-attic.test"),
        Person("manager", "Priya Shah", "manager@locked-attic.test"),
        Person("receptionist", "Callum Reid", "receptionist@locked-attic.test"),
        Person("game_master", "Freya Lindqvist", "game-master@locked-attic.test"),
    ),
    rooms=(
        Room(
            slug="the-attic-of-doctor-locke",
            name="The Attic of Doctor Locke",
            description=(
                "The doctor left a trunk, a telescope and one instruction: be gone before"
                " moonset. Nobody has said what is in the trunk."
            ),
            pictures=(
                Picture(
                    "attic",
                    {
                        "es": "Un desván de noche, con un baúl bajo la ventana",
                        "en": "An attic by night, a trunk under its window",
                        "ca": "Unes golfes de nit, amb un bagul sota la finestra",
                    },
                ),
                Picture(
                    "trunk",
                    {
                        "es": "El baúl cerrado, un telescopio y tres velas",
                        "en": "The locked trunk, a telescope and three candles",
                        "ca": "El bagul tancat, un telescopi i tres espelmes",
                    },
                ),
            ),
            mode="private",
            party=(2, 6),
            duration_minutes=60,
            price_per="person",
            price_cents=2600,
            difficulty=4,
        ),
        Room(
            slug="fog-over-whitechapel",
            name="Fog over Whitechapel",
            description=(
                "London, 1888. The lamplighter saw everything and tells it only to those who can"
                " follow him through the fog."
            ),
            pictures=(
                Picture(
                    "whitechapel",
                    {
                        "es": "Una farola encendida en una calle con niebla",
                        "en": "A lit street lamp in the fog",
                        "ca": "Un fanal encès en un carrer amb boira",
                    },
                ),
            ),
            mode="private",
            party=(2, 6),
            duration_minutes=70,
            price_per="session",
            price_cents=12000,
            difficulty=3,
            deposit=("fixed", 4000),
        ),
        Room(
            slug="last-train-to-nowhere",
            name="Last Train to Nowhere",
            description=(
                "The driver is missing and the line ends at the bridge. Share the carriage with"
                " other passengers, and find out who is not one."
            ),
            pictures=(
                Picture(
                    "train",
                    {
                        "es": "Un tren rojo que pasa al anochecer",
                        "en": "A red train passing by at dusk",
                        "ca": "Un tren vermell que passa al capvespre",
                    },
                ),
            ),
            mode="shared",
            party=(1, 8),
            duration_minutes=60,
            price_per="person",
            price_cents=2000,
            difficulty=2,
        ),
    ),
    windows=(
        Window((_MONDAY, _WEDNESDAY, _THURSDAY), time(15, 0), time(22, 0)),
        Window((_FRIDAY,), time(14, 0), time(23, 0)),
        Window((_SATURDAY,), time(10, 0), time(23, 0)),
        Window((_SUNDAY,), time(11, 0), time(19, 30)),
    ),
    closures=(Closure(8, "Closed for a private event"),),
    runners=(
        Runner(
            "game_master",
            ("the-attic-of-doctor-locke", "fog-over-whitechapel", "last-train-to-nowhere"),
            (_MONDAY, _WEDNESDAY, _FRIDAY, _SATURDAY),
        ),
        Runner(
            "receptionist",
            ("the-attic-of-doctor-locke", "last-train-to-nowhere"),
            (_THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY),
        ),
        Runner("manager", ("fog-over-whitechapel",), (_SATURDAY, _SUNDAY)),
    ),
    cancellation=((72, 100), (24, 50)),
    tiers=(
        Tier("the-attic-of-doctor-locke", 4, 2400),
        Tier("the-attic-of-doctor-locke", 6, 2200),
    ),
    rules=(
        Rule("Weekend", (_SATURDAY, _SUNDAY), time(0, 0), "percent", 15),
        Rule("Friday night", (_FRIDAY,), time(18, 0), "percent", 15),
    ),
    extras=(
        Extra(
            {"en": "Team photo", "es": "Foto del equipo"},
            {"en": "Printed while you catch your breath.", "es": "Impresa al momento."},
            "booking", 800, maximum_quantity=2,
        ),
        Extra({"en": "Hot chocolate", "es": "Chocolate caliente"}, {}, "person", 350),
    ),
    coupon=Coupon("ATTIC5", "fixed", 500, "Five pounds off", maximum_uses=200),
    voucher_cents=10000,
    gifts=(
        Gift({"en": "Escape for 4", "es": "Escape para 4"}, {"en": "Any room, any day."}, 10400),
    ),
    exclusive=("last-train-to-nowhere", 13000),
    look=Look("date_first", "#5b4bb0"),
    terms={
        "en": (
            "1. Please arrive ten minutes early. Late teams play until the hour is over.\n"
            "2. Up to 72 hours before you get a full refund; up to 24 hours before, half.\n"
            "3. Under-16s need an adult in the building.\n"
            "4. No photographs inside; we take one for you afterwards."
        ),
        "es": (
            "1. Llegad diez minutos antes. Quien llega tarde juega hasta que acabe la hora.\n"
            "2. Hasta 72 horas antes se devuelve todo; hasta 24 horas antes, la mitad.\n"
            "3. Los menores de 16 años necesitan a un adulto en el edificio.\n"
            "4. Dentro no se hacen fotos; os hacemos una al salir."
        ),
        "ca": (
            "1. Arribeu deu minuts abans. Qui arriba tard juga fins que s'acabi l'hora.\n"
            "2. Fins a 72 hores abans es torna tot; fins a 24 hores abans, la meitat.\n"
            "3. Els menors de 16 anys necessiten un adult a l'edifici.\n"
            "4. A dins no es fan fotos; us en fem una en sortir."
        ),
    },
    questions=(
        Question(
            "team", "text",
            {"en": "Team name", "es": "Nombre del equipo", "ca": "Nom de l'equip"},
            ("", "The Lockpickers", "Four Blind Mice", "Baker Street", "Key Workers"),
            help={
                "en": "It goes on the leader board.",
                "es": "Sale en la clasificación.",
                "ca": "Surt a la classificació.",
            },
        ),
        Question(
            "heard_of_us", "select",
            {
                "en": "How did you hear of us?",
                "es": "¿Cómo nos habéis conocido?",
                "ca": "Com ens heu conegut?",
            },
            ("", "friends", "search", "gift"),
            options={
                "friends": {"en": "From friends", "es": "Por amigos", "ca": "Per amics"},
                "search": {"en": "On the web", "es": "En la web", "ca": "Al web"},
                "gift": {"en": "It was a gift", "es": "Fue un regalo", "ca": "Va ser un regal"},
            },
        ),
    ),
    waitlist_minutes=45,
    waiver_room="the-attic-of-doctor-locke",
    waiver={
        "en": (
            "The attic has a steep stair, low beams and moments of darkness.\n\n"
            "I play at my own risk, follow the game master's directions and know that I can leave"
            " at any time."
        ),
        "es": (
            "El desván tiene una escalera empinada, vigas bajas y momentos de oscuridad.\n\n"
            "Juego bajo mi responsabilidad, sigo las indicaciones del game master y sé que puedo"
            " salir en todo momento."
        ),
        "ca": (
            "Les golfes tenen una escala costeruda, bigues baixes i moments de foscor.\n\n"
            "Jugo sota la meva responsabilitat, segueixo les indicacions del game master i sé que"
            " puc sortir en tot moment."
        ),
    },
    desk_methods=("card_terminal", "card_terminal", "card_terminal", "cash", "transfer"),
    phone_prefix="+44 7700",
    guests=(
        "Oliver Bennett", "Amelia Hughes", "Jack Osei", "Isla Murray", "Noah Patel",
        "Grace Kelly", "Leo Marsh", "Ava Thompson", "Arthur Doyle", "Freddie Nash",
        "Ella Morgan", "Theo Barnes", "Ruby Ahmed", "Oscar Flynn", "Maya Clarke",
        "Jude Fisher", "Evie Walsh", "Max Turner", "Zara Khan", "Alfie Stone",
        "Poppy Wells", "Sam Whitaker", "Nina Rossi", "Ben Adeyemi", "Lily Chen",
    ),
)  # fmt: skip

VENUES = (CASA_LABERINTO, THE_LOCKED_ATTIC)
