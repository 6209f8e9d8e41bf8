"""The demo's conversations: who wrote what, when, and how it ended."""

from dataclasses import dataclass

VISITOR, AGENT, NOTE = "visitor", "agent", "note"


@dataclass(frozen=True, kw_only=True)
class Talk:
    """One finished conversation. Each line says who, how many seconds after the line before, and what."""

    queue: str
    name: str
    days_ago: int
    at: str  # on the wall clock of the demo's company
    lines: tuple[tuple[str, int, str], ...]
    email: str = ""
    agent: str = ""  # nobody: the visitor gave up
    missed_by: tuple[str, ...] = ()
    accepted_after: int = 5
    ended_by_visitor: bool = False
    ended_after: int = 20
    reason: str = ""
    note: str = ""
    closed_after: int = 25
    is_automatic: bool = False
    language: str = "en"
    page: str = ""
    device: str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:150.0) Gecko/20100101 Firefox/150.0"


PHONE = "Mozilla/5.0 (Android 16; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0"

TALKS = (
    Talk(
        queue="orders",
        name="Ana Pereira",
        email="ana.pereira@example.com",
        days_ago=9,
        at="11:42",
        agent="lucia",
        accepted_after=8,
        page="https://shop.example.com/orders/47102",
        lines=(
            (VISITOR, 0, "Hello, I was charged twice for order 47102."),
            (AGENT, 40, "Hello Ana, I am sorry about that. I am looking at the payments of this order now."),
            (
                AGENT,
                75,
                "I see it: the first payment was cancelled. Your bank shows it until tomorrow, then it goes away.",
            ),
            (VISITOR, 48, "So I do not have to do anything?"),
            (AGENT, 21, "Nothing at all. If it is still there on Friday, write to us and we will call the bank."),
            (VISITOR, 30, "Perfect, thank you!"),
        ),
        reason="Payment explained",
        note="Double authorisation, released by the bank within a day.",
    ),
    Talk(
        queue="returns",
        name="Mei Kobayashi",
        email="mei.kobayashi@example.com",
        days_ago=6,
        at="09:31",
        agent="jonas",
        accepted_after=11,
        device=PHONE,
        lines=(
            (VISITOR, 0, "Can I still return a pair of boots? I bought them five weeks ago."),
            (AGENT, 52, "Hi Mei, our limit is 30 days. Is there anything wrong with them?"),
            (VISITOR, 44, "The sole of the left one comes off."),
            (
                AGENT,
                35,
                "Then it is a warranty case and the 30 days do not matter. May I send you a return label by email?",
            ),
            (VISITOR, 15, "Yes please"),
            (NOTE, 60, "Third pair of this batch with a loose sole."),
            (AGENT, 22, "Sent. We repair or replace them within ten days of their arrival."),
            (VISITOR, 40, "Great service. Bye!"),
        ),
        ended_by_visitor=True,
        reason="Return label sent",
        note="Warranty, loose sole. Told quality about the batch.",
    ),
    Talk(
        queue="espanol",
        name="Carmen Ortega",
        email="carmen.ortega@example.com",
        days_ago=5,
        at="16:05",
        agent="sofia",
        accepted_after=6,
        language="es",
        lines=(
            (VISITOR, 0, "Buenas tardes, ¿hacen envíos a Canarias?"),
            (AGENT, 38, "¡Hola, Carmen! Sí, enviamos a todas las islas. Tarda entre cinco y siete días laborables."),
            (VISITOR, 41, "¿Y cuánto cuesta?"),
            (AGENT, 29, "Son 9,90 € y, a partir de 80 €, es gratis. El IGIC se paga a la entrega."),
            (VISITOR, 33, "Muchas gracias, muy amable."),
            (AGENT, 14, "Gracias a usted. ¡Que tenga buena tarde!"),
        ),
        reason="Información sobre envíos",
    ),
    Talk(
        queue="orders",
        name="Jonas Thiel",
        days_ago=4,
        at="10:17",
        agent="lucia",
        missed_by=("jonas",),
        accepted_after=9,
        page="https://shop.example.com/cart",
        lines=(
            (VISITOR, 0, "My discount code SPRING10 is not accepted."),
            (VISITOR, 32, "Is anybody there?"),
            (AGENT, 30, "Hi Jonas, sorry for the wait. That code ended on Sunday, but I can give you another one."),
            (AGENT, 25, "Please try WELCOME10, it is valid until the end of the month."),
            (VISITOR, 50, "It works. Thanks Lucía."),
        ),
        reason="Order changed",
        note="Gave WELCOME10 instead of the expired SPRING10.",
    ),
    Talk(
        queue="orders",
        name="Dewi Nugroho",
        email="dewi.nugroho@example.com",
        days_ago=4,
        at="13:20",
        ended_after=140,
        device=PHONE,
        missed_by=("jonas",),
        lines=((VISITOR, 0, "Do you have the green backpack in stock?"),),
    ),
    Talk(
        queue="returns",
        name="Rosa Silva",
        email="rosa.silva@example.com",
        days_ago=3,
        at="15:12",
        agent="sofia",
        accepted_after=14,
        lines=(
            (VISITOR, 0, "Where is my refund? I sent the parcel back two weeks ago. Number RT-20418."),
            (AGENT, 47, "Hello Rosa, let me look for your parcel."),
            (AGENT, 88, "It arrived on Monday and was checked yesterday. The refund of 64.50 € left us this morning."),
            (VISITOR, 36, "And when will I see it on my card?"),
            (AGENT, 24, "Most banks need three to five working days."),
            (VISITOR, 61, "OK, I will wait then."),
            (AGENT, 18, "Thank you for your patience, Rosa. Is there anything else I can do for you?"),
        ),
        ended_by_visitor=True,
        ended_after=95,
        reason="Refund explained",
        closed_after=120,
        is_automatic=True,
    ),
    Talk(
        queue="espanol",
        name="Iker Zabala",
        days_ago=2,
        at="12:48",
        agent="lucia",
        accepted_after=7,
        language="es",
        device=PHONE,
        lines=(
            (VISITOR, 0, "Hola, quiero cambiar la talla de un pedido que hice hace una hora."),
            (AGENT, 31, "Hola, Iker. ¿Me dice el número de pedido y la talla que necesita?"),
            (VISITOR, 40, "48377, una L en lugar de la M."),
            (AGENT, 66, "Hecho: el pedido 48377 sale mañana con la talla L. Le llegará un correo con la confirmación."),
            (VISITOR, 22, "¡Qué rápido! Gracias."),
        ),
        reason="Pedido modificado",
    ),
    Talk(
        queue="returns",
        name="Priya Raman",
        days_ago=2,
        at="17:12",
        ended_after=75,
        lines=(
            (VISITOR, 0, "hi, can I bring a return to the shop in Leipzig?"),
            (VISITOR, 48, "never mind, found it on your page"),
        ),
    ),
    Talk(
        queue="orders",
        name="Ana Pereira",
        email="ana.pereira@example.com",
        days_ago=1,
        at="10:02",
        agent="jonas",
        accepted_after=12,
        page="https://shop.example.com/orders/48213",
        device=PHONE,
        lines=(
            (VISITOR, 0, "Hi! I moved last week and my order 48213 is going to the old address. Can you change it?"),
            (AGENT, 33, "Hello Ana, of course. Which address should it go to?"),
            (VISITOR, 45, "Rua das Flores 21, 2º, Porto."),
            (NOTE, 20, "Carrier cut-off is 11:00. If it has left, Logistics can redirect it."),
            (AGENT, 70, "Done. I have changed it to Rua das Flores 21. Could you reload the order page?"),
            (VISITOR, 38, "Now it shows the new address. Thank you so much!"),
            (AGENT, 16, "You are welcome. Enjoy the new flat!"),
        ),
        reason="Order changed",
        note="New address, before the carrier's cut-off.",
    ),
)
