"""The demo's templates of replies: title, shortcut, queue (empty: all), language, text."""

TEMPLATES = (
    ("Greeting", "hello", "", "en", "Hello <customer name>, this is <agent name>. How can I help you?"),
    ("One moment", "moment", "", "en", "One moment, please. I am looking it up."),
    ("Goodbye", "bye", "", "en", "Thank you for writing to us, <customer name>. Have a good day!"),
    (
        "Order on its way",
        "onway",
        "orders",
        "en",
        "Order <order number> left our warehouse on <date>. You can follow it here: <tracking address>",
    ),
    (
        "Address changed",
        "address",
        "orders",
        "en",
        "Done. Order <order number> goes to <new address>. I have sent the confirmation to <email>.",
    ),
    (
        "Return label",
        "label",
        "returns",
        "en",
        "I have sent the return label to <email>. Print it, put it on the box, and hand it in within 14 days.",
    ),
    ("Saludo", "hola", "", "es", "Hola, <customer name>, soy <agent name>. ¿En qué puedo ayudarle?"),
    ("Despedida", "adios", "", "es", "Gracias por escribirnos, <customer name>. ¡Que tenga un buen día!"),
    (
        "Pedido en camino",
        "camino",
        "espanol",
        "es",
        "El pedido <número de pedido> salió de nuestro almacén el <fecha>. Puede seguirlo aquí: <enlace>",
    ),
)
